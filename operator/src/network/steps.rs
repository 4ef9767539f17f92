//! Sends the writes of a plan, one after the other. Stops at the first that fails: the order of what was sent is safe at every point.

use std::time::Duration;

use ironside_engine::model::NetworkPolicy as Seen;
use ironside_engine::network::diff::is_same;
use ironside_engine::network::generate::MANAGER;
use ironside_engine::network::{Generated, Step};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, ValidationDirective};
use kube::{Api, Client};
use tokio::time::timeout;

use crate::cluster::Leadership;

/// Time to answer one write.
const ANSWER: Duration = Duration::from_secs(10);

/// What a write left behind, as the watch will show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// The object, in this version or a later one.
    There {
        /// UID.
        uid: String,
        /// Version.
        version: String,
    },
    /// No object with this UID.
    Gone {
        /// UID.
        uid: String,
    },
}

/// Why the steps ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// Another process leads, or our lease is about to end.
    #[error("not leading")]
    NotLeading,
    /// No answer; it may have been done all the same.
    #[error("no answer in time")]
    Timeout,
    /// The API server stored something else than was sent: something rewrites our objects.
    #[error("{0} was stored otherwise than sent")]
    Mutated(String),
    /// The API server refused, or could not be reached.
    #[error(transparent)]
    Api(#[from] kube::Error),
}

impl StepError {
    /// Label in metrics.
    pub(super) const fn category(&self) -> &'static str {
        match self {
            Self::NotLeading => "not_leading",
            Self::Timeout => "timeout",
            Self::Mutated(_) => "mutated",
            Self::Api(kube::Error::Api(status)) => match status.code {
                403 => "forbidden",
                409 => "conflict",
                400 | 422 => "invalid",
                429 => "throttled",
                500.. => "server",
                _ => "refused",
            },
            Self::Api(_) => "connection",
        }
    }

    /// What the API server says to a write that it will refuse again: its reason in words.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::Mutated(name) => Some(format!("{name} is rewritten by something else")),
            Self::Api(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                Some(status.message.clone())
            }
            _ => None,
        }
    }
}

/// Sends the steps. `left` gets what each write left behind, also if a later one fails.
pub(super) async fn send(
    client: &Client,
    leadership: &Leadership,
    namespace: &str,
    steps: &[Step],
    left: &mut Vec<(String, Left)>,
) -> Result<(), StepError> {
    let api: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace);
    for step in steps {
        if !leadership.leads() {
            return Err(StepError::NotLeading);
        }
        match step {
            Step::Apply(policy) => {
                let there = apply(&api, policy).await?;
                left.push((policy.name.clone(), there));
            }
            Step::Delete { name, uid } => {
                // The object that an earlier step of this plan made.
                let made = left.iter().rev().find_map(|(made, left)| match left {
                    Left::There { uid, .. } if made == name => Some(uid.clone()),
                    _ => None,
                });
                let uid = if uid.is_empty() { made } else { Some(uid.clone()) };
                if let Some(uid) = uid {
                    delete(&api, name, &uid).await?;
                    left.push((name.clone(), Left::Gone { uid }));
                }
            }
        }
    }
    Ok(())
}

/// Force is right here: the object is ours, and who wrote into it is told by the plan.
async fn apply(api: &Api<NetworkPolicy>, policy: &Generated) -> Result<Left, StepError> {
    let parameters = PatchParams {
        field_manager: Some(MANAGER.to_owned()),
        force: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::default()
    };
    let stored = timeout(
        ANSWER,
        api.patch(&policy.name, &parameters, &Patch::Apply(&policy.object)),
    )
    .await
    .map_err(|_| StepError::Timeout)??;
    let there = Left::There {
        uid: stored.metadata.uid.clone().unwrap_or_default(),
        version: stored.metadata.resource_version.clone().unwrap_or_default(),
    };
    let seen: Option<Seen> = serde_json::to_value(&stored)
        .ok()
        .and_then(|stored| serde_json::from_value(stored).ok());
    match seen {
        Some(seen) if is_same(&seen, policy) => Ok(there),
        _ => Err(StepError::Mutated(format!("NetworkPolicy {}", policy.name))),
    }
}

/// An object that is gone, or was made anew by somebody else, is not ours to delete any more.
async fn delete(api: &Api<NetworkPolicy>, name: &str, uid: &str) -> Result<(), StepError> {
    let parameters = DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(uid.to_owned()),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    let answer = timeout(ANSWER, api.delete(name, &parameters))
        .await
        .map_err(|_| StepError::Timeout)?;
    match answer {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
