//! Workloads: objects that hold a pod template, or are a bare pod.

use serde::Deserialize;
use serde_json::Value;

use super::misfit::Misfit;
use super::{Kind, LabelSelector, Meta, Node, ObjectRef, PodTemplate, null_as_default};

/// A workload of any kind, with everything that planning and verification read.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// Kind.
    pub kind: Kind,
    /// Metadata, with managed fields except for pods and ReplicaSets.
    pub meta: Meta,
    /// The pod template; for a bare pod its own spec.
    pub template: PodTemplate,
    /// Trimmed spec.
    pub spec: WorkloadSpec,
    /// Trimmed status.
    pub status: WorkloadStatus,
}

/// The spec fields that decide how a change of the template rolls out. Absent ones have the API server's defaults in a live object.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)] // Fields are Kubernetes' own and documented there.
pub struct WorkloadSpec {
    pub replicas: Option<i32>,
    #[serde(deserialize_with = "null_as_default")]
    pub paused: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub min_ready_seconds: i64,
    pub progress_deadline_seconds: Option<i64>,
    pub revision_history_limit: Option<i32>,
    pub selector: Option<LabelSelector>,
    /// Deployments.
    pub strategy: Option<Strategy>,
    /// DaemonSets and StatefulSets.
    pub update_strategy: Option<Strategy>,
    /// StatefulSets.
    pub pod_management_policy: Option<String>,
    /// Jobs and CronJobs.
    #[serde(deserialize_with = "null_as_default")]
    pub suspend: bool,
}

/// `strategy` or `updateStrategy`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Strategy {
    /// `RollingUpdate`, `Recreate` or `OnDelete`.
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    /// Parameters of `RollingUpdate`.
    pub rolling_update: Option<RollingUpdate>,
}

/// `rollingUpdate`. Counts or percentages, as written.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct RollingUpdate {
    pub max_surge: Option<Value>,
    pub max_unavailable: Option<Value>,
    pub partition: Option<i32>,
}

/// The status fields of all workload kinds, under one name each.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct WorkloadStatus {
    #[serde(deserialize_with = "null_as_default")]
    pub observed_generation: i64,
    #[serde(deserialize_with = "null_as_default", alias = "desiredNumberScheduled")]
    pub replicas: i32,
    #[serde(deserialize_with = "null_as_default", alias = "updatedNumberScheduled")]
    pub updated_replicas: i32,
    #[serde(deserialize_with = "null_as_default", alias = "numberReady")]
    pub ready_replicas: i32,
    #[serde(deserialize_with = "null_as_default", alias = "numberAvailable")]
    pub available_replicas: i32,
    #[serde(deserialize_with = "null_as_default")]
    pub unavailable_replicas: i32,
    pub current_revision: Option<String>,
    pub update_revision: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub conditions: Vec<Condition>,
}

/// One status condition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Condition {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_as_default")]
    pub status: String,
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
    pub last_transition_time: Option<jiff::Timestamp>,
    pub last_update_time: Option<jiff::Timestamp>,
}

/// An object that cannot be read as its kind.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A field has a type or value that the kind does not allow.
    #[error("{kind} {name}: {}", misfit.said)]
    Field {
        /// Kind that was expected.
        kind: Kind,
        /// `namespace/name`, as far as it could be read.
        name: String,
        /// The field, and what is wrong with it.
        misfit: Misfit,
    },
}

impl DecodeError {
    /// That an object cannot be read as this kind; `read` is how it is read.
    pub(crate) fn of<'de>(
        kind: Kind,
        object: impl Node<'de>,
        source: &serde_json::Error,
        read: impl Fn(&Value) -> Option<serde_json::Error>,
    ) -> Self {
        let complaint = source.to_string();
        let whole = Value::deserialize(object).unwrap_or_default();
        Self::Field {
            kind,
            name: display_name(object),
            misfit: Misfit::of(whole, &complaint, |object| read(object).map(|it| it.to_string())),
        }
    }

    /// JSON pointer of the field.
    pub fn pointer(&self) -> &str {
        let Self::Field { misfit, .. } = self;
        &misfit.pointer
    }
}

impl Workload {
    /// JSON pointer of the pod template inside an object of this kind; empty for a pod, which is its own template, and for a custom resource, of which nothing else
    /// is looked at.
    pub const fn template_pointer(kind: Kind) -> &'static str {
        match kind {
            Kind::Pod | Kind::CustomResource => "",
            Kind::CronJob => "/spec/jobTemplate/spec/template",
            _ => "/spec/template",
        }
    }

    /// The keys of [`Self::template_pointer`].
    const fn template_path(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Pod | Kind::CustomResource => &[],
            Kind::CronJob => &["spec", "jobTemplate", "spec", "template"],
            _ => &["spec", "template"],
        }
    }

    /// Decodes any workload kind.
    ///
    /// # Errors
    /// A field has a type or value that the kind does not allow.
    pub fn decode<'de>(kind: Kind, object: impl Node<'de>) -> Result<Self, DecodeError> {
        Self::parts(kind, object)
            .map_err(|source| DecodeError::of(kind, object, &source, |object| Self::parts(kind, object).err()))
    }

    pub(crate) fn parts<'de>(kind: Kind, object: impl Node<'de>) -> Result<Self, serde_json::Error> {
        let keep_text = !matches!(kind, Kind::ReplicaSet);
        let mut template = match kind {
            Kind::Pod => PodTemplate::of_pod(object)?,
            _ => match present(object.at(Self::template_path(kind))) {
                Some(template) => PodTemplate::decode(template, keep_text)?,
                None => PodTemplate::empty(),
            },
        };
        let mut spec = match kind {
            // A pod has nothing of it, and the selector of a ReplicationController is a plain map.
            Kind::Pod | Kind::ReplicationController => WorkloadSpec::default(),
            _ => decode_or_default(object.get("spec"))?,
        };
        let status = match kind {
            Kind::Pod => WorkloadStatus::default(),
            _ => decode_or_default(object.get("status"))?,
        };
        let mut meta: Meta = decode_or_default(object.get("metadata"))?;
        if matches!(kind, Kind::Pod | Kind::ReplicaSet) {
            meta.managed_fields = Vec::new();
        }
        template.labels.share_with(&meta.labels);
        if let Some(selector) = &mut spec.selector {
            selector.match_labels.share_with(&template.labels);
        }
        Ok(Self {
            kind,
            meta,
            template,
            spec,
            status,
        })
    }

    /// A pod template that stands somewhere in an object of a kind that is not known. `name` tells it from others.
    ///
    /// # Errors
    /// A field has a type or value that it may not have.
    pub fn of_template<'de, N: Node<'de>>(name: String, object: N, template: N) -> Result<Self, DecodeError> {
        let parts = || {
            let meta: Meta = decode_or_default(object.get("metadata"))?;
            Ok::<_, serde_json::Error>(Self {
                kind: Kind::CustomResource,
                meta: Meta { name, ..meta },
                template: PodTemplate::decode(template, true)?,
                spec: WorkloadSpec::default(),
                status: WorkloadStatus::default(),
            })
        };
        // The place of the fault is one within the template.
        let of = |template: &Value| PodTemplate::decode(template, true).err();
        parts().map_err(
            |source| match DecodeError::of(Kind::CustomResource, template, &source, of) {
                DecodeError::Field { kind, misfit, .. } => DecodeError::Field {
                    kind,
                    name: display_name(object),
                    misfit,
                },
            },
        )
    }

    /// Reference to this workload.
    pub fn reference(&self) -> ObjectRef {
        ObjectRef::new(self.kind, &self.meta.namespace, &self.meta.name)
    }

    /// Replicas asked for; 1 where the field is absent, as the API server defaults it. `None` for kinds without replicas.
    pub fn desired_replicas(&self) -> Option<i32> {
        match self.kind {
            Kind::Deployment | Kind::ReplicaSet | Kind::StatefulSet | Kind::ReplicationController => {
                Some(self.spec.replicas.unwrap_or(1))
            }
            Kind::DaemonSet => Some(self.status.replicas),
            _ => None,
        }
    }

    /// The condition of this type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }
}

fn present<'de, N: Node<'de>>(node: Option<N>) -> Option<N> {
    node.filter(|node| !node.is_null())
}

fn decode_or_default<'de, T: Default + Deserialize<'de>>(node: Option<impl Node<'de>>) -> Result<T, serde_json::Error> {
    present(node).map_or_else(|| Ok(T::default()), T::deserialize)
}

/// `namespace/name` of any object, for messages about objects that cannot be decoded.
pub fn display_name<'de>(object: impl Node<'de>) -> String {
    let text = |key| object.at(&["metadata", key]).and_then(Node::as_str).unwrap_or_default();
    match (text("namespace"), text("name")) {
        ("", "") => "(without a name)".to_owned(),
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}
