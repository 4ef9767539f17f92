//! What a check or a repair may look at.

use std::collections::BTreeMap;

use crate::model::{Container, ContainerKind, Namespace, PodSpec, PodTemplate, Workload};
use crate::world::Snapshot;

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
