//! A busy API server, and a sink that is started again in the middle.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Request;
use ironside_e2e::cluster::Options;
use ironside_e2e::install::credential;
use ironside_e2e::operator::{Metrics, Operator};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::{Scenario, controlplane};
use kube::Client;
use serde_json::json;
use tokio::task::JoinSet;

use super::Sink;
use super::sink::{free_port, until};
use crate::numbers::from_environment;

/// How long there is load. `IRONSIDE_AUDIT_SECONDS=60` is the measurement of docs/performance.md.
const SECONDS: u64 = 5;

/// Requests a second that are tried for.
const RATE: u64 = 1000;

/// Clients at once.
const CLIENTS: u64 = 16;

/// The message with which a sink ends.
const DONE: &str = "the audit sink has judged everything that it accepted";

/// Whatever the API server says that it has sent and did not give up, the sink has judged: before and after it was started again.
#[tokio::test]
async fn nothing_is_lost_that_was_accepted_while_the_sink_is_started_again() -> Result<()> {
    let sink = Sink::new("load")?;
    scenario_with(options(&sink)?, async |test| {
        test.operator_namespace().await?;
        let mut operator = sink.operator(test).short_lease().ready().await?;
        until_it_leads(&operator).await?;
        let load = Load::start(test).await?;
        load.until_half().await;
        ended(&operator).await?;
        operator.restart().await?;
        let requests = load.finish().await?;

        let before = judged(&operator)?;
        let (sent, given_up) = both_agree(test, before, &operator).await?;
        ensure!(sent - given_up > before, "before and after: {before} of {sent}");
        ensure!(sent >= f64::from(requests), "each request is an event: {requests} requests, {sent} events");
        let metrics = operator.metrics().await?;
        ensure!(metrics.sum("ironside_audit_events_total", &[("outcome", "malformed")]) == Some(0.0));
        let number = |name| metrics.sum(name, &[]).unwrap_or_default();
        say(&format!(
            "audit: {requests} requests, {sent} events, {given_up} given up by the API server, {before} judged before the restart; then {:.0} MiB and {:.1} s of processor time",
            number("process_resident_memory_bytes") / f64::from(1 << 20),
            number("process_cpu_seconds_total"),
        ));
        Ok(())
    })
    .await
}

/// Behind a Service there are two: the one that leads takes events, the other sends the API server on until it leads itself.
#[tokio::test]
async fn nothing_is_lost_that_was_accepted_while_another_replica_takes_over() -> Result<()> {
    let sink = Sink::new("replicas")?;
    scenario_with(options(&sink)?, async |test| {
        test.operator_namespace().await?;
        let ports = [free_port()?, free_port()?];
        let service = sink.share(ports.to_vec()).await?;
        let first = sink.operator_at(ports[0], test).short_lease().ready().await?;
        until_it_leads(&first).await?;
        let second = sink.operator_at(ports[1], test).short_lease().ready().await?;
        let load = Load::start(test).await?;
        load.until_half().await;
        ensure!(taken(&second).await? < 0.5, "one takes all");
        ended(&first).await?;
        let requests = load.finish().await?;

        let before = judged(&first)?;
        let (sent, given_up) = both_agree(test, before, &second).await?;
        ensure!(
            before > 0.0 && sent - given_up > before,
            "before and after: {before} of {sent}"
        );
        ensure!(
            sent >= f64::from(requests),
            "each request is an event: {requests} requests, {sent} events"
        );
        say(&format!("audit: two replicas: {requests} requests, {sent} events, {given_up} given up by the API server, {before} judged by the first"));
        service.abort();
        Ok(())
    })
    .await
}

/// A control plane that audits only what the load asks: then both sides count the same.
fn options(sink: &Sink) -> Result<Options> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts:load"]}, {"level": "None"}],
    });
    let mut options = sink.options(&sink.write("policy.yaml", &policy.to_string())?);
    (options.nodes, options.workloads) = (0, false);
    Ok(options)
}

/// Requests at the rate, for as long as it is to be.
struct Load {
    half: Instant,
    asking: JoinSet<Result<u32>>,
}

impl Load {
    async fn start(test: &Scenario<'_>) -> Result<Self> {
        let client = load_client(test).await?;
        let time = Duration::from_secs(from_environment("IRONSIDE_AUDIT_SECONDS", SECONDS));
        let now = Instant::now();
        let mut asking = JoinSet::new();
        for _ in 0..CLIENTS {
            asking.spawn(ask(client.clone(), now + time));
        }
        Ok(Self {
            half: now + time / 2,
            asking,
        })
    }

    async fn until_half(&self) {
        tokio::time::sleep_until(self.half.into()).await;
    }

    /// Waits for its end, and says how many requests there were.
    async fn finish(mut self) -> Result<u32> {
        let mut requests = 0;
        while let Some(asked) = self.asking.join_next().await {
            requests += asked??;
        }
        Ok(requests)
    }
}

async fn until_it_leads(operator: &Operator) -> Result<()> {
    until("it leads", async || {
        ensure!(operator.metrics().await?.sum("ironside_leader", &[]) == Some(1.0));
        Ok(())
    })
    .await
}

/// Ends an operator politely.
async fn ended(operator: &Operator) -> Result<()> {
    let exit = operator.terminate().await?;
    ensure!(exit.code == Some(0), "{exit:?}");
    Ok(())
}

/// Waits until what the API server sent and did not give up is what was judged: by the one that ended, and by the one that runs. Returns the former two.
async fn both_agree(test: &Scenario<'_>, before: f64, running: &Operator) -> Result<(f64, f64)> {
    until("both sides have counted the same", async || {
        let (sent, given_up) = sent(&test.client).await?;
        let judged = before + taken(running).await?;
        // Whole numbers on both sides.
        ensure!(
            (sent - given_up - judged).abs() < 0.5,
            "sent {sent}, given up {given_up}, judged {judged} ({before} before)"
        );
        Ok((sent, given_up))
    })
    .await
}

async fn load_client(test: &Scenario<'_>) -> Result<Client> {
    let kubectl = test.cluster.kubectl()?;
    kubectl.run(&["create", "namespace", "load"]).await?;
    kubectl.run(&["create", "serviceaccount", "load", "-n", "load"]).await?;
    let kubeconfig = test.folder().join("load.kubeconfig");
    credential(test.cluster, &test.client, ("load", "load"), None, &kubeconfig).await?;
    controlplane::client(&kubeconfig).await
}

/// Asks at this client's part of the rate, and says how often.
async fn ask(client: Client, end: Instant) -> Result<u32> {
    let pace = Duration::from_micros(1_000_000 * CLIENTS / RATE);
    let mut ticks = tokio::time::interval(pace);
    let mut asked = 0;
    while Instant::now() < end {
        ticks.tick().await;
        // Allowed to everybody, and cheap.
        client.request_text(Request::get("/api").body(Vec::new())?).await?;
        asked += 1;
    }
    Ok(asked)
}

/// What the API server has sent to its audit backends, and what of it the webhook's has given up.
async fn sent(client: &Client) -> Result<(f64, f64)> {
    let text = client.request_text(Request::get("/metrics").body(Vec::new())?).await?;
    let metrics = Metrics::parse(&text)?;
    let sent = metrics.sum("apiserver_audit_event_total", &[]).context("events")?;
    let lost = |plugin| {
        metrics
            .sum("apiserver_audit_error_total", &[("plugin", plugin)])
            .unwrap_or_default()
    };
    Ok((sent, lost("webhook") + lost("buffered")))
}

/// What the running sink has judged.
async fn taken(operator: &Operator) -> Result<f64> {
    let metrics = operator.metrics().await?;
    metrics.sum("ironside_audit_events_total", &[]).context("events")
}

/// What the sink had judged that ended.
fn judged(operator: &Operator) -> Result<f64> {
    let log = operator.log()?;
    let line = log.iter().find(|line| line.to_string().contains(DONE));
    let line = line.context("the sink that ended says what it judged")?;
    line["accepted"].as_f64().with_context(|| format!("a number in {line}"))
}
