//! Follows the HardeningRemediations and tells each transition once, as it happens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ironside_crds::{HardeningRemediation, Phase};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::voice::{Mark, Voice};

/// How often the objects are read.
const PERIOD: Duration = Duration::from_millis(150);

/// What was told already.
#[derive(Default)]
pub(super) struct Story {
    told: BTreeMap<String, (Phase, String)>,
}

impl Story {
    /// Tells what changed until `done` says so, at most for `limit`.
    pub(super) async fn until(
        &mut self,
        client: &Client,
        voice: &Voice,
        limit: Duration,
        what: &str,
        mut done: impl FnMut(&[HardeningRemediation]) -> bool,
    ) -> Result<Vec<HardeningRemediation>> {
        let api: Api<HardeningRemediation> = Api::all(client.clone());
        let began = Instant::now();
        loop {
            let all = api.list(&ListParams::default()).await?.items;
            for remediation in &all {
                self.tell(remediation, voice);
            }
            if done(&all) {
                return Ok(all);
            }
            if began.elapsed() > limit {
                let open: Vec<String> = all
                    .iter()
                    .filter(|r| !is_at_rest(r))
                    .map(|r| format!("{} {:?}/{}", target(r), phase(r), reason(r)))
                    .collect();
                bail!("waited {limit:?} until {what}; still open: {}", open.join(", "));
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    fn tell(&mut self, remediation: &HardeningRemediation, voice: &Voice) {
        let now = (phase(remediation), reason(remediation).to_owned());
        let key = format!(
            "{}/{}",
            remediation.namespace().unwrap_or_default(),
            remediation.name_any()
        );
        if now.1.is_empty() {
            return; // created, its status not written yet
        }
        if self.told.insert(key, now.clone()).as_ref() == Some(&now) {
            return;
        }
        let status = remediation.status.clone().unwrap_or_default();
        if now == (Phase::Pending, "Preview".to_owned()) {
            return; // `ironside plan` has just said so
        }
        if now == (Phase::Held, "Quarantined".to_owned()) && status.message.starts_with("rolled back") {
            // Failing, undoing and holding can all lie between two looks.
            let failed = status
                .memory
                .failures
                .last()
                .map_or("", |failure| failure.reason.as_str());
            let target = target(remediation);
            voice.event(
                Mark::Bad,
                &format!("{target}: the new pods failed ({failed}); put back exactly as it was"),
            );
        }
        let risk = status
            .plan
            .as_ref()
            .map_or_else(String::new, |plan| format!(", risk {:?}", plan.risk));
        let target = target(remediation);
        let message = if status.message.is_empty() {
            status.reason.clone()
        } else {
            status.message.clone()
        };
        let (mark, text) = match now.0 {
            Phase::Pending => (
                Mark::Waiting,
                format!("{target}: {} planned{risk} ({})", status.summary, now.1),
            ),
            Phase::Applying => (Mark::Waiting, format!("{target}: applying {}", status.summary)),
            Phase::Verifying => (
                Mark::Waiting,
                match remediation.spec.target.kind.as_str() {
                    "Namespace" => format!("{target}: policies in place, watching"),
                    _ => format!("{target}: patched, watching the new pods"),
                },
            ),
            Phase::Probation => (Mark::Good, format!("{target}: verified, on probation")),
            Phase::Succeeded => (Mark::Good, format!("{target}: kept")),
            Phase::RollingBack => (Mark::Bad, format!("{target}: the repair broke it, undoing: {message}")),
            Phase::RolledBack => (Mark::Good, format!("{target}: as it was before")),
            Phase::RollbackFailed => (Mark::Bad, format!("{target}: {message}")),
            Phase::Held => (Mark::Waiting, format!("{target}: held: {message}")),
            Phase::Reverting => (Mark::Waiting, format!("{target}: being taken back")),
            Phase::Reverted => (Mark::Good, format!("{target}: taken back")),
            Phase::Closed => (Mark::Good, format!("{target}: nothing left to do")),
        };
        voice.event(mark, &text);
    }
}

/// `Deployment shop/web`.
pub(super) fn target(remediation: &HardeningRemediation) -> String {
    let target = &remediation.spec.target;
    match &target.namespace {
        Some(namespace) => format!("{} {namespace}/{}", target.kind, target.name),
        None => format!("{} {}", target.kind, target.name),
    }
}

/// Where it stands; a new one without a status is Pending.
pub(super) fn phase(remediation: &HardeningRemediation) -> Phase {
    remediation
        .status
        .as_ref()
        .and_then(|status| status.phase)
        .unwrap_or_default()
}

/// Why it stands there.
pub(super) fn reason(remediation: &HardeningRemediation) -> &str {
    remediation.status.as_ref().map_or("", |status| status.reason.as_str())
}

/// What a target is quarantined for, if its repair was put back once.
pub(super) fn put_back(remediation: &HardeningRemediation) -> Option<String> {
    let failures = &remediation.status.as_ref()?.memory.failures;
    let controls: Vec<&str> = failures
        .iter()
        .flat_map(|it| &it.controls)
        .map(String::as_str)
        .collect();
    (!controls.is_empty()).then(|| format!("{} is quarantined for {}", target(remediation), controls.join(", ")))
}

/// Whether nothing more will happen to it without a person or a new cause.
pub(super) fn is_at_rest(remediation: &HardeningRemediation) -> bool {
    match phase(remediation) {
        Phase::Held | Phase::Probation | Phase::Succeeded | Phase::Reverted | Phase::Closed | Phase::RollbackFailed => {
            true
        }
        Phase::Pending => matches!(
            reason(remediation),
            "AwaitingApproval" | "OutsideWindow" | "Paused" | "Unhealthy"
        ),
        Phase::Applying | Phase::Verifying | Phase::RollingBack | Phase::RolledBack | Phase::Reverting => false,
    }
}
