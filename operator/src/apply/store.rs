//! The remediation of a target: creating it is the lock, its resource version the compare-and-swap of every status write.

use std::time::Duration;

use ironside_crds::names::{MANAGED_BY, MANAGED_BY_LABEL};
use ironside_crds::{HardeningRemediation, HardeningRemediationSpec, RemediationStatus};
use ironside_engine::model::ObjectRef;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, ValidationDirective};
use kube::{Api, Client, Resource as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::convert::target_spec;
use crate::report::FIELD_MANAGER;

/// Longest part of the name that is the target's.
const LONGEST_NAME: usize = 200;

/// Longest time for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Why a record was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotStored {
    /// Another process was faster, or the object is gone: what is stored must be looked at first.
    Lost,
    /// Nobody knows.
    Unknown,
    /// Refused; the message.
    Refused(String),
}

/// Name of the remediation of a target: `deployment-web-1a2b3c4d`.
pub(crate) fn name_of(target: &ObjectRef) -> String {
    let kind = target.kind.name().to_lowercase();
    let name: String = target.name.chars().take(LONGEST_NAME).collect();
    let identity = format!(
        "{}/{}/{}/{}",
        target.kind.group(),
        target.kind,
        target.namespace,
        target.name
    );
    let digest = Sha256::digest(identity.as_bytes());
    let hash = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    format!("{kind}-{name}-{hash:08x}")
}

/// Where records are stored.
#[derive(Clone, Debug)]
pub(super) struct Store {
    api: Api<HardeningRemediation>,
    left: Duration,
}

impl Store {
    /// The store of one namespace. `left`: time that is left for an answer before we may not write any more.
    pub(super) fn new(client: Client, namespace: &str, left: Duration) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            left: left.min(ANSWER),
        }
    }

    /// Takes the lock of a target.
    pub(super) async fn create(&self, target: &ObjectRef) -> Result<HardeningRemediation, NotStored> {
        let spec = HardeningRemediationSpec {
            target: target_spec(target),
            decision: None,
        };
        let mut remediation = HardeningRemediation::new(&name_of(target), spec);
        remediation
            .meta_mut()
            .labels
            .get_or_insert_default()
            .insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.to_owned());
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        answered(self.left, self.api.create(&parameters, &remediation)).await
    }

    /// Writes the status if nobody wrote to the object since `stored`.
    pub(super) async fn swap(
        &self,
        stored: &HardeningRemediation,
        status: &RemediationStatus,
    ) -> Result<HardeningRemediation, NotStored> {
        let name = stored.metadata.name.as_deref().unwrap_or_default();
        let body = json!({
            "apiVersion": HardeningRemediation::api_version(&()),
            "kind": HardeningRemediation::kind(&()),
            "metadata": {"name": name, "resourceVersion": stored.metadata.resource_version, "uid": stored.metadata.uid},
            "status": status,
        });
        let parameters = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            force: true,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        answered(
            self.left,
            self.api.patch_status(name, &parameters, &Patch::Apply(&body)),
        )
        .await
    }

    /// Deletes the object if nobody wrote to it since `stored`.
    pub(super) async fn delete(&self, stored: &HardeningRemediation) {
        let name = stored.metadata.name.as_deref().unwrap_or_default();
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: stored.metadata.uid.clone(),
                resource_version: stored.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        match timeout(self.left, self.api.delete(name, &parameters)).await {
            Ok(Ok(_)) => tracing::info!(name, "deleted a remediation with which nothing has happened for long"),
            Ok(Err(error)) => tracing::debug!(name, error = %error, "a remediation was not deleted"),
            Err(_) => tracing::debug!(name, "no answer to the deletion of a remediation"),
        }
    }
}

async fn answered(
    left: Duration,
    request: impl Future<Output = kube::Result<HardeningRemediation>>,
) -> Result<HardeningRemediation, NotStored> {
    match timeout(left, request).await {
        Ok(Ok(stored)) => Ok(stored),
        Ok(Err(kube::Error::Api(status))) => Err(match status.code {
            404 | 409 => NotStored::Lost,
            429 | 500.. => NotStored::Unknown,
            _ => NotStored::Refused(status.message.clone()),
        }),
        Err(_) | Ok(Err(_)) => Err(NotStored::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use ironside_engine::model::Kind;

    use super::*;

    #[test]
    fn names_are_valid_and_distinct() {
        let web = ObjectRef::new(Kind::Deployment, "shop", "web");
        let name = name_of(&web);
        assert!(
            name.starts_with("deployment-web-") && name.len() == "deployment-web-".len() + 8,
            "{name}"
        );
        assert_ne!(name, name_of(&ObjectRef::new(Kind::StatefulSet, "shop", "web")));
        assert_ne!(
            name,
            name_of(&ObjectRef::new(Kind::Deployment, "other", "web")),
            "cluster-scoped ones share a namespace"
        );
        let long = ObjectRef::new(Kind::Deployment, "shop", &"a".repeat(253));
        assert!(name_of(&long).len() <= 253);
    }
}
