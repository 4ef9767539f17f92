//! Model test: after any sequence of events, missed events, relists and deletions, the incremental index equals one rebuilt from the final objects, and
//! everything that is seen differently than before is dirty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::build::{decode, object, owned, with, workload};
use crate::controls::{Gap, Responsibility};
use crate::model::{Kind, ObjectRef};
use crate::world::{Delta, Object, Snapshot, World};

const KINDS: [Kind; 14] = [
    Kind::Namespace,
    Kind::Pod,
    Kind::Pod,
    Kind::Deployment,
    Kind::ReplicaSet,
    Kind::ReplicaSet,
    Kind::Job,
    Kind::CronJob,
    Kind::StatefulSet,
    Kind::ServiceAccount,
    Kind::Service,
    Kind::NetworkPolicy,
    Kind::PodDisruptionBudget,
    Kind::ValidatingWebhookConfiguration,
];

#[derive(Clone, Debug)]
enum Step {
    /// The object is written, and the event arrives or is missed.
    Write {
        kind: Kind,
        place: Place,
        variant: u8,
        owner: Option<(Kind, &'static str)>,
        seen: bool,
    },
    /// The object is deleted, and the event arrives or is missed.
    Delete { kind: Kind, place: Place, seen: bool },
    /// A list is complete. Lists that are cut short deliver nothing: their events are simply missed.
    Relist {
        kind: Kind,
        namespace: Option<&'static str>,
    },
    /// Permission to read is lost.
    Lose {
        kind: Kind,
        namespace: Option<&'static str>,
    },
    /// A reader takes the snapshot; what follows must copy, not change it.
    Drain,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    namespace: &'static str,
    name: &'static str,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = || {
        (select(vec!["a", "b"]), select(vec!["x", "y", "z"])).prop_map(|(namespace, name)| Place { namespace, name })
    };
    let kind = || select(KINDS.to_vec());
    let owner = option::of((
        select(vec![
            Kind::Deployment,
            Kind::ReplicaSet,
            Kind::Job,
            Kind::CronJob,
            Kind::StatefulSet,
        ]),
        select(vec!["x", "y"]),
    ));
    let namespace = || option::of(select(vec!["a", "b"]));
    let step = prop_oneof![
        12 => (kind(), place(), 0..6u8, owner, prop::bool::weighted(0.9))
            .prop_map(|(kind, place, variant, owner, seen)| Step::Write { kind, place, variant, owner, seen }),
        4 => (kind(), place(), prop::bool::weighted(0.8)).prop_map(|(kind, place, seen)| Step::Delete { kind, place, seen }),
        2 => (kind(), namespace()).prop_map(|(kind, namespace)| Step::Relist { kind, namespace }),
        1 => (kind(), namespace()).prop_map(|(kind, namespace)| Step::Lose { kind, namespace }),
        4 => Just(Step::Drain),
    ];
    vec(step, 1..60)
}

/// An object as the API server has it. The variant decides about labels, image, status, service account, UID and whether it can be decoded.
fn written(kind: Kind, place: Place, variant: u8, owner: Option<(Kind, &str)>) -> Object {
    let reference = ObjectRef::new(kind, place.namespace, place.name);
    if variant == 5 {
        return Object::Unreadable(reference, "broken".to_owned());
    }
    let even = variant.is_multiple_of(2);
    let rest = match kind {
        Kind::Service => json!({"spec": {"ports": [{"port": 80 + i32::from(variant)}]}}),
        Kind::NetworkPolicy => {
            json!({"spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"v": format!("{}", variant % 2)}}}]}]}})
        }
        Kind::PodDisruptionBudget => {
            json!({"spec": {"selector": {"matchLabels": {"app": if even { "x" } else { "y" }}}}, "status": {"disruptionsAllowed": variant / 2}})
        }
        Kind::ServiceAccount => json!({"automountServiceAccountToken": even}),
        Kind::ValidatingWebhookConfiguration => {
            json!({"webhooks": [{"clientConfig": {"service": {"namespace": if even { "a" } else { "b" }, "name": "hook"}}}]})
        }
        Kind::Namespace => json!({"metadata": {"labels": {"v": format!("{}", variant % 2)}}}),
        _ => {
            json!({"metadata": {"generation": variant}, "status": {"phase": if variant == 3 { "Failed" } else { "Running" }, "readyReplicas": variant}})
        }
    };
    let base = if kind.is_workload() {
        let image = format!("image:{}", variant / 2);
        let account = json!({"serviceAccountName": if even { "x" } else { "y" }});
        let spec = match kind {
            Kind::Pod => json!({"spec": account}),
            Kind::CronJob => json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": account}}}}}),
            _ => json!({"spec": {"template": {"spec": account}}}),
        };
        with(workload(kind, place.name, &image), spec)
    } else {
        object(kind, place.name, json!({}))
    };
    let mut value = with(
        with(base, rest),
        json!({"metadata": {"resourceVersion": format!("{variant}")}}),
    );
    if kind.namespaced() {
        value["metadata"]["namespace"] = place.namespace.into();
    }
    if variant == 4 {
        value["metadata"]["uid"] = Value::from(format!("{kind}-{}-again", place.name));
    }
    if let Some((owner, name)) = owner.filter(|_| kind.is_workload()) {
        value = owned(value, owner, name);
    }
    decode(kind, &value)
}

/// The server, what the world was told of it, and the world.
#[derive(Default)]
struct Run {
    server: BTreeMap<ObjectRef, Object>,
    told: BTreeMap<ObjectRef, Object>,
    world: World,
}

impl Run {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Write {
                kind,
                place,
                variant,
                owner,
                seen,
            } => {
                let object = written(kind, place, variant, owner);
                self.server.insert(object.reference(), object.clone());
                if seen {
                    self.told.insert(object.reference(), object.clone());
                    self.world.apply(Delta::Apply(object));
                }
            }
            Step::Delete { kind, place, seen } => {
                let reference = ObjectRef::new(kind, place.namespace, place.name);
                self.server.remove(&reference);
                if seen {
                    self.told.remove(&reference);
                    self.world.apply(Delta::Delete(reference));
                }
            }
            Step::Relist { kind, namespace } => self.relist(kind, namespace),
            Step::Lose { kind, namespace } => self.world.apply(Delta::Unavailable {
                kind,
                namespace: namespace.filter(|_| kind.namespaced()).map(str::to_owned),
                gap: Gap {
                    reason: "PermissionDenied",
                    message: String::new(),
                    responsibility: Responsibility::SelfManaged,
                },
            }),
            Step::Drain => _ = self.world.drain(),
        }
    }

    fn relist(&mut self, kind: Kind, namespace: Option<&str>) {
        let namespace = namespace.filter(|_| kind.namespaced());
        let in_scope = |r: &ObjectRef| r.kind == kind && namespace.is_none_or(|namespace| *r.namespace == *namespace);
        self.told.retain(|reference, _| !in_scope(reference));
        let listed: Vec<Object> = self
            .server
            .iter()
            .filter(|(r, _)| in_scope(r))
            .map(|(_, object)| object.clone())
            .collect();
        self.told
            .extend(listed.iter().map(|object| (object.reference(), object.clone())));
        self.world.apply(Delta::Replace {
            kind,
            namespace: namespace.map(str::to_owned),
            objects: listed,
        });
    }
}

/// The index of these objects, made at once; how completely kinds were read is taken over.
fn rebuilt(objects: &BTreeMap<ObjectRef, Object>, like: &Snapshot) -> Snapshot {
    let mut snapshot = Snapshot::of(objects.values().cloned());
    snapshot.readings = Arc::clone(&like.readings);
    snapshot
}

/// Everything that judging, planning or verifying a target reads, as text. Resource versions do not count.
fn seen(world: &Snapshot, target: &ObjectRef) -> String {
    let text = if target.kind == Kind::Namespace {
        let shard = world.shard(&target.name);
        let of_pods: Vec<_> = shard
            .iter()
            .flat_map(|s| s.pods.values())
            .map(|p| (&p.metadata.name, &p.metadata.labels, &p.spec.ports))
            .collect();
        let templates: Vec<_> = shard
            .iter()
            .flat_map(|s| &s.workloads)
            .map(|(key, w)| (key, w.template.hash))
            .collect();
        let backends: Vec<_> = world
            .api_server_backends
            .iter()
            .filter(|b| *b.namespace == *target.name)
            .collect();
        let rules = shard.map(|s| (&s.services, &s.network_policies, &s.ingresses, &s.quotas));
        format!(
            "{:?} {of_pods:?} {templates:?} {backends:?} {rules:?}",
            world.namespace(&target.name)
        )
    } else {
        let Some(workload) = world.workload(target) else {
            let pod = world.pod(&target.namespace, &target.name);
            return format!("{:?}", pod.filter(|_| target.kind == Kind::Pod));
        };
        let account = world.service_account(&target.namespace, workload.template.spec.service_account());
        let budgets: Vec<_> = world
            .shard(&target.namespace)
            .iter()
            .flat_map(|shard| shard.disruption_budgets.values())
            .filter(|b| {
                b.spec
                    .selector
                    .as_ref()
                    .is_some_and(|s| s.matches(&workload.template.labels))
            })
            .collect();
        format!(
            "{workload:?} {:?} {:?} {account:?} {budgets:?}",
            world.pods_of(workload),
            world.replica_sets_of(workload)
        )
    };
    without_versions(&text)
}

fn without_versions(text: &str) -> String {
    text.split("resource_version: \"")
        .map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_index_equals_one_rebuilt_from_the_final_objects(steps in steps()) {
        let mut run = Run::default();
        for step in &steps {
            run.step(step);
        }
        let (now, _) = run.world.drain();
        prop_assert_eq!(&*now, &rebuilt(&run.told, &now));
        for kind in Kind::ALL {
            run.relist(kind, None);
        }
        let (now, _) = run.world.drain();
        prop_assert_eq!(&*now, &rebuilt(&run.server, &now), "a complete relist mends every missed event");
    }

    #[test]
    fn a_snapshot_never_changes_once_it_is_taken(steps in steps()) {
        let mut run = Run::default();
        let mut taken: Vec<(Arc<Snapshot>, Snapshot)> = Vec::new();
        for step in &steps {
            run.step(step);
            if matches!(step, Step::Drain) {
                let (now, _) = run.world.drain();
                let copy = rebuilt(&run.told, &now);
                taken.push((now, copy));
            }
        }
        for (snapshot, as_it_was) in &taken {
            prop_assert_eq!(&**snapshot, as_it_was);
        }
    }

    #[test]
    fn whatever_is_seen_differently_is_dirty(steps in steps()) {
        let mut run = Run::default();
        let (mut before, _) = run.world.drain();
        for step in steps.iter().filter(|step| !matches!(step, Step::Drain)) {
            run.step(step);
            let (after, dirty) = run.world.drain();
            let targets: BTreeSet<ObjectRef> = before.targets().chain(after.targets()).collect();
            for target in &targets {
                let same = before.is_judged(target) == after.is_judged(target) && seen(&before, target) == seen(&after, target);
                prop_assert!(same || dirty.contains(target), "{target} changed by {step:?}, dirty: {dirty:?}");
            }
            before = after;
        }
    }
}
