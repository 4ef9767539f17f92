//! POD-016 Unmasked /proc or unsafe kernel parameter

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, pss_restricted, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Parameter, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-016"),
    title: "Unmasked /proc or unsafe kernel parameter",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-21"]),
        pss_baseline(&["procMount", "sysctls"]),
        pss_restricted(&["procMount_restricted"]),
        cis(&["5.6.3"]),
        kubescape(&["C-0211"]),
        trivy(&["KSV-0027", "KSV-0026"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "An unmasked `/proc` lets a container read and set what the runtime hides, among them the kernel's log and the handler of crashes, which runs on the node. Kernel parameters outside the safe set are shared with other pods or can exhaust the node.",
        reads: "`securityContext.procMount` of containers, init containers and ephemeral containers; `securityContext.sysctls` and `hostUsers` of the pod.",
        allowed: "`procMount` `Default` or absent; any in a pod with `hostUsers: false` (since Kubernetes 1.35). Kernel parameters of the safe set of the cluster's version. Not applicable to Windows pods.",
        repair: "None: the author asked for it by name.",
        breaks: "Programs that start containers inside containers; network tuning.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, /proc Mount Type and Sysctls",
            "Kubernetes documentation, Using sysctls in a Kubernetes Cluster",
        ],
    },
    parameters: &[Parameter {
        name: "inUserNamespace",
        help: "`Allow` lets a pod with `hostUsers: false` mount all of /proc, as the baseline standard does; `Refuse` does not, as the restricted one.",
        default: &["Allow"],
        accepts: |value| match value {
            "Allow" | "Refuse" => Ok(()),
            _ => Err(format!("`{value}` is not known; write Allow or Refuse")),
        },
    }],
    check: Check::Template(check),
    ..Control::WORKLOAD
};

/// Kernel parameters that belong to the pod's own namespaces, with the Kubernetes minor that counts them safe first.
const SAFE: [(&str, u32); 14] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
    ("net.ipv4.tcp_notsent_lowat", 37),
    ("net.ipv4.tcp_slow_start_after_idle", 37),
];

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    if at.spec().is_windows() {
        return judgement.not_applicable("Windows has neither");
    }
    let sysctls = at
        .spec()
        .security_context
        .as_ref()
        .map(|context| context.sysctls.as_slice());
    for (index, sysctl) in sysctls.unwrap_or_default().iter().enumerate() {
        // Names may be written with slashes (sysctl(8)).
        let name = sysctl.name.replace('/', ".");
        let safe = SAFE.iter().any(|(safe, since)| *safe == name && at.at_least(*since));
        if safe {
            judgement.pass();
        } else {
            let pointer = format!("/spec/securityContext/sysctls/{index}/name");
            judgement.fail_at(&pointer, Some(json!(sysctl.name)), "a safe kernel parameter");
        }
    }
    let allowed = at
        .parameters
        .values("inUserNamespace", &["Allow"])
        .iter()
        .all(|value| *value == "Allow");
    let own_root = allowed && at.spec().host_users == Some(false) && at.at_least(35);
    for at in at.containers() {
        judgement.enter_container(&at);
        match at.container.security().proc_mount.as_deref() {
            None | Some("" | "Default") => judgement.pass(),
            Some(_) if own_root => judgement.pass(),
            Some(mount) => judgement.fail("securityContext.procMount", Some(json!(mount)), "Default"),
        }
    }
}
