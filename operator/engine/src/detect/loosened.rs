//! D-24: a pod template allows more than it did.
//!
//! Not by controls and policies, which judge what is there: by what one version allows and the version before did not. What each setting allows is what the Pod
//! Security Standards say of it; values that containers inherit from the pod are told where they take effect.

use std::collections::BTreeSet;
use std::fmt;

use super::Detection;
use super::change::Change;
use crate::model::template::{PodSpec, Profile};
use crate::model::{Container, Workload};

pub(super) fn changed(change: &mut Change<'_>, new: &Workload) {
    let Some(old) = change.before.workload(&change.reference).cloned() else {
        return;
    };
    if old.template.hash == new.template.hash || new.meta.controller().is_some() {
        return;
    }
    let before = allows(&old.template.spec);
    let known: BTreeSet<&str> = before
        .iter()
        .filter_map(|allowed| allowed.container.as_deref())
        .collect();
    // A container that is new is told of only for what no container could before.
    let somebody_could = |allowed: &Allowed| {
        let is_new = allowed.container.as_deref().is_some_and(|name| !known.contains(name));
        is_new && before.iter().any(|before| before.what == allowed.what)
    };
    let after = allows(&new.template.spec);
    let more = after.difference(&before).filter(|allowed| !somebody_could(allowed));
    let more: Vec<String> = more.map(ToString::to_string).collect();
    if !more.is_empty() {
        change.saw(Detection::D24, format!("its pods may now: {}", more.join("; ")));
    }
}

/// One thing that a pod spec allows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Allowed {
    what: String,
    /// The container; `None` for the pod.
    container: Option<String>,
}

/// `run as root (app)`.
impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.container {
            Some(container) => write!(f, "{} ({container})", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Everything that a pod spec allows.
fn allows(spec: &PodSpec) -> BTreeSet<Allowed> {
    let pod = |what: String| Allowed { what, container: None };
    let mut allows = BTreeSet::new();
    let of_pod = [
        (spec.host_network, "use the network of the node"),
        (spec.host_pid, "see the processes of the node"),
        (spec.host_ipc, "use the IPC of the node"),
    ];
    let set = of_pod.iter().filter(|(set, _)| *set == Some(true));
    allows.extend(set.map(|(_, what)| pod((*what).to_owned())));
    for volume in &spec.volumes {
        if let Some(host) = &volume.host_path {
            allows.insert(pod(format!("mount {} of the node", host.path)));
        }
    }
    if spec.is_windows() {
        return allows;
    }
    for (.., container) in spec.all_containers() {
        let own = of_container(spec, container);
        allows.extend(own.into_iter().map(|what| Allowed {
            what,
            container: Some(container.name.clone()),
        }));
    }
    allows
}

fn of_container(spec: &PodSpec, container: &Container) -> Vec<String> {
    let pod = spec.security_context.as_ref();
    let own = container.security();
    let mut allows = Vec::new();
    if container.is_privileged() {
        allows.push("do anything, privileged".to_owned());
    }
    let non_root = own.run_as_non_root.or_else(|| pod?.run_as_non_root) == Some(true);
    let user = own.run_as_user.or_else(|| pod?.run_as_user);
    if user == Some(0) || !(non_root || user.is_some()) {
        allows.push("run as root".to_owned());
    }
    if own.allow_privilege_escalation != Some(false) {
        allows.push("gain privileges".to_owned());
    }
    if own.read_only_root_filesystem != Some(true) {
        allows.push("write to its root file system".to_owned());
    }
    let profile = own.seccomp_profile.as_ref().or_else(|| pod?.seccomp_profile.as_ref());
    if !profile.is_some_and(confines) {
        allows.push("make any system call".to_owned());
    }
    for capability in container.added_capabilities() {
        allows.push(format!("use capability {capability}"));
    }
    let drops_all = container
        .dropped_capabilities()
        .iter()
        .any(|one| one.eq_ignore_ascii_case("ALL"));
    if !drops_all {
        allows.push("use the runtime's default capabilities".to_owned());
    }
    for port in container.ports.iter().filter_map(|port| port.host_port) {
        if port > 0 {
            allows.push(format!("listen on port {port} of the node"));
        }
    }
    allows
}

fn confines(profile: &Profile) -> bool {
    matches!(profile.kind.as_str(), "RuntimeDefault" | "Localhost")
}
