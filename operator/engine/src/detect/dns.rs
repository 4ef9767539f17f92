//! D-22: the cluster's DNS answers otherwise than before. Who changes it can send every pod's traffic anywhere (T1557).

use super::Detection;
use super::change::Change;
use crate::components::is_home;
use crate::model::config::ConfigMap;
use crate::model::{Kind, Resource, Workload};

/// The label that the Service of the cluster's DNS selects, in every distribution.
const DNS: (&str, &str) = ("k8s-app", "kube-dns");

pub(super) fn config_put(change: &mut Change<'_>, new: &ConfigMap) {
    if !is_home(&change.reference.namespace) {
        return;
    }
    let known = change.before.resource(&change.reference).cloned();
    let old = match known.as_deref() {
        Some(Resource::ConfigMap(old)) => old.corefile.as_ref(),
        _ => None,
    };
    match (old, &new.corefile) {
        (None, Some(_)) => change.saw(Detection::D22, "a Corefile is new"),
        (Some(_), None) => change.saw(Detection::D22, "its Corefile is gone, or empty"),
        (Some(old), Some(new)) if old != new => change.saw(Detection::D22, "its Corefile says something else"),
        _ => {}
    }
}

pub(super) fn config_gone(change: &mut Change<'_>) {
    let known = change.before.resource(&change.reference).cloned();
    if is_home(&change.reference.namespace)
        && matches!(known.as_deref(), Some(Resource::ConfigMap(old)) if old.corefile.is_some())
    {
        change.saw(Detection::D22, "the ConfigMap with the Corefile is gone");
    }
}

pub(super) fn workload_changed(change: &mut Change<'_>, new: &Workload) {
    let is_dns = is_home(&change.reference.namespace)
        && matches!(new.kind, Kind::Deployment | Kind::DaemonSet)
        && new.template.labels.has(DNS.0, DNS.1);
    if !is_dns {
        return;
    }
    let Some(old) = change.before.workload(&change.reference).cloned() else {
        return;
    };
    // Not the hash: a restart by annotation changes nothing.
    if old.template.spec == new.template.spec {
        return;
    }
    let images = |workload: &Workload| -> Vec<String> {
        let containers = workload.template.spec.all_containers();
        containers.map(|(.., container)| container.image.clone()).collect()
    };
    let (was, is) = (images(&old), images(new));
    if was == is {
        change.saw(
            Detection::D22,
            "the pod template of the cluster's DNS says something else",
        );
    } else {
        let (was, is) = (was.join(" "), is.join(" "));
        change.saw(Detection::D22, format!("the cluster's DNS runs {is} in place of {was}"));
    }
}
