//! D-11: certificates with which somebody can log in. Nothing revokes them before they end.
//!
//! Signers: Kubernetes documentation, "Certificates and Certificate Signing Requests".

use super::Detection;
use super::change::Change;
use crate::model::{CertificateRequest, Resource};

const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
const KUBELET_CLIENT: &str = "kubernetes.io/kube-apiserver-client-kubelet";

pub(super) fn put(change: &mut Change<'_>, new: &CertificateRequest) {
    if !is_a_login(new) {
        return;
    }
    let known = change.before.resource(&change.reference).cloned();
    let was_approved = match known.as_deref() {
        Some(Resource::CertificateRequest(old)) => Some(old.is_approved()),
        _ => None,
    };
    let (signer, user) = (&new.spec.signer_name, Some(new.spec.username.as_str()));
    match (was_approved, new.is_approved()) {
        (None, false) => change.saw_by(
            Detection::D11,
            user,
            format!("a client certificate of {signer} is asked for"),
        ),
        (None | Some(false), true) => change.saw_by(
            Detection::D11,
            None,
            format!(
                "a client certificate of {signer}, asked for by {}, is approved",
                new.spec.username
            ),
        ),
        _ => {}
    }
}

/// Kubelets get and renew their own certificate all the time.
fn is_a_login(request: &CertificateRequest) -> bool {
    let by = request.spec.username.as_str();
    match request.spec.signer_name.as_str() {
        CLIENT => true,
        KUBELET_CLIENT => !(by.starts_with("system:node:") || by.starts_with("system:bootstrap:")),
        _ => false,
    }
}
