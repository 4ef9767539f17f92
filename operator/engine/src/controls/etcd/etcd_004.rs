//! ETCD-004 etcd trusts the CA of the cluster, or the API server does not verify it

use crate::components::{Arguments, ComponentScope, processes};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("ETCD-004"),
    title: "etcd trusts the CA of the cluster, or the API server does not verify it",
    severity: Severity::High,
    component: Component::Etcd,
    frameworks: &[
        nsa(&["N-15"]),
        cis(&["2.7", "1.2.23", "1.2.26"]),
        kubescape(&["C-0159", "C-0137", "C-0140"]),
        trivy(&["KCV-0026", "KCV-0029"]),
        mitre(&["T1552"]),
    ],
    docs: Docs {
        why: "With one CA for both, every client certificate of the cluster, a node's or a user's, opens etcd past all roles. An API server that does not verify etcd gives it Secrets whoever answers.",
        reads: "Arguments, and variables `ETCD_…`, of containers that run `etcd`: `--trusted-ca-file`. Arguments of `kube-apiserver`: `--client-ca-file`, `--etcd-cafile`, `--etcd-certfile`, `--etcd-keyfile`.",
        allowed: "A CA for etcd that is another file than the API server's `--client-ca-file`; the three files of the API server given. Unknown where no API server was seen to compare with, or `--config-file` names a file.",
        repair: "None: sign new certificates for etcd and the API server with a CA of its own, then change `--trusted-ca-file` and the API server's `--etcd-…` flags, one node after another. kubeadm makes such a CA by default.",
        breaks: "Clients of etcd with certificates of the cluster's CA.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 2.7, 1.2.23, 1.2.26",
            "etcd documentation, Transport security model",
        ],
    },
    check: Check::Component(&[Component::Etcd, Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.is_given("etcd-cafile", "<CA of etcd>");
        ask.is_given("etcd-certfile", "<certificate>");
        ask.is_given("etcd-keyfile", "<key>");
    });
    let of_cluster = client_cas(at);
    at.ask(Component::Etcd, judgement, |ask| {
        const CA: &str = "trusted-ca-file";
        match ask.process().value(CA) {
            Some(_) if of_cluster.is_empty() => {
                ask.no_other("no API server was seen whose --client-ca-file could be another");
            }
            Some(ca) => {
                let own = !of_cluster.iter().any(|other| other == ca);
                ask.expect(
                    CA,
                    own,
                    "--trusted-ca-file with another CA than the API server's --client-ca-file",
                );
            }
            None => ask.is_given(CA, "<CA of etcd>"),
        }
    });
}

/// The files in which API servers have the CA of the cluster's clients.
fn client_cas(at: &ComponentScope<'_>) -> Vec<String> {
    let ca = |process: &Arguments<'_>| process.value("client-ca-file").map(str::to_owned);
    if at.is_cluster() {
        return at.processes(Component::KubeApiserver).filter_map(ca).collect();
    }
    let processes = at
        .world
        .workloads()
        .flat_map(|workload| processes(&workload.template.spec));
    processes
        .filter(|process| process.component == Component::KubeApiserver)
        .filter_map(|process| ca(&process))
        .collect()
}
