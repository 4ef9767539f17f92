//! ETCD-005 etcd listens everywhere, or in clear text

use crate::components::ComponentScope;
use crate::components::{is_loopback, is_unspecified};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("ETCD-005"),
    title: "etcd listens everywhere, or in clear text",
    severity: Severity::Critical,
    component: Component::Etcd,
    frameworks: &[nsa(&["N-14"]), mitre(&["T1133"])],
    docs: Docs {
        why: "etcd has one client, the API server. What listens on all addresses is offered to pods and to the Internet as well, and what listens without TLS is open to all of them.",
        reads: "Arguments, and variables `ETCD_…`, of containers that run `etcd`: `--listen-client-urls`, `--listen-metrics-urls`.",
        allowed: "Named addresses with `https`; `http` on loopback addresses only. Unknown where `--config-file` names a file.",
        repair: etcd_flag!(),
        breaks: "Clients that reach etcd over another address than the named ones.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "etcd documentation, Configuration options",
        ],
    },
    check: Check::Component(&[Component::Etcd], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Etcd, judgement, |ask| {
        for flag in ["listen-client-urls", "listen-metrics-urls"] {
            // Left out, clients are served on http://localhost:2379 and metrics beside them.
            if ask.process().value(flag).is_none() && ask.process().settings_file().is_none() {
                continue;
            }
            let good = ask.process().value(flag).is_some() && ask.process().items(flag).all(is_narrow);
            ask.expect(flag, good, &format!("--{flag} with named addresses and https"));
        }
    });
}

fn is_narrow(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let address = rest.split('/').next().unwrap_or(rest);
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    match scheme {
        "unix" | "unixs" => true,
        "https" => !is_unspecified(host),
        _ => is_loopback(host),
    }
}
