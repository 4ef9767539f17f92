//! The one way in which a status is written: server-side apply on the status subresource, by the leader, within a time limit.

use std::fmt;
use std::time::Duration;

use kube::api::{Patch, PatchParams, ValidationDirective};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

use crate::cluster::Leadership;

/// Time to answer a status write.
const ANSWER: Duration = Duration::from_secs(10);

/// Why a status was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another process leads, or our lease is about to end.
    #[error("not leading")]
    NotLeading,
    /// No answer; it may have been written all the same.
    #[error("no answer in time")]
    Timeout,
    /// The stored definition does not know a field that we write: it is older than the operator.
    #[error("the custom resource definition is older than this operator (apply config/crd): {0}")]
    OldDefinition(String),
    /// The API server refused, or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

impl WriteError {
    /// Label in metrics.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::NotLeading => "not_leading",
            Self::Timeout => "timeout",
            Self::OldDefinition(_) => "old_definition",
            Self::Api(kube::Error::Api(status)) => match status.code {
                403 => "forbidden",
                404 => "not_found",
                409 => "conflict",
                422 | 400 => "invalid",
                429 => "throttled",
                500.. => "server",
                _ => "refused",
            },
            Self::Api(_) => "connection",
        }
    }

    /// Whether the object is gone, so that nothing is left to be done.
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::Api(kube::Error::Api(status)) if status.code == 404)
    }
}

/// Writes the whole status of one of our own objects and returns the object as stored. Fields left out of `status` are removed.
///
/// An unknown field is an error, not silently dropped: it means that the definitions in the cluster are older than this program.
pub async fn write_status<K>(
    api: &Api<K>,
    leadership: &Leadership,
    name: &str,
    status: &impl Serialize,
) -> Result<K, WriteError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + fmt::Debug,
{
    if !leadership.leads() {
        return Err(WriteError::NotLeading);
    }
    let body = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name},
        "status": status,
    });
    let parameters = PatchParams {
        field_manager: Some(super::FIELD_MANAGER.to_owned()),
        force: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let answer = timeout(ANSWER, api.patch_status(name, &parameters, &Patch::Apply(&body)))
        .await
        .map_err(|_| WriteError::Timeout)?;
    answer.map_err(|error| match &error {
        kube::Error::Api(status) if speaks_of_unknown_field(&status.message) => {
            WriteError::OldDefinition(status.message.clone())
        }
        _ => error.into(),
    })
}

/// An API for objects of a namespaced or cluster-scoped kind of ours.
pub fn namespaced<K>(client: &kube::Client, namespace: &str) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(client.clone(), namespace)
}

/// How the API server words it, by server-side apply and by strict decoding.
fn speaks_of_unknown_field(message: &str) -> bool {
    message.contains("field not declared in schema") || message.contains("unknown field")
}
