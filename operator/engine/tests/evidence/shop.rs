//! A small shop in a world of its own: a Deployment, its ReplicaSet, its pods.

use std::sync::Arc;

use ironside_engine::controls::{Control, ControlId, Judgement, Parameters, Proposal, Risk, WorkloadScope, find};
use ironside_engine::model::layer::Layers;
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::world::{Delta, Object, Snapshot, World};
use serde_json::{Value, json};

/// A Deployment `shop/web` with one container, its ReplicaSet, and its pods.
pub(crate) struct Shop {
    deployment: Value,
    pub(crate) deltas: Vec<Delta>,
    pub(crate) parameters: Parameters,
    layers: Arc<Layers>,
    minor: u32,
}

impl Shop {
    pub(crate) fn new(security_context: &Value) -> Self {
        let container =
            json!({"name": "web", "image": "registry.example.com/web:1", "securityContext": security_context});
        Self {
            deployment: json!({"metadata": {"namespace": "shop", "name": "web", "uid": "deployment"},
                               "spec": {"template": {"spec": {"containers": [container]}}}}),
            deltas: Vec::new(),
            parameters: Parameters::default(),
            layers: Arc::default(),
            minor: 37,
        }
        .with(
            Kind::ReplicaSet,
            owned("web-1", "replica-set", "Deployment", "web", "deployment"),
        )
    }

    pub(crate) fn template(&mut self) -> &mut Value {
        &mut self.deployment["spec"]["template"]["spec"]
    }

    pub(crate) fn with(mut self, kind: Kind, object: impl std::borrow::Borrow<Value>) -> Self {
        self.deltas
            .push(Delta::Apply(Object::decode(kind, object.borrow()).expect("decodable")));
        self
    }

    pub(crate) fn with_parameter(mut self, name: &str, value: &str) -> Self {
        self.parameters.0.insert(name.to_owned(), vec![value.to_owned()]);
        self
    }

    pub(crate) fn with_layers(self, layers: Layers) -> Self {
        let layers = Arc::new(layers);
        Self { layers, ..self }
    }

    pub(crate) fn at_version(&mut self, minor: u32) -> &Self {
        self.minor = minor;
        self
    }

    pub(crate) fn pod(self, name: &str, uid: i64) -> Self {
        self.changed_pod(name, uid, "/status/phase", json!("Running"))
    }

    pub(crate) fn silent_pod(self, name: &str) -> Self {
        self.changed_pod(name, 1, "/status/containerStatuses", json!([{"name": "web"}]))
    }

    /// A pod that runs as `uid`, with one field set otherwise.
    pub(crate) fn changed_pod(self, name: &str, uid: i64, pointer: &str, value: Value) -> Self {
        let mut pod = owned(name, &format!("pod-{name}"), "ReplicaSet", "web-1", "replica-set");
        pod["spec"] = json!({"containers": [{"name": "web"}]});
        pod["status"] = json!({"phase": "Running", "containerStatuses": [status("web", uid)]});
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
        pod.pointer_mut(parent).expect("a parent")[field] = value;
        self.with(Kind::Pod, pod)
    }

    pub(crate) fn world(&self) -> Arc<Snapshot> {
        self.live_world().drain().0
    }

    pub(crate) fn live_world(&self) -> World {
        let mut world = World::new(self.minor);
        let deployment = Object::decode(Kind::Deployment, &self.deployment).expect("a deployment");
        world.apply(Delta::Apply(deployment));
        self.deltas.iter().for_each(|delta| world.apply(delta.clone()));
        world.set_layers(&self.layers);
        world
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&WorkloadScope<'_>) -> T) -> T {
        let world = self.world();
        let reference = ObjectRef::new(Kind::Deployment, "shop", "web");
        look(&WorkloadScope {
            workload: world.workload(&reference).expect("it was put there"),
            world: &world,
            parameters: &self.parameters,
        })
    }

    pub(crate) fn judge(&self, id: &str) -> Judgement {
        self.look(|at| control(id).judge_workload(at))
    }

    pub(crate) fn propose(&self, id: &str, beside: &[&'static str]) -> Proposal {
        let beside: Vec<ControlId> = beside.iter().map(|id| control(id).id).collect();
        let proposal = self.look(|at| control(id).propose(at, &at.workload.template.json(), &beside));
        proposal.expect("a repair of templates")
    }

    pub(crate) fn risk(&self, id: &str, beside: &[&'static str]) -> (Risk, Vec<String>) {
        let proposal = self.propose(id, beside);
        assert_eq!(proposal.held, []);
        (proposal.risk.expect("a risk"), proposal.risk_reasons)
    }
}

pub(crate) fn control(id: &str) -> &'static Control {
    find(id).expect("a known control")
}

pub(crate) fn owned(name: &str, uid: &str, kind: &str, owner: &str, owner_uid: &str) -> Value {
    json!({"metadata": {"namespace": "shop", "name": name, "uid": uid, "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": owner_uid, "controller": true}]}})
}

pub(crate) fn status(name: &str, uid: i64) -> Value {
    json!({"name": name, "user": {"linux": {"uid": uid, "gid": uid + 10000}}})
}
