//! NS-002 Workload or object in the default namespace

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NS-002"),
    title: "Workload or object in the default namespace",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-01"]),
        cis(&["5.6.4"]),
        kubescape(&["C-0061", "C-0212"]),
        trivy(&["KSV-0110"]),
    ],
    docs: Docs {
        why: "What lies in `default` lies together with whatever else nobody placed: it shares its roles, policies, quotas and service account, and none of them can be made to fit.",
        reads: "Namespace of workloads and of other namespaced objects.",
        allowed: "Any namespace but `default`. What the cluster itself puts there is not applicable. A manifest that names no namespace is read as one for `default`, where it goes unless the command line says otherwise.",
        repair: "None: objects cannot be moved.",
        breaks: "Nothing; objects are created anew elsewhere.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 5.6.4",
        ],
    },
    check: Check::Object(
        workloads_and!(; Kind::Service,
            Kind::Ingress,
            Kind::NetworkPolicy,
            Kind::PodDisruptionBudget,
            Kind::ConfigMap,
            Kind::Role,
            Kind::RoleBinding,
            Kind::ServiceAccount,
            Kind::Secret,
            Kind::PersistentVolumeClaim,
            Kind::Endpoints,
            Kind::PodTemplate,
            Kind::EndpointSlice,
            Kind::HorizontalPodAutoscaler,
            Kind::CsiStorageCapacity
        ),
        check,
    ),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let name = &*at.target.name;
    let of_cluster = match at.target.kind {
        Kind::Service | Kind::Endpoints | Kind::EndpointSlice => name == "kubernetes",
        Kind::ConfigMap => name == "kube-root-ca.crt",
        Kind::ServiceAccount => name == "default",
        _ => false,
    };
    if of_cluster {
        judgement.not_applicable("the cluster puts it there");
    } else if *at.target.namespace == *"default" {
        let found = Some(json!("default"));
        judgement.fail("metadata.namespace", found, "a namespace of its own");
    } else {
        judgement.pass();
    }
}
