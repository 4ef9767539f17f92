//! What a check or a repair may look at.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{
    Container, ContainerKind, Ingress, Kind, Meta, Namespace, NetworkPolicy, ObjectRef, PodSpec, PodTemplate, Resource,
    Service, ServiceAccount, Workload,
};
use crate::world::{Shard, Snapshot};

/// Settings of a control from a policy: names to values. A missing name has the control's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parameters(pub BTreeMap<String, Vec<String>>);

impl Parameters {
    /// Values of a parameter, or the default that its control declares.
    pub fn values<'a>(&'a self, name: &str, default: &'a [&'a str]) -> Vec<&'a str> {
        match self.0.get(name) {
            Some(values) => values.iter().map(String::as_str).collect(),
            None => default.to_vec(),
        }
    }
}

/// A pod template on its own.
#[derive(Clone, Copy)]
pub struct TemplateScope<'a> {
    /// The template.
    pub template: &'a PodTemplate,
    /// Settings.
    pub parameters: &'a Parameters,
    /// Kubernetes minor version (1.x) that the verdict is for; 0 means the newest.
    pub minor: u32,
}

impl<'a> TemplateScope<'a> {
    /// The pod spec.
    pub fn spec(&self) -> &'a PodSpec {
        &self.template.spec
    }

    /// Every container: init, regular, ephemeral.
    pub fn containers(self) -> impl Iterator<Item = ContainerScope<'a>> {
        self.spec()
            .all_containers()
            .map(move |(kind, index, container)| ContainerScope {
                pod: self,
                kind,
                index,
                container,
            })
    }

    /// Containers that a template can declare, hence that a repair can edit: init and regular ones.
    pub fn declared_containers(self) -> impl Iterator<Item = ContainerScope<'a>> {
        self.containers().filter(|at| at.kind != ContainerKind::Ephemeral)
    }

    /// Whether the server has what came with this minor version.
    pub fn at_least(&self, minor: u32) -> bool {
        self.minor == 0 || self.minor >= minor
    }
}

/// One container of a pod template.
#[derive(Clone, Copy)]
pub struct ContainerScope<'a> {
    /// The pod template around it.
    pub pod: TemplateScope<'a>,
    /// Which list it stands in.
    pub kind: ContainerKind,
    /// Its index in that list.
    pub index: usize,
    /// The container.
    pub container: &'a Container,
}

impl ContainerScope<'_> {
    /// JSON pointer of the container below its pod template.
    pub fn pointer(&self) -> String {
        format!("/spec/{}/{}", self.kind.field(), self.index)
    }
}

/// A workload among the other objects of the cluster.
#[derive(Clone, Copy)]
pub struct WorkloadScope<'a> {
    /// The workload.
    pub workload: &'a Workload,
    /// Everything that was seen.
    pub world: &'a Snapshot,
    /// Settings.
    pub parameters: &'a Parameters,
}

impl<'a> WorkloadScope<'a> {
    /// The pod spec.
    pub fn spec(&self) -> &'a PodSpec {
        &self.workload.template.spec
    }

    /// The template on its own.
    pub fn template(&self) -> TemplateScope<'a> {
        TemplateScope {
            template: &self.workload.template,
            parameters: self.parameters,
            minor: self.world.minor,
        }
    }
}

/// Any object among the others of the cluster.
#[derive(Clone, Copy)]
pub struct ObjectScope<'a> {
    /// The object.
    pub target: &'a ObjectRef,
    /// Everything that was seen.
    pub world: &'a Snapshot,
    /// When it is judged; `None` for a workload, whose verdicts hold at any time.
    pub now: Option<Timestamp>,
    /// Settings.
    pub parameters: &'a Parameters,
}

impl<'a> ObjectScope<'a> {
    /// Metadata of the object.
    pub fn meta(&self) -> Option<&'a Meta> {
        self.world.metadata(self.target)
    }

    /// The object, if it is a Service.
    pub fn service(&self) -> Option<&'a Service> {
        let shard = self.shard(Kind::Service)?;
        shard.services.get(&self.target.name).map(AsRef::as_ref)
    }

    /// The object, if it is an Ingress.
    pub fn ingress(&self) -> Option<&'a Ingress> {
        let shard = self.shard(Kind::Ingress)?;
        shard.ingresses.get(&self.target.name).map(AsRef::as_ref)
    }

    /// The object, if it is a NetworkPolicy.
    pub fn network_policy(&self) -> Option<&'a NetworkPolicy> {
        let shard = self.shard(Kind::NetworkPolicy)?;
        shard.network_policies.get(&self.target.name).map(AsRef::as_ref)
    }

    /// The object, if it is a ServiceAccount.
    pub fn service_account(&self) -> Option<&'a ServiceAccount> {
        let shard = self.shard(Kind::ServiceAccount)?;
        shard.service_accounts.get(&self.target.name).map(AsRef::as_ref)
    }

    /// The object, if it is of a kind that is kept as a [`Resource`].
    pub fn resource(&self) -> Option<&'a Resource> {
        self.world.resource(self.target).map(AsRef::as_ref)
    }

    /// The object, if it is a workload.
    pub fn workload(&self) -> Option<WorkloadScope<'a>> {
        Some(WorkloadScope {
            workload: self.world.workload(self.target)?,
            world: self.world,
            parameters: self.parameters,
        })
    }

    fn shard(&self, kind: Kind) -> Option<&'a Shard> {
        (self.target.kind == kind)
            .then(|| self.world.shard(&self.target.namespace))?
            .map(AsRef::as_ref)
    }
}

/// A namespace among the other objects of the cluster.
#[derive(Clone, Copy)]
pub struct NamespaceScope<'a> {
    /// The namespace.
    pub namespace: &'a Namespace,
    /// Everything that was seen.
    pub world: &'a Snapshot,
    /// Settings.
    pub parameters: &'a Parameters,
}
