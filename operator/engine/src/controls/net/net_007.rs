//! NET-007 Service open to the outside

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::{Kind, Meta};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-007"),
    title: "Service open to the outside",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-06", "N-17"]),
        kubescape(&["C-0256", "C-0266"]),
        mitre(&["T1190", "T1133"]),
    ],
    docs: Docs {
        why: "A NodePort opens a port on every node, past firewalls that only know the load balancer; a load balancer without source ranges is open to the Internet. What listens there was often meant for the cluster only.",
        reads: "`spec.type` and `spec.loadBalancerSourceRanges` of Services, and annotations of cloud providers that keep a load balancer inside.",
        allowed: "Other types; `LoadBalancer` with source ranges, or inside the private network.",
        repair: "None: another type cuts off the clients.",
        breaks: "Clients outside the cluster.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Service, publishing Services",
        ],
    },
    check: Check::Object(&[Kind::Service], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(service) = at.service() else { return };
    let spec = &service.spec;
    match spec.kind.as_deref() {
        Some("NodePort") => judgement.fail(
            "spec.type",
            Some(json!("NodePort")),
            "ClusterIP, behind an Ingress or Gateway",
        ),
        Some("LoadBalancer") if spec.load_balancer_source_ranges.is_empty() && !is_internal(&service.metadata) => {
            let expected = "LoadBalancer with loadBalancerSourceRanges or inside the private network";
            judgement.fail("spec.type", Some(json!("LoadBalancer")), expected);
        }
        _ => judgement.pass(),
    }
}

/// Whether an annotation keeps the load balancer in the private network.
fn is_internal(meta: &Meta) -> bool {
    meta.annotations.iter().any(|(name, value)| {
        let value = value.to_ascii_lowercase();
        match name.rsplit('/').next().unwrap_or_default() {
            "aws-load-balancer-internal" | "azure-load-balancer-internal" | "openstack-internal-load-balancer" => {
                matches!(value.as_str(), "true" | "0.0.0.0/0")
            }
            "aws-load-balancer-scheme" | "load-balancer-type" => value == "internal",
            "oci-load-balancer-internal" => value == "true",
            _ => false,
        }
    })
}
