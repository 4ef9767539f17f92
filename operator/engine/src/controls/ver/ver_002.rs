//! VER-002 Deprecated APIs in use

use serde_json::json;

use crate::components::{ComponentScope, place};
use crate::controls::catalogue::{nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Need, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("VER-002"),
    title: "Deprecated APIs in use",
    severity: Severity::Low,
    component: Component::KubeApiserver,
    threats: &[Threat::SupplyChain, Threat::MaliciousActor],
    frameworks: &[nsa(&["U-01"]), trivy(&["KSV-0107"])],
    docs: Docs {
        why: "What asks for an API that a later release has left out keeps the cluster from that release and from its fixes, or fails with it: an admission policy or a controller that finds its API gone protects nothing.",
        reads: "Deprecated APIs that were asked for since the API server started, as `/metrics` names them (`apiserver_requested_deprecated_apis`); `status.storedVersions` and `spec.versions` of CustomResourceDefinitions.",
        allowed: "No request for an API whose end is decided; one that is deprecated and stays, such as Endpoints v1, which Kubernetes itself writes, passes. Objects of a CustomResourceDefinition stored in versions that are served only. Unknown where the API server is not asked what it has counted.",
        repair: "None: find out who asks (the annotation `k8s.io/deprecated` in the audit log, with the user agent), and move it to the version that replaces it. For a stored version write all objects of the kind once more, then take the version out of `status.storedVersions`.",
        breaks: "Nothing, as long as the old version is served.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Upgrading and application security practices",
            "Kubernetes documentation, Deprecated API Migration Guide; Versions in CustomResourceDefinitions",
            "Kubernetes Metrics Reference",
        ],
    },
    needs: &[Need {
        kind: Kind::CustomResourceDefinition,
    }],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    if !at.is_cluster() {
        return;
    }
    judgement.witness();
    if let Some(gap) = at.uncounted() {
        judgement.unknown(gap.clone());
    }
    for api in at.counters().into_iter().flat_map(|counters| &counters.deprecated) {
        if api.removed_release.is_empty() {
            judgement.pass();
            continue;
        }
        let group = if api.group.is_empty() { "core" } else { &api.group };
        let place = format!("/metrics/deprecated/{group}~1{}~1{}", api.version, api.resource);
        let expected = format!(
            "an API that is there in {}, which has this one left out",
            api.removed_release
        );
        judgement.fail_at(&place, Some(json!("asked for")), &expected);
    }
    for (reference, extension) in at.extensions(Kind::CustomResourceDefinition, judgement) {
        if !extension.unserved.is_empty() {
            let pointer = format!("{}/status/storedVersions", place(reference));
            let expected = "versions that are served: write all objects once more, and take the others out of the list";
            judgement.fail_at(&pointer, Some(json!(extension.unserved)), expected);
        }
    }
    if at.counters().is_some() {
        judgement.pass();
    }
}
