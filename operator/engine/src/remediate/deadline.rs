//! How long a rollout may take: computed for each workload from what it says about itself, because a fixed time limit rolls back healthy slow ones.

use std::time::Duration;

use serde_json::Value;

use crate::model::template::Probe;
use crate::model::workload::Strategy;
use crate::model::{Container, Kind, Workload};

/// Pulling images and starting a container without a probe. Generous: a deadline only matters when nothing else tells success from failure.
const PULL_AND_START: Duration = Duration::from_mins(1);

/// An init container gets this long.
const INIT: Duration = Duration::from_mins(1);

/// Kubernetes' default of `terminationGracePeriodSeconds`.
const GRACE_SECONDS: u64 = 30;

/// What a rollout of a workload needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Time that one step (a batch of pods replaced at once) may take, with half of it again to spare.
    pub step: Duration,
    /// Number of steps.
    pub steps: u32,
}

impl Pace {
    /// The pace of a workload's rollout.
    pub fn of(workload: &Workload) -> Self {
        let spec = &workload.template.spec;
        let init = INIT * u32::try_from(spec.init_containers.len()).unwrap_or(u32::MAX);
        let start = spec.containers.iter().map(start_budget).max().unwrap_or_default();
        let grace = spec
            .termination_grace_period_seconds
            .map_or(GRACE_SECONDS, |seconds| seconds.try_into().unwrap_or(0));
        let seconds = Duration::from_secs(grace + u64::try_from(workload.spec.min_ready_seconds).unwrap_or(0));
        let plain = PULL_AND_START + init + start + seconds;
        Self {
            step: plain + plain / 2,
            steps: steps(workload),
        }
    }

    /// Time that the whole rollout may take: the largest of `least` (the policy's `minDeadline`), all steps, and twice the last rollout.
    pub fn limit(self, least: Duration, last_rollout: Option<Duration>) -> Duration {
        let twice = last_rollout.unwrap_or_default().saturating_mul(2);
        least.max(self.step.saturating_mul(self.steps)).max(twice)
    }
}

/// Pods that a rollout of this many may add, and may take away, at one time.
pub(super) fn surge_and_unavailable(workload: &Workload, pods: u32) -> (u32, u32) {
    let strategy = match workload.kind {
        Kind::DaemonSet | Kind::StatefulSet => workload.spec.update_strategy.as_ref(),
        _ => workload.spec.strategy.as_ref(),
    };
    if is_recreate(strategy) {
        return (0, pods);
    }
    let parameters = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let surge = parameters.and_then(|p| p.max_surge.as_ref());
    let unavailable = parameters.and_then(|p| p.max_unavailable.as_ref());
    match workload.kind {
        // Kubernetes documentation, "Deployments": both default to 25 %; surge rounds up, unavailable down; never both zero.
        Kind::Deployment => {
            let surge = surge.map_or(pods.div_ceil(4), |value| resolve(value, pods, true));
            let unavailable = unavailable.map_or(pods / 4, |value| resolve(value, pods, false));
            (surge, if surge == 0 { unavailable.max(1) } else { unavailable })
        }
        Kind::DaemonSet => {
            let surge = surge.map_or(0, |value| resolve(value, pods, true));
            let unavailable = unavailable.map_or(1, |value| resolve(value, pods, true));
            (surge, if surge == 0 { unavailable.max(1) } else { unavailable })
        }
        _ => (0, unavailable.map_or(1, |value| resolve(value, pods, false)).max(1)),
    }
}

/// Whether all pods are stopped before the first new one starts.
pub(super) fn is_recreate(strategy: Option<&Strategy>) -> bool {
    strategy.is_some_and(|strategy| strategy.kind == "Recreate")
}

fn steps(workload: &Workload) -> u32 {
    let pods = u32::try_from(workload.desired_replicas().unwrap_or(1)).unwrap_or(0);
    let (surge, unavailable) = surge_and_unavailable(workload, pods);
    pods.div_ceil((surge + unavailable).max(1)).max(1)
}

/// A count, or a percentage of `pods`.
fn resolve(value: &Value, pods: u32, round_up: bool) -> u32 {
    if let Some(count) = value.as_u64() {
        return count.try_into().unwrap_or(u32::MAX);
    }
    let percent: u64 = value
        .as_str()
        .and_then(|text| text.strip_suffix('%'))
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    let hundredths = u64::from(pods) * percent;
    let whole = if round_up {
        hundredths.div_ceil(100)
    } else {
        hundredths / 100
    };
    whole.try_into().unwrap_or(u32::MAX)
}

/// The longest time after which the kubelet still waits for a container to start and become ready.
fn start_budget(container: &Container) -> Duration {
    probe_budget(container.startup_probe.as_deref()) + probe_budget(container.readiness_probe.as_deref())
}

fn probe_budget(probe: Option<&Probe>) -> Duration {
    let Some(probe) = probe else { return Duration::ZERO };
    // Defaults: Kubernetes documentation, "Configure Probes".
    let seconds = |value: Option<i64>, default: u64| value.map_or(default, |v| v.try_into().unwrap_or(0));
    let waits = seconds(probe.period_seconds, 10).saturating_mul(seconds(probe.failure_threshold, 3));
    Duration::from_secs(seconds(probe.initial_delay_seconds, 0).saturating_add(waits))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(spec: &Value) -> Workload {
        let mut object = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
        object["spec"]["template"]["spec"]["containers"] = object["spec"]["template"]["spec"]
            .get("containers")
            .cloned()
            .unwrap_or(json!([{"name": "web"}]));
        Workload::decode(Kind::Deployment, &object).unwrap()
    }

    #[test]
    fn a_plain_workload_gets_a_minute_and_a_half_of_start_and_grace_for_each_batch() {
        let pace = Pace::of(&deployment(&json!({"replicas": 10})));
        assert_eq!(pace.step, Duration::from_secs(135)); // (60 + 30) x 1.5
        assert_eq!(pace.steps, 2); // 10 pods, 3 added and 2 taken away at one time
        assert_eq!(pace.limit(Duration::from_mins(15), None), Duration::from_mins(15));
    }

    #[test]
    fn story_14_slow_start_and_many_batches_stretch_the_deadline() {
        let slow = deployment(&json!({
            "replicas": 100, "minReadySeconds": 30,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "template": {"spec": {
                "containers": [{"name": "web", "startupProbe": {"periodSeconds": 10, "failureThreshold": 180}}],
            }}
        }));
        let pace = Pace::of(&slow);
        assert_eq!(pace.steps, 100);
        assert_eq!(pace.step, Duration::from_mins((1 + 30 + 1) * 3 / 2));
        assert!(pace.limit(Duration::from_mins(15), None) > Duration::from_hours(24));
    }

    #[test]
    fn twice_the_last_rollout_counts_when_it_was_longer() {
        let pace = Pace::of(&deployment(&json!({"replicas": 1})));
        let limit = pace.limit(Duration::from_mins(15), Some(Duration::from_mins(20)));
        assert_eq!(limit, Duration::from_mins(40));
    }

    #[test]
    fn surge_and_unavailable_are_resolved_as_kubernetes_does() {
        let with = |surge: Value, unavailable: Value| {
            deployment(&json!({
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
            }))
        };
        assert_eq!(surge_and_unavailable(&with(json!("25%"), json!("25%")), 10), (3, 2));
        assert_eq!(surge_and_unavailable(&with(json!(0), json!(0)), 10), (0, 1));
        assert_eq!(surge_and_unavailable(&with(json!("100%"), json!(0)), 3), (3, 0));
        let recreate = deployment(&json!({"strategy": {"type": "Recreate"}}));
        assert_eq!(surge_and_unavailable(&recreate, 3), (0, 3));
    }
}
