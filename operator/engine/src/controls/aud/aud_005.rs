//! AUD-005 Nothing measures what pods and nodes use

use serde_json::json;

use crate::components::{ComponentScope, place};
use crate::controls::catalogue::nsa;
use crate::controls::{
    Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity, Threat,
};
use crate::model::{Kind, ObjectRef};
use crate::world::Reading;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("AUD-005"),
    title: "Nothing measures what pods and nodes use",
    severity: Severity::Low,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor],
    frameworks: &[nsa(&["L-13", "L-17", "L-19"])],
    docs: Docs {
        why: "Somebody who mines coins with a pod is seen by the processor time that it takes, if somebody measures it. Limits that nobody could measure are guessed.",
        reads: "The APIService `v1beta1.metrics.k8s.io`: whether it is there and its condition Available. Not PrometheusRules, which the operator has no right to read: whether anybody is alerted no object that it sees tells.",
        allowed: "An APIService `v1beta1.metrics.k8s.io` that is Available, whoever answers for it. Unknown where nobody has said yet whether it is, and where APIServices were not read whole.",
        repair: "None: install metrics-server, or an adapter of your monitoring that serves the resource metrics (RKE2, k3s, AKS and GKE bring it along; EKS: the add-on `metrics-server`; kubeadm and Talos: the chart, with serving certificates of kubelets that it can verify). Where it is there and not Available, the condition says why: `kubectl get apiservice v1beta1.metrics.k8s.io -o yaml`.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "Kubernetes documentation, Resource metrics pipeline",
        ],
    },
    needs: &[Need { kind: Kind::ApiService }],
    check: Check::Component(&[], check),
    ..Control::COMPONENT
};

/// As it is named today; the version may be another one.
const NAME: &str = "v1beta1.metrics.k8s.io";

/// Whether an APIService has this name: not one of `custom.metrics.k8s.io`.
fn is_of_resources(name: &str) -> bool {
    name.split_once('.').is_some_and(|(_, group)| group == "metrics.k8s.io")
}

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    if !at.is_cluster() {
        return;
    }
    judgement.witness();
    let mut apis = at.extensions(Kind::ApiService, judgement);
    let found = apis.find(|(reference, _)| is_of_resources(&reference.name));
    let reference = found.map_or_else(
        || ObjectRef::new(Kind::ApiService, "", NAME),
        |(reference, _)| reference.clone(),
    );
    let place = place(&reference);
    let available = found.and_then(|(_, extension)| extension.available);
    let is_named = at
        .world
        .api_server_backends
        .iter()
        .any(|backend| backend.caller == reference.to_string());
    match (available, is_named || found.is_some()) {
        (Some(true), _) => judgement.pass(),
        (Some(false), _) => {
            judgement.fail_at(
                &format!("{place}/status/conditions"),
                Some(json!("not Available")),
                "Available",
            );
        }
        (None, true) => judgement.unknown(unknown(&format!("nobody has said yet whether {NAME} is available"))),
        (None, false) => match at.world.reading(Kind::ApiService, "") {
            Reading::Complete => judgement.fail_at(&place, None, "an APIService of the resource metrics"),
            // Told already.
            Reading::Unavailable(_) => {}
            Reading::Partial => judgement.unknown(unknown("not every APIService of the cluster was looked at")),
        },
    }
}

fn unknown(message: &str) -> Gap {
    Gap {
        reason: "NotSeen",
        message: message.to_owned(),
        responsibility: Responsibility::SelfManaged,
    }
}
