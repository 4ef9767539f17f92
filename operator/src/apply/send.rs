//! Requests about targets: dry run, patch, deletion of stuck pods; and what their answers mean.
//!
//! One request each, never repeated here. An answer that leaves open whether the request was done is [`Answer::Unknown`]: the state machine then looks at the
//! target, whatever this module would guess.

use std::time::Duration;

use ironside_engine::model::{ObjectRef, Workload};
use ironside_engine::plan::{Held, Plan, dry_run_matches};
use ironside_engine::remediate::{Answer, FIELD_MANAGER, PodId};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::Status;
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::timeout;

/// Longest time for an answer. The API server's own limit is a minute; whoever waits longer than a lease lasts must not write any more.
const ANSWER: Duration = Duration::from_secs(10);

/// When to try again after "too busy", and after a refusal that may be about an API server that has just started.
const LATER: Duration = Duration::from_secs(3);

/// An answer, with the generation of the target after the request, where that is known.
pub(super) type Sent = (Answer, Option<i64>);

/// Sends requests about targets, within what is left of the term.
#[derive(Clone)]
pub(super) struct Sender {
    client: Client,
    /// Time that is left for an answer before we may not write any more.
    left: Duration,
}

impl Sender {
    pub(super) fn new(client: Client, left: Duration) -> Self {
        Self {
            client,
            left: left.min(ANSWER),
        }
    }

    /// Asks what would be stored, and compares it with the plan.
    pub(super) async fn dry_run(&self, workload: &Workload, plan: &Plan, patch: &json_patch::Patch) -> Answer {
        let parameters = PatchParams {
            dry_run: true,
            ..parameters()
        };
        let api = self.target(&workload.reference());
        let patch = Patch::Json::<()>(patch.clone());
        let request = api.patch(&workload.meta.name, &parameters, &patch);
        match timeout(self.left, request).await {
            Err(_) => Answer::Later(later()),
            Ok(Err(error)) => match answer(&error) {
                Answer::Unknown => Answer::Later(later()), // nothing can have been done
                other => other,
            },
            Ok(Ok(stored)) => match serde_json::to_value(&stored) {
                Ok(stored) => compare(workload, plan, &stored),
                Err(error) => Answer::Refused(error.to_string()),
            },
        }
    }

    /// Changes a target.
    pub(super) async fn patch(&self, target: &ObjectRef, patch: &json_patch::Patch) -> Sent {
        let api = self.target(target);
        let patch = Patch::Json::<()>(patch.clone());
        let parameters = parameters();
        match timeout(self.left, api.patch_metadata(&target.name, &parameters, &patch)).await {
            Err(_) => (Answer::Unknown, None),
            Ok(Ok(stored)) => (Answer::Done, stored.metadata.generation),
            Ok(Err(error)) => {
                tracing::debug!(%target, error = %error, "a patch was not accepted");
                (answer(&error), None)
            }
        }
    }

    /// Deletes exactly this pod.
    pub(super) async fn delete_pod(&self, namespace: &str, pod: &PodId) {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(pod.uid.clone()),
                ..Preconditions::default()
            }),
            ..DeleteParams::default()
        };
        match timeout(self.left, api.delete(&pod.name, &parameters)).await {
            Ok(Ok(_)) => tracing::info!(
                namespace,
                pod = pod.name,
                "deleted a stuck pod of the template that failed"
            ),
            Ok(Err(error)) => tracing::warn!(namespace, pod = pod.name, error = %error, "a stuck pod was not deleted"),
            Err(_) => tracing::warn!(namespace, pod = pod.name, "no answer to the deletion of a stuck pod"),
        }
    }

    fn target(&self, target: &ObjectRef) -> Api<DynamicObject> {
        let kind = target.kind;
        let resource = ApiResource {
            group: kind.group().to_owned(),
            version: "v1".to_owned(),
            api_version: kind.api_version().to_owned(),
            kind: kind.name().to_owned(),
            plural: kind.plural().to_owned(),
        };
        Api::namespaced_with(self.client.clone(), &target.namespace, &resource)
    }
}

fn parameters() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}

/// Compares the template that would be stored with the one that the plan makes of the template as it was seen. What else the object holds was not
/// kept, so it is taken as it came: the patch does not reach it.
fn compare(workload: &Workload, plan: &Plan, stored: &Value) -> Answer {
    let mut before = stored.clone();
    before["metadata"]["generation"] = workload.meta.generation.into();
    let template = before.pointer_mut(Workload::template_pointer(workload.kind));
    if let Some(template) = template {
        *template = workload.template.json();
    }
    match dry_run_matches(plan, &before, stored) {
        Ok(()) => Answer::Done,
        Err(Held::Mutated { pointer }) => Answer::Differs(pointer),
        Err(held) => Answer::Differs(held.to_string()),
    }
}

/// What an error means for the request that it answers.
pub(super) fn answer(error: &kube::Error) -> Answer {
    match error {
        kube::Error::Api(status) => of_status(status),
        // Sent or not, done or not: there is no telling.
        _ => Answer::Unknown,
    }
}

fn of_status(status: &Status) -> Answer {
    let message = || status.message.clone();
    match status.code {
        404 | 409 => Answer::Changed(message()),
        422 if is_failed_test(status) => Answer::Changed(message()),
        429 => Answer::Later(later()),
        // An API server that has just started refuses everything until it has read its roles. A refusal by admission names its policy or webhook.
        403 if is_by_roles(status) => Answer::Later(later()),
        500.. => Answer::Unknown,
        _ => Answer::Refused(message()),
    }
}

/// How the API server reports a `test` that did not hold, or a path that is not there any more.
fn is_failed_test(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let says = |text: &str| {
        [
            "test failed",
            "testing value",
            "doc is missing",
            "does not exist",
            "missing value",
            "missing key",
        ]
        .iter()
        .any(|sign| text.contains(sign))
    };
    says(&status.message) || causes.into_iter().any(|cause| says(&cause.message))
}

fn is_by_roles(status: &Status) -> bool {
    status.message.contains("cannot patch resource") || status.message.contains("cannot delete resource")
}

pub(super) fn later() -> Timestamp {
    Timestamp::now().checked_add(LATER).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Status {
        Status {
            code,
            message: message.to_owned(),
            ..Status::default()
        }
    }

    #[test]
    fn a_failed_test_means_that_the_target_changed() {
        for message in [
            "the server rejected our request due to an error in our request: testing value /metadata/generation failed: test failed",
            "error in remove for path: '/x': Unable to remove nonexistent key: x: missing value",
        ] {
            assert!(
                matches!(of_status(&status(422, message)), Answer::Changed(_)),
                "{message}"
            );
        }
        assert!(matches!(of_status(&status(409, "conflict")), Answer::Changed(_)));
        assert!(matches!(of_status(&status(404, "not found")), Answer::Changed(_)));
    }

    #[test]
    fn refusals_are_told_from_roles_that_are_not_loaded_yet() {
        let invalid =
            "Deployment.apps \"web\" is invalid: spec.template.spec.containers[0].securityContext: Invalid value";
        assert!(matches!(of_status(&status(422, invalid)), Answer::Refused(_)));
        let roles = "deployments.apps \"web\" is forbidden: User \"x\" cannot patch resource \"deployments\" in API group \"apps\"";
        assert!(matches!(of_status(&status(403, roles)), Answer::Later(_)));
        let admission = "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'x' denied request: no";
        assert!(matches!(of_status(&status(403, admission)), Answer::Refused(_)));
    }

    #[test]
    fn nothing_is_concluded_from_errors_of_the_server() {
        for code in [500, 502, 503, 504] {
            assert_eq!(of_status(&status(code, "")), Answer::Unknown);
        }
        assert!(matches!(of_status(&status(429, "")), Answer::Later(_)));
    }
}
