//! Requests about our own generated NetworkPolicies: what would be stored, apply, delete; and what their answers mean.
//!
//! Each can be repeated: an apply says the whole object, a deletion names the object and its version. What a write left behind is reported, so that nobody
//! takes a view from before for the truth.

use std::time::Duration;

use ironside_engine::model::NetworkPolicy as Seen;
use ironside_engine::network::diff::is_same;
use ironside_engine::network::generate::MANAGER;
use ironside_engine::network::{Generated, Step};
use ironside_engine::remediate::Answer;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, ValidationDirective};
use kube::{Api, Client};
use tokio::time::timeout;

use super::send;

/// What a write left behind, as the watch will show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
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

/// Sends requests about the policies of a namespace.
pub(super) struct Sender {
    api: Api<NetworkPolicy>,
}

impl Sender {
    pub(super) fn new(client: Client, namespace: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
        }
    }

    /// Asks what a step would store, and compares it with what is wanted. Deletions cannot be rewritten.
    pub(super) async fn ask(&self, step: &Step, within: Duration) -> Answer {
        let Step::Apply(policy) = step else {
            return Answer::Done;
        };
        match self.apply(policy, true, within).await {
            Ok(_) => Answer::Done,
            Err(Answer::Unknown) => Answer::Later(send::later()), // nothing can have been done
            Err(answer) => answer,
        }
    }

    /// Takes a step. `written`: what the steps before it left behind.
    pub(super) async fn take(&self, step: &Step, written: &mut Vec<(String, Left)>, within: Duration) -> Answer {
        let (name, left) = match step {
            Step::Apply(policy) => (&policy.name, self.apply(policy, false, within).await),
            Step::Delete { name, uid, version } => {
                let earlier = written.iter().rev().find(|(written, _)| written == name);
                let (uid, version) = match earlier {
                    Some((_, Left::There { uid, version })) => (uid.clone(), version.clone()),
                    Some((_, Left::Gone { .. })) => return Answer::Done,
                    None => (uid.clone(), version.clone()),
                };
                if uid.is_empty() {
                    return Answer::Done;
                }
                (name, self.delete(name, uid, version, within).await)
            }
        };
        match left {
            Ok(left) => {
                written.push((name.clone(), left));
                Answer::Done
            }
            Err(answer) => answer,
        }
    }

    /// Force is right here: the object is ours, and who wrote into it is told by the plan.
    async fn apply(&self, policy: &Generated, dry_run: bool, within: Duration) -> Result<Left, Answer> {
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            force: true,
            dry_run,
            field_validation: Some(ValidationDirective::Strict),
        };
        let patch = Patch::Apply(&policy.object);
        let request = self.api.patch(&policy.name, &parameters, &patch);
        let stored = timeout(within, request)
            .await
            .map_err(|_| Answer::Unknown)?
            .map_err(|error| send::answer(&error))?;
        let seen: Option<Seen> = serde_json::to_value(&stored)
            .ok()
            .and_then(|stored| serde_json::from_value(stored).ok());
        if seen.is_some_and(|seen| is_same(&seen, policy)) {
            Ok(Left::There {
                uid: stored.metadata.uid.unwrap_or_default(),
                version: stored.metadata.resource_version.unwrap_or_default(),
            })
        } else {
            Err(Answer::Differs(format!("NetworkPolicy {}", policy.name)))
        }
    }

    /// An object that was made anew, or written to, since it was seen is looked at first.
    async fn delete(&self, name: &str, uid: String, version: String, within: Duration) -> Result<Left, Answer> {
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.clone()),
                resource_version: (!version.is_empty()).then_some(version),
            }),
            ..DeleteParams::default()
        };
        let answer = timeout(within, self.api.delete(name, &parameters))
            .await
            .map_err(|_| Answer::Unknown)?;
        match answer {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(Left::Gone { uid }),
            Err(error) => Err(send::answer(&error)),
            Ok(_) => Ok(Left::Gone { uid }),
        }
    }
}
