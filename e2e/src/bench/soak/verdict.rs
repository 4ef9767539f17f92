//! What must be true when churn and faults are over.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use anyhow::{Result, ensure};
use ironside_crds::{HardeningRemediation, Phase, RemediationStatus};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use crate::bench::subject::{Subject, mebibytes};
use crate::bench::world::{POLICY, World};
use crate::wait;

/// Backed-off watches and repairs that wait for one another take their time.
const PATIENCE: Duration = Duration::from_mins(10);

/// What the operator could see, at a calm moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sight {
    coverage: f64,
    unknown: f64,
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "coverage {:.2}, {} unknown", self.coverage, self.unknown)
    }
}

/// Waits until all watches work and the operator sees at least what it saw before.
pub(super) async fn until_calm(world: &World<'_>, subject: &Subject, before: Option<Sight>) -> Result<Sight> {
    let judged = f64::from(u32::try_from(world.size.deployments)?);
    wait::until_within(
        PATIENCE,
        "all watches work and nothing is unknown that was not before",
        async || {
            let metrics = subject.scraper().await?.scrape().await?;
            let live = metrics.sum("ironside_watches", &[("standing", "Live")]);
            let all = metrics.sum("ironside_watches", &[]);
            ensure!(all.is_some() && live == all, "{live:?} of {all:?} watches work");
            let count = |result| {
                let labels = [("policy", POLICY), ("control", "POD-009"), ("result", result)];
                metrics.sum("ironside_findings", &labels).unwrap_or_default()
            };
            let seen = count("Pass") + count("Fail");
            ensure!(seen >= judged, "{seen} of {judged} Deployments are judged");
            let coverage = metrics.sum("ironside_coverage_ratio", &[("policy", POLICY)]);
            let unknown = metrics.sum("ironside_findings", &[("result", "Unknown")]);
            let sight = Sight {
                coverage: coverage.unwrap_or_default(),
                unknown: unknown.unwrap_or_default(),
            };
            let before = before.unwrap_or(sight);
            ensure!(
                sight.coverage >= before.coverage && sight.unknown <= before.unknown,
                "{sight}; before it was {before}"
            );
            Ok(sight)
        },
    )
    .await
}

/// Waits until every Deployment that is open has an answer (a record that says why nothing is done) and no repair is under way, and counts the answers.
pub(super) async fn answers(world: &World<'_>) -> Result<String> {
    let deployments: Api<Deployment> = Api::all(world.client.clone());
    let remediations: Api<HardeningRemediation> = Api::all(world.client.clone());
    wait::until_within(PATIENCE, "every drift is answered", async || {
        let mut records: BTreeMap<(String, String), RemediationStatus> = BTreeMap::new();
        for record in remediations.list(&ListParams::default()).await?.items {
            let key = (record.namespace().unwrap_or_default(), record.spec.target.name.clone());
            records.insert(key, record.status.unwrap_or_default());
        }
        for (target, status) in &records {
            let phase = status.phase;
            ensure!(
                phase != Some(Phase::RollbackFailed),
                "the rollback of {target:?} failed"
            );
            ensure!(
                !is_under_way(phase),
                "{target:?} is {phase:?} ({}): {}",
                status.reason,
                status.message
            );
        }
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        for deployment in deployments.list(&ListParams::default()).await?.items {
            let target = (deployment.namespace().unwrap_or_default(), deployment.name_any());
            let answer = if is_open(&deployment) {
                why_open(&target, records.get(&target))?
            } else {
                "closed".to_owned()
            };
            *answers.entry(answer).or_default() += 1;
        }
        let words: Vec<String> = answers
            .iter()
            .map(|(answer, count)| format!("{count} {answer}"))
            .collect();
        Ok(words.join(", "))
    })
    .await
}

fn is_under_way(phase: Option<Phase>) -> bool {
    matches!(
        phase,
        Some(Phase::Applying | Phase::Verifying | Phase::RollingBack | Phase::Reverting)
    )
}

/// What the record of an open Deployment says of why nothing is done for now. Waiting for a moment to start is no answer: it starts, or is held.
fn why_open(target: &(String, String), status: Option<&RemediationStatus>) -> Result<String> {
    let passing = ["RollingOut", "Budget", "Settling", "Unhealthy"];
    let answer = status.filter(|status| {
        let waits = matches!(status.phase, Some(Phase::Held | Phase::Pending));
        waits && !status.reason.is_empty() && !passing.contains(&status.reason.as_str())
    });
    match answer {
        Some(status) => Ok(format!("open and {}", status.reason)),
        None => anyhow::bail!(
            "{target:?} is open; its record says {:?}",
            status.map(|status| (status.phase, &status.reason, &status.message))
        ),
    }
}

fn is_open(deployment: &Deployment) -> bool {
    let pod = deployment.spec.template.spec.as_ref();
    let mut containers = pod.into_iter().flat_map(|pod| &pod.containers);
    containers.any(|container| {
        let context = container.security_context.as_ref();
        context.and_then(|context| context.allow_privilege_escalation) != Some(false)
    })
}

/// Memory of one process after warm-up, sampled every few seconds.
#[derive(Debug, Default)]
pub(super) struct Growth(Vec<u64>);

impl Growth {
    pub(super) fn add(&mut self, bytes: u64) {
        self.0.push(bytes);
    }

    /// The criterion: the median of the last third of the samples is at most a tenth and 2 MiB above that of the first third. Bursts and lists come and go;
    /// what is kept for each event or object that is gone would show here.
    ///
    /// # Errors
    /// Memory grew, or there are too few samples to tell.
    pub(super) fn judge(&self) -> Result<String> {
        let third = self.0.len() / 3;
        ensure!(
            third >= 3,
            "too short to tell whether memory grows: {} samples",
            self.0.len()
        );
        let (first, last) = (median(&self.0[..third]), median(&self.0[self.0.len() - third..]));
        let said = format!(
            "resident memory after warm-up: median {} at first, {} at last",
            mebibytes(first),
            mebibytes(last)
        );
        ensure!(last <= first + first / 10 + (2 << 20), "memory grew; {said}");
        Ok(said)
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_growth_is_told_from_bursts() {
        let judge = |sample: fn(u64) -> u64| {
            let mut growth = Growth::default();
            for number in 0..90 {
                growth.add(sample(number) << 20);
            }
            growth.judge().is_ok()
        };
        assert!(judge(|_| 40));
        assert!(judge(|number| if number % 10 == 0 { 80 } else { 40 }), "bursts");
        assert!(!judge(|number| 40 + number / 6), "a leak");
        assert!(Growth::default().judge().is_err(), "nothing was seen");
    }

    #[test]
    fn waiting_is_no_answer() {
        let status = |phase, reason: &str| RemediationStatus {
            phase: Some(phase),
            reason: reason.to_owned(),
            ..RemediationStatus::default()
        };
        let target = ("shop".to_owned(), "web".to_owned());
        assert!(why_open(&target, Some(&status(Phase::Held, "Fight"))).is_ok());
        assert!(why_open(&target, Some(&status(Phase::Pending, "RollingOut"))).is_err());
        assert!(why_open(&target, Some(&status(Phase::Succeeded, "Verified"))).is_err());
        assert!(why_open(&target, None).is_err());
    }
}
