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
}

impl TemplateScope<'_> {
    /// The pod spec.
    pub fn spec(&self) -> &PodSpec {
        &self.template.spec
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
