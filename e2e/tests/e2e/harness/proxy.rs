//! The fault proxy does to a client what it says, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::{Stream, StreamExt as _};
use ironside_e2e::controlplane::client;
use ironside_e2e::install::credential;
use ironside_e2e::proxy::{Fault, Flow, Match, Moment, Proxy, Rule, tally};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{ListParams, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use serde_json::json;

/// An account with the rights of a namespace's administrator, and a client that uses its token.
pub(super) struct Tester {
    pub(super) client: Client,
    pub(super) id: String,
}

impl Tester {
    pub(super) async fn new(test: &Scenario<'_>, proxy: Option<&Proxy>) -> Result<Self> {
        let (namespace, post) = (&test.namespace, PostParams::default());
        let accounts: Api<ServiceAccount> = Api::namespaced(test.client.clone(), namespace);
        accounts
            .create(
                &post,
                &serde_json::from_value(json!({ "metadata": { "name": "tester" } }))?,
            )
            .await?;
        let bindings: Api<RoleBinding> = Api::namespaced(test.client.clone(), namespace);
        let binding = serde_json::from_value(json!({
            "metadata": { "name": "tester" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin" },
            "subjects": [{ "kind": "ServiceAccount", "name": "tester", "namespace": namespace }],
        }))?;
        bindings.create(&post, &binding).await?;
        let file = test.folder().join("tester.kubeconfig");
        let account = (namespace.as_str(), "tester");
        let credential = credential(test.cluster, &test.client, account, proxy.map(Proxy::address), &file).await?;
        let tester = Self {
            client: client(&credential.kubeconfig).await?,
            id: credential.id,
        };
        // The authorizer learns of a new binding by a watch of its own.
        let direct = test.folder().join("direct.kubeconfig");
        let same = ironside_e2e::install::credential(test.cluster, &test.client, account, None, &direct).await?;
        let maps: Api<ConfigMap> = Api::namespaced(client(&same.kubeconfig).await?, namespace);
        wait::until("the account has its rights", async || {
            Ok(maps.list(&ListParams::default()).await.map(drop)?)
        })
        .await?;
        Ok(tester)
    }
}

fn map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: kube::api::ObjectMeta {
            name: Some(name.to_owned()),
            ..Default::default()
        },
        ..Default::default()
    }
}

async fn through<T>(test: &Scenario<'_>, run: impl AsyncFnOnce(&Proxy, Api<ConfigMap>) -> Result<T>) -> Result<T> {
    let proxy = Proxy::start(test.cluster).await?;
    let tester = Tester::new(test, Some(&proxy)).await?;
    run(&proxy, Api::namespaced(tester.client, &test.namespace)).await
}

fn code(outcome: kube::Result<ConfigMap>) -> Result<u16> {
    match outcome {
        Ok(_) => bail!("no fault"),
        Err(kube::Error::Api(status)) => Ok(status.code),
        Err(other) => Err(other).context("another kind of error"),
    }
}

#[tokio::test]
async fn made_up_answers_reach_the_client_and_not_the_server() -> Result<()> {
    scenario(async |test| {
        through(test, async |proxy, maps| {
            maps.create(&PostParams::default(), &map("a")).await?;
            let on = || Match::verb("get").and(Match::resource("configmaps"));
            for (fault, expected) in [
                (Fault::too_many_requests(1), 429),
                (Fault::conflict(), 409),
                (Fault::gone(), 410),
                (Fault::internal_error(), 500),
            ] {
                let injected = proxy.inject(Rule::new(on(), fault).times(1));
                let seen = code(maps.get("a").await)?;
                ensure!(seen == expected, "{seen} instead of {expected}");
                maps.get("a").await.context("the fault is used up")?;
                ensure!(injected.hits() == 1, "{} hits", injected.hits());
            }
            let gets: Vec<_> = proxy
                .journal()
                .into_iter()
                .filter(|seen| seen.request.verb == "get")
                .collect();
            ensure!(gets.iter().filter(|seen| seen.forwarded).count() == 4, "{gets:#?}");
            ensure!(
                tally(&gets)[&("get".to_owned(), "configmaps".to_owned())] == 8,
                "{gets:#?}"
            );
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn requests_are_delayed_held_dropped_and_their_answers_lost() -> Result<()> {
    scenario(async |test| {
        through(test, async |proxy, maps| {
            let creates = || Match::verb("create");
            proxy.inject(Rule::new(creates(), Fault::Delay(Duration::from_millis(300))).times(1));
            let began = Instant::now();
            maps.create(&PostParams::default(), &map("late")).await?;
            ensure!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());

            let held = proxy.inject(Rule::new(creates(), Fault::Hold));
            let waiting = maps.clone();
            let creation = tokio::spawn(async move { waiting.create(&PostParams::default(), &map("held")).await });
            wait::until("the request is held", async || {
                let _: () = ensure!(held.hits() == 1);
                Ok(())
            })
            .await?;
            ensure!(maps.get_opt("held").await?.is_none(), "held means not forwarded");
            held.remove();
            creation.await??;

            proxy.inject(Rule::new(creates(), Fault::Drop).times(1));
            ensure!(maps.create(&PostParams::default(), &map("dropped")).await.is_err());
            ensure!(maps.get_opt("dropped").await?.is_none(), "dropped means not done");

            proxy.inject(Rule::new(creates(), Fault::LoseAnswer).times(1));
            ensure!(maps.create(&PostParams::default(), &map("lost")).await.is_err());
            ensure!(maps.get_opt("lost").await?.is_some(), "a lost answer means done");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_strike_falls_before_or_after_exactly_one_effect() -> Result<()> {
    scenario(async |test| {
        through(test, async |proxy, maps| {
            for (moment, exists) in [(Moment::BeforeForwarding, false), (Moment::AfterAnswer, true)] {
                let runs = Arc::new(AtomicUsize::new(0));
                let counter = Arc::clone(&runs);
                let strike = proxy.strike(2, moment, move || {
                    counter.fetch_add(1, Ordering::Relaxed);
                });
                let name = |number: usize| format!("{number}-{exists}");
                maps.create(&PostParams::default(), &map(&name(1))).await?;
                // A dry run and a read are no effects.
                let dry = PostParams {
                    dry_run: true,
                    ..PostParams::default()
                };
                maps.create(&dry, &map(&name(2))).await?;
                maps.get(&name(1)).await?;
                ensure!(strike.fell_at().is_none(), "too early");
                ensure!(
                    maps.create(&PostParams::default(), &map(&name(2))).await.is_err(),
                    "no answer"
                );
                ensure!(
                    runs.load(Ordering::Relaxed) == 1,
                    "{} times",
                    runs.load(Ordering::Relaxed)
                );
                ensure!(
                    strike
                        .fell_at()
                        .is_some_and(|at| at.verb == "create" && at.resource == "configmaps")
                );
                ensure!(maps.get_opt(&name(2)).await?.is_some() == exists, "{moment:?}");
                maps.create(&PostParams::default(), &map(&name(3)))
                    .await
                    .context("only one")?;
            }
            let bodies: Vec<_> = proxy.effects().iter().filter_map(|seen| seen.body.clone()).collect();
            ensure!(
                bodies.len() == 6 && bodies[0]["metadata"]["name"] == "1-false",
                "{bodies:?}"
            );
            Ok(())
        })
        .await
    })
    .await
}

type Events = std::pin::Pin<Box<dyn Stream<Item = kube::Result<WatchEvent<ConfigMap>>> + Send>>;

async fn watch(maps: &Api<ConfigMap>) -> Result<Events> {
    Ok(maps
        .watch(&WatchParams::default().labels("app=watched").disable_bookmarks(), "0")
        .await?
        .boxed())
}

async fn next(events: &mut Events) -> Result<Option<kube::Result<WatchEvent<ConfigMap>>>> {
    tokio::time::timeout(Duration::from_secs(10), events.next())
        .await
        .context("the stream is silent")
}

#[tokio::test]
async fn watch_streams_are_stalled_cut_ended_and_expired() -> Result<()> {
    scenario(async |test| {
        through(test, async |proxy, maps| {
            let create = async |name: &str| {
                let mut map = map(name);
                map.metadata.labels = Some([("app".to_owned(), "watched".to_owned())].into());
                maps.create(&PostParams::default(), &map).await.map(drop)
            };
            let added = |event: Option<kube::Result<WatchEvent<ConfigMap>>>, name: &str| match event {
                Some(Ok(WatchEvent::Added(map))) if map.metadata.name.as_deref() == Some(name) => Ok(()),
                other => Err(anyhow::anyhow!("{other:?} instead of {name}")),
            };
            create("a").await?;
            let mut events = watch(&maps).await?;
            added(next(&mut events).await?, "a")?;
            ensure!(proxy.open_watches().len() == 1, "{:?}", proxy.open_watches());

            ensure!(proxy.streams(&Match::watches(), Flow::Stalled) == 1, "one stream");
            create("b").await?;
            let silent = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
            ensure!(silent.is_err(), "stalled, and yet {silent:?}");
            proxy.streams(&Match::watches(), Flow::Open);
            added(next(&mut events).await?, "b")?;

            proxy.streams(&Match::watches(), Flow::Cut);
            // The client library takes a broken connection for the end of the stream.
            let end = next(&mut events).await?;
            ensure!(matches!(end, None | Some(Err(_))), "a cut stream ends: {end:?}");

            let mut events = watch(&maps).await?;
            added(next(&mut events).await?, "a")?;
            added(next(&mut events).await?, "b")?;
            proxy.streams(&Match::watches(), Flow::Ended);
            ensure!(next(&mut events).await?.is_none(), "an ended stream just ends");

            let mut events = watch(&maps).await?;
            proxy.streams(&Match::watches(), Flow::Expired);
            let last = loop {
                match next(&mut events).await? {
                    Some(Ok(WatchEvent::Error(status))) => break status,
                    Some(Ok(_)) => {}
                    other => bail!("{other:?}"),
                }
            };
            ensure!(last.code == 410 && last.reason == "Expired", "{last:?}");

            proxy.inject(Rule::new(Match::watches(), Fault::ExpireWatch).times(1));
            let mut events = watch(&maps).await?;
            ensure!(matches!(next(&mut events).await?, Some(Ok(WatchEvent::Error(status))) if status.code == 410));

            proxy.inject(Rule::new(Match::watches(), Fault::CutAfter(0)).times(1));
            let mut events = watch(&maps).await?;
            let end = next(&mut events).await?;
            ensure!(
                matches!(end, None | Some(Err(_))),
                "cut before the first event: {end:?}"
            );

            proxy.inject(Rule::new(Match::watches(), Fault::StallAfter(0)).times(1));
            let mut events = watch(&maps).await?;
            ensure!(
                tokio::time::timeout(Duration::from_millis(500), events.next())
                    .await
                    .is_err(),
                "stalled"
            );
            proxy.streams(&Match::watches(), Flow::Open);
            added(next(&mut events).await?, "a")?;
            Ok(())
        })
        .await
    })
    .await
}
