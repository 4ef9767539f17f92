//! API-004 Admission plugins that protect the cluster are off

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Parameter, Severity, Threat};
use crate::model::Kind;
use serde_json::Value;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-004"),
    title: "Admission plugins that protect the cluster are off",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["P-08", "N-11"]),
        cis(&["1.2.3", "1.2.9", "1.2.10", "1.2.11", "1.2.12", "1.2.13"]),
        kubescape(&["C-0121", "C-0122", "C-0123", "C-0125", "C-0126", "C-0283"]),
        trivy(&["KCV-0010", "KCV-0011", "KCV-0012", "KCV-0014", "KCV-0015"]),
        mitre(&["T1685"]),
    ],
    docs: Docs {
        why: "Admission plugins refuse what no role can: pods against the Pod Security Standards, accounts that do not exist, objects in namespaces that go away. What is switched off is not checked for anybody.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--enable-admission-plugins`, `--disable-admission-plugins`; `plugins` of AdmissionConfiguration documents; which plugins did something, as `/metrics` counts it.",
        allowed: "AlwaysAdmit not on; none of NamespaceLifecycle, ServiceAccount, PodSecurity, MutatingAdmissionWebhook, ValidatingAdmissionWebhook and ValidatingAdmissionPolicy off; what the parameter `wanted` lists on. In a document: ImagePolicyWebhook with `defaultAllow: false`, and no controller's account among the exemptions of PodSecurity, which would exempt every pod that it makes.",
        repair: api_server_flag!(),
        breaks: "EventRateLimit needs a configuration; AlwaysPullImages needs the registry whenever a pod starts.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "CIS Kubernetes Benchmark 1.12, 1.2.3, 1.2.9 to 1.2.13",
            "Kubernetes documentation, Admission Controllers",
        ],
    },
    parameters: &[Parameter {
        name: "wanted",
        help: "Plugins that must be on beside the default ones, such as EventRateLimit, AlwaysPullImages or DenyServiceExternalIPs.",
        default: &[],
        accepts,
    }],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// On unless somebody switches them off.
const DEFAULT: [&str; 6] = [
    "NamespaceLifecycle",
    "ServiceAccount",
    "PodSecurity",
    "MutatingAdmissionWebhook",
    "ValidatingAdmissionWebhook",
    "ValidatingAdmissionPolicy",
];

fn accepts(plugin: &str) -> Result<(), String> {
    let is_name = !plugin.is_empty() && plugin.chars().all(|letter| letter.is_ascii_alphanumeric());
    is_name
        .then_some(())
        .ok_or_else(|| format!("{plugin:?} is not a plugin: write a name such as EventRateLimit"))
}

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    const ENABLE: &str = "enable-admission-plugins";
    const DISABLE: &str = "disable-admission-plugins";
    at.ask(Component::KubeApiserver, judgement, |ask| {
        let process = ask.process();
        let in_list = |flag: &str, plugin: &str| process.items(flag).any(|item| item == plugin);
        let admits_all = in_list(ENABLE, "AlwaysAdmit");
        ask.expect(ENABLE, !admits_all, "--enable-admission-plugins without AlwaysAdmit");
        for plugin in DEFAULT {
            let expected = format!("--disable-admission-plugins without {plugin}");
            ask.expect(DISABLE, !in_list(DISABLE, plugin), &expected);
        }
        for plugin in at.parameters.values("wanted", &[]) {
            let on = in_list(ENABLE, plugin) && !in_list(DISABLE, plugin);
            ask.expect(ENABLE, on, &format!("--enable-admission-plugins with {plugin}"));
        }
    });
    if at
        .counters()
        .is_some_and(|counters| counters.plugins.contains("AlwaysAdmit"))
    {
        judgement.fail(
            "metrics/plugins",
            Some("AlwaysAdmit".into()),
            "admission without AlwaysAdmit",
        );
    }
    let Some(document) = at.document(Kind::AdmissionConfiguration) else {
        return;
    };
    judgement.pass();
    for (index, plugin) in document.items("plugins").iter().enumerate() {
        let allow = plugin.pointer("/configuration/imagePolicy/defaultAllow");
        if plugin["name"] == "ImagePolicyWebhook" && allow.and_then(Value::as_bool) == Some(true) {
            let path = format!("plugins.{index}.configuration.imagePolicy.defaultAllow");
            judgement.fail(&path, allow.cloned(), "false");
        }
        let users = plugin
            .pointer("/configuration/exemptions/usernames")
            .and_then(Value::as_array);
        for (user, name) in users.into_iter().flatten().enumerate() {
            let of_controller = name
                .as_str()
                .is_some_and(|name| name.starts_with("system:serviceaccount:kube-system:"));
            if plugin["name"] == "PodSecurity" && of_controller {
                let path = format!("plugins.{index}.configuration.exemptions.usernames.{user}");
                judgement.fail(&path, Some(name.clone()), "no controller: all its pods would be exempt");
            }
        }
    }
}
