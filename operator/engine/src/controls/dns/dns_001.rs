//! DNS-001 CoreDNS gives out what it should not, or believes anybody

use std::net::IpAddr;

use crate::components::{ComponentScope, Directive, Server};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("DNS-001"),
    title: "CoreDNS gives out what it should not, or believes anybody",
    severity: Severity::Medium,
    component: Component::ClusterDns,
    frameworks: &[nsa(&["N-11", "N-18"]), mitre(&["T1557", "T1613"])],
    docs: Docs {
        why: "With `pods insecure` CoreDNS answers for any name that has the form of a pod's, so that a certificate for such a name proves nothing. An open transfer gives everybody the map of the cluster. What is asked of a resolver on the Internet without TLS can be read and answered by whoever is on the way. Without `errors` nobody sees that it fails, without `cache` each question of a pod goes on to the resolver.",
        reads: "ConfigMap entries named `Corefile`, all their servers: plugins `kubernetes` (`pods`), `transfer` (`to`), `forward`, `errors`, `cache`; snippets are put in where they are imported.",
        allowed: "`pods verified` or `pods disabled` (left out means disabled), transfers to named addresses, `forward` to resolvers of the node, to private addresses or by `tls://`, `errors` and `cache` in each server that forwards or answers for the cluster. Unknown where a plugin may stand in a file that is imported.",
        repair: "None: a mistake here takes the names from the whole cluster. Change the Corefile in ConfigMap `coredns` in kube-system (RKE2: HelmChartConfig `rke2-coredns`; k3s: ConfigMap `coredns-custom`; OpenShift: the DNS operator), and look at the log of CoreDNS, which reads it again within a minute if `reload` is on.",
        breaks: "Programs that look up pods by address, such as `10-0-0-1.shop.pod.cluster.local`, of pods that do not exist any more.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CoreDNS manual, plugins kubernetes, transfer, forward, errors, cache",
        ],
    },
    needs: &[Need { kind: Kind::ConfigMap }],
    check: Check::Component(&[Component::ClusterDns], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.servers(judgement, |server, judgement| {
        for property in server.plugins("kubernetes").flat_map(|plugin| plugin.property("pods")) {
            let is_forged = property.arguments.first().is_some_and(|mode| mode == "insecure");
            expect(!is_forged, property, "pods verified", judgement);
        }
        for property in server.plugins("transfer").flat_map(|plugin| plugin.property("to")) {
            let is_open = property.arguments.iter().any(|to| to == "*");
            expect(
                !is_open,
                property,
                "to with the addresses of secondary servers",
                judgement,
            );
        }
        for plugin in server.plugins("forward") {
            let is_plain = plugin.arguments.iter().skip(1).any(|to| is_public(to));
            expect(
                !is_plain,
                plugin,
                "forward to the resolvers of the node, to private addresses, or by tls://",
                judgement,
            );
        }
        if is_of_use(server) {
            for name in ["errors", "cache"] {
                match server.has(name) {
                    Some(true) => judgement.pass(),
                    Some(false) => judgement.fail(
                        "",
                        Some(server.zones.join(" ").into()),
                        &format!("{name} in this server"),
                    ),
                    None => judgement.unknown(Gap {
                        reason: "ConfigurationFile",
                        message: format!("{name} may stand in {}, which is not seen", server.imports.join(", ")),
                        responsibility: Responsibility::SelfManaged,
                    }),
                }
            }
        }
    });
}

fn expect(good: bool, line: &Directive, expected: &str, judgement: &mut Judgement) {
    if good {
        judgement.pass();
    } else {
        judgement.fail("", Some(line.to_string().into()), expected);
    }
}

/// Whether a server answers for the cluster or passes questions on; others are for health or redirects.
fn is_of_use(server: &Server) -> bool {
    server.has("kubernetes") == Some(true) || server.has("forward") == Some(true)
}

/// Whether this is a plain resolver on the Internet: `8.8.8.8`, `dns://1.1.1.1:53`. What is a name or a file is not known to be.
fn is_public(to: &str) -> bool {
    let host = match to.split_once("://") {
        Some(("dns", host)) => host,
        Some(_) => return false,
        None => to,
    };
    let address = host.parse::<IpAddr>().ok().or_else(|| {
        let (host, _) = host.rsplit_once(':')?;
        host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    });
    match address {
        Some(IpAddr::V4(address)) => {
            // 100.64.0.0/10 is shared by a provider and its customers (RFC 6598).
            let is_shared = address.octets()[0] == 100 && (64..128).contains(&address.octets()[1]);
            !(address.is_private() || address.is_loopback() || address.is_link_local() || is_shared)
        }
        Some(IpAddr::V6(address)) => {
            !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local())
        }
        None => false,
    }
}
