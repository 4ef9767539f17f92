//! A cluster with one Deployment: an API server that keeps generations and field managers, a Deployment controller, and pods that break or not.

use jiff::Timestamp;
use json_patch::Patch;
use serde_json::{Value, json};

use super::super::FIELD_MANAGER;
use crate::controls::{ControlId, Risk};
use crate::model::{Kind, ObjectRef, TemplateHash};
use crate::plan::{ANNOTATION, Change, Disposition, Plan, PlanHash, Restart};
use crate::world::{Object, Snapshot};

pub(super) const POINTER: &str = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation";
const PARENT: &str = "/spec/template/spec/containers/0/securityContext";

/// Seconds that a pod needs to become ready, and after which a broken one crashes.
pub(super) const START: i64 = 10;

/// How pods of a hardened template fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// They run.
    Works,
    /// They never become ready.
    Crashes,
    /// They become ready and crash so many seconds later.
    CrashesLater(i64),
    /// Their image is gone.
    CannotPull,
}

#[derive(Clone, Debug)]
struct PodSim {
    name: String,
    uid: String,
    set: String,
    created: Timestamp,
    hardened: bool,
}

#[derive(Clone, Debug)]
struct SetSim {
    uid: String,
    template: Value,
    created: Timestamp,
}

/// The world as it really is.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub now: Timestamp,
    pub image: Image,
    pub deployment: Value,
    sets: Vec<SetSim>,
    pods: Vec<PodSim>,
    serial: u64,
    available_since: Timestamp,
    progressed: Timestamp,
}

impl Cluster {
    pub(super) fn new(replicas: u32, image: Image) -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut cluster = Self {
            now,
            image,
            deployment: json!({
                "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "generation": 1, "resourceVersion": "1",
                    "creationTimestamp": now.to_string(), "managedFields": [
                        {"manager": "argo-like", "operation": "Update", "time": now.to_string(), "fieldsV1": {"f:spec": {}}}]},
                "spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                    "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                        {"name": "web", "image": "web:1", "readinessProbe": {"periodSeconds": 1}}]}}},
                "status": {},
            }),
            sets: Vec::new(),
            pods: Vec::new(),
            serial: 1,
            available_since: now,
            progressed: now,
        };
        cluster.pass(120);
        cluster
    }

    /// The pods that run now crash, hardened or not.
    pub(super) fn break_pods(&mut self) {
        self.image = Image::Crashes;
        for pod in &mut self.pods {
            pod.hardened = true;
        }
        self.control();
    }

    /// Time passes, in small steps, and everybody does their work.
    pub(super) fn pass(&mut self, seconds: i64) {
        let mut left = seconds;
        while left > 0 {
            let moving = usize::try_from(self.available()).unwrap() != self.pods.len();
            let by = left.min(if moving { 5 } else { 60 });
            self.now += jiff::SignedDuration::from_secs(by);
            left -= by;
            self.control();
        }
        self.control();
    }

    /// A long time passes in which only what is written changes anything.
    pub(super) fn skip_hours(&mut self, hours: i64) {
        self.pass(300);
        self.now += jiff::SignedDuration::from_hours(hours);
        self.control();
    }

    pub(super) fn generation(&self) -> i64 {
        self.deployment["metadata"]["generation"].as_i64().unwrap()
    }

    pub(super) fn template(&self) -> Value {
        self.deployment["spec"]["template"].clone()
    }

    pub(super) fn is_hardened(&self) -> bool {
        self.deployment.pointer(POINTER) == Some(&json!(false))
    }

    pub(super) fn available(&self) -> u32 {
        u32::try_from(self.pods.iter().filter(|pod| self.ready_since(pod).is_some()).count()).unwrap()
    }

    /// What the API server would store; `Err` when a test fails.
    pub(super) fn patched(&self, patch: &Patch) -> Result<Value, String> {
        let mut after = self.deployment.clone();
        json_patch::patch(&mut after, patch).map_err(|error| error.to_string())?;
        Ok(after)
    }

    /// Applies a patch; the generation afterwards.
    pub(super) fn patch(&mut self, patch: &Patch) -> Result<i64, String> {
        let after = self.patched(patch)?;
        self.store(after, FIELD_MANAGER);
        Ok(self.generation())
    }

    /// Another writer changes the object.
    pub(super) fn foreign(&mut self, manager: &str, change: impl FnOnce(&mut Value)) {
        let mut after = self.deployment.clone();
        change(&mut after);
        self.store(after, manager);
    }

    /// Takes the hardening away as an apply of the owner's manifest does: the record stays behind.
    pub(super) fn foreign_revert(&mut self, manager: &str) {
        self.foreign(manager, |object| {
            object
                .pointer_mut("/spec/template/spec/containers/0")
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove("securityContext");
        });
    }

    /// Takes template and record back together and leaves no name, as `kubectl rollout undo` does (seen on a 1.37 API server).
    pub(super) fn rollout_undo(&mut self, to: &Value) {
        let to = to.clone();
        self.foreign("", |object| {
            object["spec"]["template"] = to;
            if let Some(annotations) = object["metadata"]["annotations"].as_object_mut() {
                annotations.remove(ANNOTATION);
            }
        });
    }

    fn store(&mut self, mut after: Value, manager: &str) {
        self.serial += 1;
        if after["spec"] != self.deployment["spec"] {
            after["metadata"]["generation"] = json!(self.generation() + 1);
            let entries = after["metadata"]["managedFields"].as_array_mut().unwrap();
            entries.retain(|entry| entry["manager"] != manager);
            if !manager.is_empty() {
                entries.push(
                    json!({"manager": manager, "operation": "Update", "time": self.now.to_string(),
                    "fieldsV1": {"f:spec": {}}}),
                );
            }
        }
        after["metadata"]["resourceVersion"] = json!(self.serial.to_string());
        self.deployment = after;
        self.control();
    }

    fn ready_since(&self, pod: &PodSim) -> Option<Timestamp> {
        let ready = pod.created + jiff::SignedDuration::from_secs(START);
        let broken = match (pod.hardened, self.image) {
            (true, Image::Crashes | Image::CannotPull) => true,
            (true, Image::CrashesLater(after)) => self.now >= ready + jiff::SignedDuration::from_secs(after),
            _ => false,
        };
        (self.now >= ready && !broken).then_some(ready)
    }

    /// One round of the Deployment controller: the ReplicaSet of the template, one pod more at a time, old ones go when new ones are ready.
    fn control(&mut self) {
        let wanted = usize::try_from(self.deployment["spec"]["replicas"].as_u64().unwrap()).unwrap();
        let template = self.template();
        let known = self.sets.iter().find(|set| set.template == template);
        let set = if let Some(set) = known {
            set.uid.clone()
        } else {
            self.serial += 1;
            let uid = format!("rs-{}", self.serial);
            self.sets.push(SetSim {
                uid: uid.clone(),
                template,
                created: self.now,
            });
            uid
        };
        for _ in 0..=wanted + self.pods.len() {
            let new = self.pods.iter().filter(|pod| pod.set == set).count();
            let ready = self.pods.iter().filter(|pod| self.ready_since(pod).is_some()).count();
            if new < wanted && self.pods.len() <= wanted {
                self.serial += 1;
                self.progressed = self.now;
                self.pods.push(PodSim {
                    name: format!("web-{}", self.serial),
                    uid: format!("p-{}", self.serial),
                    set: set.clone(),
                    created: self.now,
                    hardened: self.is_hardened(),
                });
            } else if let Some(old) = self.expendable(&set, ready, wanted) {
                self.pods.remove(old);
            } else {
                break;
            }
        }
        let available = self.available();
        if usize::try_from(available).unwrap() < wanted {
            self.available_since = self.now;
        }
        let of_set = self.pods.iter().filter(|pod| pod.set == set).count();
        let complete = of_set == wanted && self.pods.len() == wanted && usize::try_from(available).unwrap() >= wanted;
        self.deployment["status"] = json!({
            "observedGeneration": self.generation(),
            "replicas": self.pods.len(), "updatedReplicas": of_set, "availableReplicas": available,
            "readyReplicas": available,
            "conditions": [
                {"type": "Available", "status": if usize::try_from(available).unwrap() >= wanted { "True" } else { "False" },
                    "lastTransitionTime": self.available_since.to_string()},
                {"type": "Progressing", "status": "True",
                    "reason": if complete { "NewReplicaSetAvailable" } else { "ReplicaSetUpdated" },
                    "lastUpdateTime": self.progressed.to_string()},
            ],
        });
        let revision = self.sets.len().to_string();
        self.deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!(revision);
    }

    /// A pod of another ReplicaSet that may go: it is not ready itself, or enough others are.
    fn expendable(&self, set: &str, ready: usize, wanted: usize) -> Option<usize> {
        let scaled_down = self.pods.iter().filter(|pod| pod.set == set).count() > wanted;
        if scaled_down {
            return self.pods.iter().position(|pod| pod.set == set);
        }
        let surplus = self.pods.len() > wanted || self.pods.iter().filter(|pod| pod.set == set).count() == wanted;
        self.pods
            .iter()
            .position(|pod| pod.set != set && ((self.ready_since(pod).is_none() && surplus) || ready > wanted))
    }

    /// What a process sees that has caught up.
    pub(super) fn snapshot(&self) -> Snapshot {
        self.snapshot_with([])
    }

    /// The same with other objects beside it.
    pub(super) fn snapshot_with(&self, others: impl IntoIterator<Item = (Kind, Value)>) -> Snapshot {
        let mut objects = vec![decode(Kind::Deployment, &self.deployment)];
        let owner = |kind: &str, name: &str, uid: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
        for set in &self.sets {
            objects.push(decode(Kind::ReplicaSet, &json!({
                "metadata": {"name": set.uid, "namespace": "shop", "uid": set.uid, "creationTimestamp": set.created.to_string(),
                    "ownerReferences": owner("Deployment", "web", "u-1")},
                "spec": {"template": set.template},
            })));
        }
        for pod in &self.pods {
            objects.push(decode(Kind::Pod, &json!({
                "metadata": {"name": pod.name, "namespace": "shop", "uid": pod.uid, "labels": {"app": "web"},
                    "creationTimestamp": pod.created.to_string(), "ownerReferences": owner("ReplicaSet", &pod.set, &pod.set)},
                "spec": {},
                "status": self.pod_status(pod),
            })));
        }
        objects.extend(others.into_iter().map(|(kind, object)| decode(kind, &object)));
        Snapshot::of(objects)
    }

    fn pod_status(&self, pod: &PodSim) -> Value {
        let started = pod.created + jiff::SignedDuration::from_secs(START);
        if let Some(since) = self.ready_since(pod) {
            return json!({"phase": "Running",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since.to_string()}],
                "containerStatuses": [{"name": "web", "ready": true, "imageID": "web@sha256:1", "state": {"running": {}}}]});
        }
        let waiting = if self.now < started {
            json!({"reason": "ContainerCreating"})
        } else if self.image == Image::CannotPull {
            json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image"})
        } else {
            json!({"reason": "CrashLoopBackOff"})
        };
        json!({"phase": "Running",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": pod.created.to_string()}],
            "containerStatuses": [{"name": "web", "ready": false, "restartCount": 1, "imageID": "web@sha256:1",
                "state": {"waiting": waiting}, "lastState": {"terminated": {"exitCode": 1}}}]})
    }
}

/// The plan for the Deployment as a process sees it: POD-009, if it fails.
pub(super) fn plan_for(world: &Snapshot) -> Option<Plan> {
    let target = ObjectRef::new(Kind::Deployment, "shop", "web");
    let workload = world.workload(&target)?;
    let template = workload.template.json();
    let below = |pointer: &str| {
        template
            .pointer(pointer.strip_prefix("/spec/template").unwrap())
            .cloned()
    };
    let from = below(POINTER);
    if from == Some(json!(false)) {
        return None;
    }
    let parent = below(PARENT);
    let mut operations = vec![
        json!({"op": "test", "path": "/metadata/uid", "value": workload.meta.uid}),
        json!({"op": "test", "path": "/metadata/generation", "value": workload.meta.generation}),
        json!({"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "web"}),
    ];
    match (&from, &parent) {
        (Some(from), _) => {
            operations.push(json!({"op": "test", "path": POINTER, "value": from}));
            operations.push(json!({"op": "replace", "path": POINTER, "value": false}));
        }
        (None, Some(_)) => operations.push(json!({"op": "add", "path": POINTER, "value": false})),
        (None, None) => {
            operations.push(json!({"op": "add", "path": PARENT, "value": {"allowPrivilegeEscalation": false}}));
        }
    }
    let hash = TemplateHash::of(&json!([POINTER, from]));
    Some(Plan {
        target,
        uid: workload.meta.uid.clone(),
        generation: workload.meta.generation,
        template: workload.template.hash,
        controls: vec![ControlId::new("POD-009")],
        judged: Vec::new(),
        changes: vec![Change {
            pointer: POINTER.to_owned(),
            container: Some("web".to_owned()),
            made: u8::from(parent.is_none()),
            from,
            to: json!(false),
            controls: vec![ControlId::new("POD-009")],
            owner: None,
        }],
        patch: serde_json::from_value(json!(operations)).unwrap(),
        undo: Patch::default(),
        risk: Risk::Low,
        risk_reasons: Vec::new(),
        irreversible: Vec::new(),
        restart: Restart {
            strategy: "RollingUpdate",
            pods: 1,
            only_in_window: None,
        },
        evidence: Vec::new(),
        left_out: Vec::new(),
        spared: Vec::new(),
        image_digests: Vec::new(),
        earlier: Vec::new(),
        preview: false,
        hash: PlanHash(format!("{hash}{hash}")),
        disposition: Disposition::Ready,
    })
}

fn decode(kind: Kind, object: &Value) -> Object {
    Object::decode(kind, object).unwrap()
}
