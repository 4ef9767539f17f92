//! What tests of several modules share: a cluster with its policies and exceptions, stated as YAML.

use ironside_crds::{ClusterHardeningException, ClusterHardeningPolicy, HardeningException, HardeningPolicy};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::evaluate::{Evaluation, Finding, evaluate};
use crate::model::{Kind, ObjectRef};
use crate::policy::{ExceptionSet, PolicySet};
use crate::world::{Delta, Object, World};

/// A cluster, its policies and its exceptions.
pub(crate) struct Case {
    pub(crate) world: World,
    pub(crate) policies: PolicySet,
    pub(crate) exceptions: ExceptionSet,
}

impl Case {
    /// From YAML documents, each separated by a line `---`. Custom resources may leave out `apiVersion`.
    pub(crate) fn of(documents: &str) -> Self {
        let mut world = World::new(37);
        let (mut cluster_policies, mut policies) = (Vec::new(), Vec::new());
        let (mut cluster_exceptions, mut exceptions) = (Vec::new(), Vec::new());
        for document in documents.split("---\n").filter(|document| !document.trim().is_empty()) {
            let object: Value = serde_saphyr::from_str(document).unwrap();
            let kind = object["kind"].as_str().unwrap();
            match kind {
                "ClusterHardeningPolicy" => cluster_policies.push(read::<ClusterHardeningPolicy>(object)),
                "HardeningPolicy" => policies.push(read::<HardeningPolicy>(object)),
                "ClusterHardeningException" => cluster_exceptions.push(read::<ClusterHardeningException>(object)),
                "HardeningException" => exceptions.push(read::<HardeningException>(object)),
                _ => {
                    let kind = Kind::from_manifest(object["apiVersion"].as_str().unwrap(), kind).unwrap();
                    world.apply(Delta::Apply(Object::decode(kind, &object).unwrap()));
                }
            }
        }
        Self {
            world,
            policies: PolicySet::compile(&cluster_policies, &policies, "ironside-system"),
            exceptions: ExceptionSet::compile(&cluster_exceptions, &exceptions),
        }
    }

    /// Judges one object.
    pub(crate) fn evaluate(&mut self, kind: Kind, namespace: &str, name: &str) -> Evaluation {
        let (world, _) = self.world.drain();
        let target = ObjectRef::new(kind, namespace, name);
        evaluate(&world, &self.policies, &self.exceptions, &target, now())
    }

    /// What one control gives for Deployment shop/web.
    pub(crate) fn finding(&mut self, control: &str) -> Finding {
        let evaluation = self.evaluate(Kind::Deployment, "shop", "web");
        let mut findings = evaluation.findings.into_iter();
        findings.find(|finding| finding.control.id.as_str() == control).unwrap()
    }
}

/// The time in tests: 2026-11-24T12:00:00Z.
pub(crate) fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn read<T: DeserializeOwned>(mut object: Value) -> T {
    object["apiVersion"] = ironside_crds::API_VERSION.into();
    serde_json::from_value(object).unwrap()
}
