//! DNS-003 Cluster DNS is open to more than names

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::components::{Arguments, ComponentScope, place};
use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity};
use crate::model::network::Protocol;
use crate::model::pod::DeclaredPort;
use crate::model::{Kind, Labels, ObjectRef, Service, Workload};
use crate::network::connectivity::{Direction, End, Policies};
use crate::network::endpoints::namespace_labels;
use crate::network::ports::PortRange;
use crate::network::reach::{self, Source};
use crate::world::{Reading, Shard};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("DNS-003"),
    title: "Cluster DNS is open to more than names",
    severity: Severity::Medium,
    component: Component::ClusterDns,
    frameworks: &[nsa(&["L-16"]), kubescape(&["C-0037"]), mitre(&["T1557"])],
    docs: Docs {
        why: "A DNS Service that is reachable from outside tells everybody the names of the cluster and answers forged questions to others; `externalIPs` draw traffic of other addresses to it. The metrics of CoreDNS say which names are asked for, and its health port can be held busy until the kubelet restarts it.",
        reads: "Services that select pods which run `coredns`: `spec.type`, `spec.externalIPs`; of a cluster also NetworkPolicies: whether a pod of another namespace, of which no policy knows anything, reaches ports 9153 (metrics), 8080 (health) and 8181 (readiness) of them. Whether the Corefile is what it was yesterday no object tells: DNS-001 judges what stands in it.",
        allowed: "Services of type ClusterIP without `externalIPs`. NetworkPolicies that let pods of other namespaces in on the ports of DNS alone, and on the others only who is named, such as the monitoring. Not judged for pods on the network of their node, where policies mean nothing, which is Unknown. Whether the CNI plugin enforces policies, and policies of its own kinds, are not seen.",
        repair: "None: a mistake here takes the names from the whole cluster. Set `spec.type: ClusterIP` in the Service (kubeadm: `kube-dns` in kube-system; RKE2 and k3s: the chart `rke2-coredns`, ConfigMap `coredns`; OpenShift: the DNS operator), and apply a NetworkPolicy that selects the pods and lets UDP and TCP 53 in from everywhere, 9153 from the monitoring; kubelets reach 8080 and 8181 all the same.",
        breaks: "Resolvers outside the cluster that ask it; monitoring that no policy names.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "CoreDNS manual, plugins prometheus, health, ready",
            "Kubernetes documentation, Customizing DNS Service; Network Policies",
        ],
    },
    needs: &[
        Need { kind: Kind::Pod },
        Need { kind: Kind::Service },
        Need {
            kind: Kind::NetworkPolicy,
        },
    ],
    check: Check::Component(&[Component::ClusterDns], check),
    ..Control::COMPONENT
};

/// Ports of CoreDNS beside DNS, as its plugins and every installer have them, and what they are for.
const OTHERS: [(u16, &str); 3] = [(9153, "metrics"), (8080, "health"), (8181, "readiness")];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    for process in at.processes(Component::ClusterDns) {
        let Some(workload) = process.workload else { continue };
        let Some(shard) = at.world.shard(&workload.meta.namespace) else {
            continue;
        };
        let selects =
            |service: &Service| service.spec.selects_pods() && workload.template.labels.contain(&service.spec.selector);
        for service in shard.services.values().filter(|service| selects(service)) {
            is_inside(service, judgement);
        }
        if at.is_cluster() {
            is_shut(at, process, workload, shard, judgement);
        }
    }
}

fn is_inside(service: &Service, judgement: &mut Judgement) {
    let object = place(&ObjectRef::new(
        Kind::Service,
        &service.metadata.namespace,
        &service.metadata.name,
    ));
    match service.spec.kind.as_deref() {
        Some(kind @ ("NodePort" | "LoadBalancer")) => {
            judgement.fail_at(&format!("{object}/spec/type"), Some(json!(kind)), "ClusterIP");
        }
        _ => judgement.pass(),
    }
    let addresses = &service.spec.external_ips;
    if addresses.is_empty() {
        judgement.pass();
    } else {
        judgement.fail_at(
            &format!("{object}/spec/externalIPs"),
            Some(json!(addresses)),
            "left out",
        );
    }
}

/// Judges whether policies keep strangers from everything but DNS.
fn is_shut(
    at: &ComponentScope<'_>,
    process: &Arguments<'_>,
    workload: &Workload,
    shard: &Shard,
    judgement: &mut Judgement,
) {
    let namespace = &workload.meta.namespace;
    if workload.template.spec.host_network == Some(true) {
        return judgement.unknown(Gap {
            reason: "HostNetwork",
            message: format!(
                "{} is on the network of its nodes, where policies mean nothing",
                workload.reference()
            ),
            responsibility: Responsibility::SelfManaged,
        });
    }
    if let Reading::Unavailable(gap) = at.world.reading(Kind::NetworkPolicy, namespace) {
        return judgement.unknown(gap.clone());
    }
    let containers = workload.template.spec.all_containers();
    let declared = containers.flat_map(|(.., container)| DeclaredPort::of(&container.ports));
    let dns = End {
        is: Source::Pods {
            namespace: namespace.as_str().into(),
            labels: workload.template.labels.clone(),
        },
        namespace_labels: namespace_labels(namespace, shard),
        ports: declared.collect(),
    };
    // Nobody has a namespace of this name: it is not one that a name may have.
    let stranger = End {
        is: Source::Pods {
            namespace: Arc::from(""),
            labels: Labels::default(),
        },
        namespace_labels: Labels::default(),
        ports: BTreeSet::new(),
    };
    let open = Policies::of(at.world, reach::Reading::Least).lets(Direction::Ingress, &stranger, &dns);
    let template = process
        .pointer
        .rsplit_once("/spec/")
        .map_or("", |(template, _)| template);
    let open: Vec<String> = OTHERS
        .iter()
        .filter(|(port, _)| {
            let port = PortRange::one(Protocol::Tcp, *port);
            open.ranges().any(|range| range.contains(&port))
        })
        .map(|(port, what)| format!("{port} ({what})"))
        .collect();
    if open.is_empty() {
        judgement.pass();
    } else {
        let expected = "a NetworkPolicy that lets pods of other namespaces in on port 53 alone";
        let observed = format!("any pod reaches {}", open.join(", "));
        judgement.fail_at(&format!("{template}/metadata/labels"), Some(json!(observed)), expected);
    }
}
