//! Room for the pods that a rollout adds, as far as the quotas of the namespace tell. Nodes are not looked at: whether they have room is known once it was
//! tried, and then no control is blamed.

use serde_json::Value;

use super::deadline::surge_and_unavailable;
use crate::model::Workload;
use crate::model::disruption::ResourceQuota;
use crate::world::Snapshot;

/// Quantities are compared in units of 10^-9, the smallest that Kubernetes knows.
const UNIT: i128 = 1_000_000_000;

/// Suffixes of quantities: decimal and binary (Kubernetes API reference, "Quantity").
const SUFFIXES: [(&str, i128, i128); 15] = [
    ("Ki", 1 << 10, 1),
    ("Mi", 1 << 20, 1),
    ("Gi", 1 << 30, 1),
    ("Ti", 1 << 40, 1),
    ("Pi", 1 << 50, 1),
    ("Ei", 1 << 60, 1),
    ("n", 1, 1_000_000_000),
    ("u", 1, 1_000_000),
    ("m", 1, 1_000),
    ("k", 1_000, 1),
    ("M", 1_000_000, 1),
    ("G", 1_000_000_000, 1),
    ("T", 1_000_000_000_000, 1),
    ("P", 1_000_000_000_000_000, 1),
    ("E", 1_000_000_000_000_000_000, 1),
];

/// The first quota without room for the surge of a rollout, and of what there is too little.
pub(super) fn first_full<'a>(world: &'a Snapshot, workload: &Workload) -> Option<(&'a str, &'a str)> {
    let quotas = &world.shard(&workload.meta.namespace)?.quotas;
    let desired = u32::try_from(workload.desired_replicas()?).unwrap_or(0);
    let (surge, _) = surge_and_unavailable(workload, desired);
    if surge == 0 || quotas.is_empty() {
        return None;
    }
    let spec = workload.template.json()["spec"].take();
    quotas
        .values()
        .find_map(|quota| Some((quota.metadata.name.as_str(), lacking(quota, &spec, surge)?)))
}

/// Of what a quota has too little for so many more pods. A quota with a scope may not be about these pods at all; it counts, because waiting does no harm.
fn lacking<'a>(quota: &'a ResourceQuota, spec: &Value, surge: u32) -> Option<&'a str> {
    let status = &quota.status;
    let short = |(name, hard): &(&'a String, &String)| {
        let (Some(each), Some(hard)) = (of_one_pod(spec, name), quantity(hard)) else {
            return false;
        };
        let used = status.used.get(*name).and_then(|used| quantity(used)).unwrap_or(0);
        each > 0 && used + each * i128::from(surge) > hard
    };
    status.hard.iter().find(short).map(|(name, _)| name.as_str())
}

/// What one pod takes of a quota's resource; `None` for resources that pods do not take.
fn of_one_pod(spec: &Value, resource: &str) -> Option<i128> {
    let (list, name) = match resource {
        "pods" | "count/pods" => return Some(UNIT),
        "cpu" | "memory" | "ephemeral-storage" => ("requests", resource),
        _ => resource.split_once('.')?,
    };
    if !matches!(list, "requests" | "limits") || name == "storage" {
        return None;
    }
    let stated = |at: &Value, list: &str| {
        at["resources"][list][name].as_str().and_then(quantity).or_else(|| {
            at["resources"][list][name]
                .as_i64()
                .map(|number| i128::from(number) * UNIT)
        })
    };
    // Where only a limit is stated, it is the request as well.
    let of = |at: &Value| match list {
        "requests" => stated(at, "requests").or_else(|| stated(at, "limits")),
        _ => stated(at, "limits"),
    };
    if let Some(of_pod) = of(spec) {
        return Some(of_pod);
    }
    let containers = |list: &str| spec[list].as_array().cloned().unwrap_or_default();
    let sum: i128 = containers("containers").iter().filter_map(of).sum();
    let (sidecars, inits): (Vec<Value>, Vec<Value>) = containers("initContainers")
        .into_iter()
        .partition(|container| container["restartPolicy"] == "Always");
    // Sidecars run beside everything, other init containers one after the other (Kubernetes documentation, "Resource sharing within containers").
    let beside: i128 = sidecars.iter().filter_map(of).sum();
    let largest = inits.iter().filter_map(of).max().unwrap_or(0);
    Some(beside + sum.max(largest))
}

/// A quantity in units of 10^-9; `None` if it is none, or too large to compare.
fn quantity(text: &str) -> Option<i128> {
    let found = SUFFIXES.iter().find(|(suffix, ..)| text.ends_with(suffix));
    let (number, by, per) = match found {
        Some((suffix, by, per)) => (text.strip_suffix(suffix)?, *by, *per),
        None => (text, 1, 1),
    };
    let (number, exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<u32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = fraction.get(..fraction.len().min(9))?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: i128 = format!("{digits:0<9}").parse().ok()?;
    let signed = if number.starts_with('-') { -part } else { part };
    (whole.checked_mul(UNIT)? + signed)
        .checked_mul(by)?
        .checked_mul(10_i128.checked_pow(exponent)?)
        .map(|value| value / per)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_writes_them() {
        for (text, value) in [
            ("1", UNIT),
            ("100m", UNIT / 10),
            ("0.1", UNIT / 10),
            (".5", UNIT / 2),
            ("1k", 1000 * UNIT),
            ("1Ki", 1024 * UNIT),
            ("0.5Gi", (1 << 29) * UNIT),
            ("1e3", 1000 * UNIT),
            ("1E", 1_000_000_000_000_000_000 * UNIT),
            ("12E6", 12_000_000 * UNIT),
            ("5n", 5),
            ("-1.5", -UNIT - UNIT / 2),
        ] {
            assert_eq!(quantity(text), Some(value), "{text}");
        }
        for text in ["", "one", "1ü", "1.2.3", "9e99"] {
            assert_eq!(quantity(text).filter(|value| *value != 0), None, "{text}");
        }
    }

    fn quota(resource: &str, hard: &str, used: &str) -> ResourceQuota {
        let quota =
            json!({"metadata": {"name": "small"}, "status": {"hard": {resource: hard}, "used": {resource: used}}});
        serde_json::from_value(quota).unwrap()
    }

    #[test]
    fn story_18_cpu_and_memory_of_the_surge_count_as_its_pods_do() {
        let spec = json!({
            "containers": [
                {"name": "a", "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}}},
                {"name": "b", "resources": {"limits": {"cpu": 1}}},
            ],
            "initContainers": [
                {"name": "copy", "resources": {"requests": {"cpu": "3"}}},
                {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
            ],
        });
        assert_eq!(
            of_one_pod(&spec, "requests.cpu"),
            Some(3 * UNIT + UNIT / 2),
            "3 for copy beside side"
        );
        assert_eq!(
            of_one_pod(&spec, "memory"),
            Some(64 * 1024 * 1024 * UNIT),
            "a limit is the request"
        );
        assert_eq!(of_one_pod(&spec, "requests.storage"), None);
        assert_eq!(of_one_pod(&spec, "services"), None);
        for (resource, hard, used, full) in [
            ("pods", "4", "3", false),
            ("pods", "3", "3", true),
            ("requests.cpu", "10", "6.5", false),
            ("requests.cpu", "10", "6501m", true),
            ("limits.cpu", "1", "0", false),
            ("limits.cpu", "1", "1m", true),
            ("limits.memory", "0.125Gi", "64Mi", false),
            ("limits.memory", "0.125Gi", "65Mi", true),
            ("requests.memory", "100M", "50M", true),
            ("requests.nvidia.com/gpu", "0", "0", false),
            ("persistentvolumeclaims", "0", "0", false),
        ] {
            let quota = quota(resource, hard, used);
            assert_eq!(lacking(&quota, &spec, 1).is_some(), full, "{resource} {used} of {hard}");
        }
        assert_eq!(
            lacking(&quota("requests.cpu", "10", "6"), &spec, 2),
            Some("requests.cpu"),
            "two pods more"
        );
    }
}
