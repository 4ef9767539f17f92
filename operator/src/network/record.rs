//! What is remembered of a namespace's isolation, in and out of the status of its HardeningRemediation.

use ironside_crds::conditions::{Observed, set, types};
use ironside_crds::remediation::{Change, ChangeOp, HistoryEntry, Plan, Revert, Risk};
use ironside_crds::{
    ConditionStatus, HardeningRemediation, HardeningRemediationSpec, Phase, RemediationStatus, Target, Time,
};
use ironside_engine::controls::Risk as EngineRisk;
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::network::restore::{HOLD, Hold, HoldReason, Revert as EngineRevert};
use ironside_engine::network::{Decision, Memory, NetworkPlan, Step, generate};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// Reasons of a hold, as the status writes them.
pub(super) const DENY_DELETED: &str = "DenyDeleted";
pub(super) const DENY_ALTERED: &str = "DenyAltered";
pub(super) const FIGHT: &str = "Fight";

// Bounds of the status' schema.
const MOST_CHANGES: usize = 64;
const MOST_LINES: usize = 16;
const MOST_HISTORY: usize = 10;
const LONGEST_LINE: usize = 256;
const LONGEST_VALUE: usize = 512;
const LONGEST_MESSAGE: usize = 1024;
const LONGEST_NAME: usize = 200;

/// Name of the remediation of a namespace: kind, name, and a hash that keeps two long names apart.
pub(super) fn name(namespace: &str) -> String {
    let digest = Sha256::digest(format!("v1/Namespace/{namespace}").as_bytes());
    let hash: String = digest
        .iter()
        .take(4)
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(hex_digit)
        .collect();
    let readable: String = namespace.chars().take(LONGEST_NAME).collect();
    format!("namespace-{readable}-{hash}")
}

fn hex_digit(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0')
}

/// A remediation of a namespace, as it is created.
pub(super) fn fresh(namespace: &str) -> HardeningRemediation {
    let target = Target {
        api_version: Kind::Namespace.api_version().to_owned(),
        kind: Kind::Namespace.name().to_owned(),
        namespace: None,
        name: namespace.to_owned(),
    };
    let spec = HardeningRemediationSpec { target, decision: None };
    let mut remediation = HardeningRemediation::new(&name(namespace), spec);
    remediation.metadata.namespace = Some(namespace.to_owned());
    remediation
}

/// What a status remembers.
pub(super) fn memory(status: &RemediationStatus) -> Memory {
    let reverts: Vec<EngineRevert> = status
        .memory
        .reverts
        .iter()
        .map(|revert| EngineRevert {
            manager: revert.manager.clone(),
            time: revert.time.timestamp(),
        })
        .collect();
    Memory {
        closed: matches!(
            status.phase,
            Some(Phase::Verifying | Phase::Probation | Phase::Succeeded)
        ),
        hold: hold(status),
        reverts,
    }
}

fn hold(status: &RemediationStatus) -> Option<Hold> {
    if status.phase != Some(Phase::Held) {
        return None;
    }
    let last = status.memory.reverts.last().map(|revert| revert.manager.clone());
    let manager = || last.unwrap_or_default();
    let why = match status.reason.as_str() {
        DENY_DELETED => HoldReason::DenyDeleted,
        DENY_ALTERED => HoldReason::DenyAltered(manager()),
        FIGHT => HoldReason::Fight(manager()),
        _ => return None,
    };
    let since = status.history.last()?.time.timestamp();
    Some(Hold {
        until: since + HOLD,
        why,
    })
}

/// Reason of a hold in the status.
pub(super) const fn hold_reason(why: &HoldReason) -> &'static str {
    match why {
        HoldReason::DenyDeleted => DENY_DELETED,
        HoldReason::DenyAltered(_) => DENY_ALTERED,
        HoldReason::Fight(_) => FIGHT,
    }
}

/// Notes somebody else's change of one of our policies.
pub(super) fn note_reverts(status: &mut RemediationStatus, memory: &Memory) {
    status.memory.reverts = memory
        .reverts
        .iter()
        .map(|revert| Revert {
            manager: short(&revert.manager, 128),
            time: revert.time.into(),
        })
        .collect();
}

/// Moves a status on: phase, reason, message, the plan that is shown, history and conditions.
pub(super) fn enter(
    before: &RemediationStatus,
    plan: &NetworkPlan,
    (phase, reason, message): (Phase, &str, &str),
    by: Option<&str>,
    generation: i64,
    now: Timestamp,
) -> RemediationStatus {
    let mut status = before.clone();
    let moved = before.phase != Some(phase) || before.reason != reason;
    status.phase = Some(phase);
    reason.clone_into(&mut status.reason);
    status.message = short(message, LONGEST_MESSAGE);
    generate::CONTROL.clone_into(&mut status.summary);
    status.observed_generation = Some(generation);
    note_reverts(&mut status, &plan.memory);
    if plan.decision != Decision::Leave {
        status.plan = Some(shown(plan));
    }
    if moved {
        status.history.push(HistoryEntry {
            time: now.into(),
            phase,
            plan: status.plan.as_ref().map(|plan| plan.hash.clone()),
            reason: reason.to_owned(),
            by: by.map(str::to_owned),
        });
        let surplus = status.history.len().saturating_sub(MOST_HISTORY);
        status.history.drain(..surplus);
    }
    conditions(&mut status, generation, now.into());
    status
}

fn conditions(status: &mut RemediationStatus, generation: i64, now: Time) {
    let phase = status.phase.unwrap_or_default();
    let applied = matches!(phase, Phase::Verifying | Phase::Probation | Phase::Succeeded);
    let word = match phase {
        Phase::Held => "Held",
        Phase::Succeeded => "Kept",
        Phase::Verifying => "Soaking",
        Phase::Applying => "Applying",
        Phase::Reverting | Phase::Reverted => "Reverted",
        Phase::Closed => "Closed",
        _ => "Pending",
    };
    let aspects = [
        (types::APPLIED, applied),
        (types::VERIFIED, phase == Phase::Succeeded),
        (types::HELD, phase == Phase::Held),
    ];
    for (type_, holds) in aspects {
        let observed = Observed {
            type_,
            status: ConditionStatus::from(holds),
            reason: word,
            message: status.message.clone(),
        };
        set(&mut status.conditions, observed, Some(generation), now);
    }
}

/// The plan as people read it before they approve: what is written, what stays open, what is cut.
fn shown(plan: &NetworkPlan) -> Plan {
    let written: Vec<Change> = match &plan.decision {
        // What is approved and kept, whether or not something has to be written for it now.
        Decision::Isolate | Decision::Keep => plan
            .wanted
            .iter()
            .map(|policy| Change {
                path: path(&policy.name),
                op: ChangeOp::Add,
                from: None,
                to: Some(short(&policy.object["spec"].to_string(), LONGEST_VALUE)),
                owner: None,
                control: generate::CONTROL.to_owned(),
            })
            .collect(),
        _ => plan.steps.iter().map(removed).collect(),
    };
    Plan {
        hash: plan.hash.0.clone(),
        controls: [generate::CONTROL.to_owned()].into(),
        changes: written.into_iter().take(MOST_CHANGES).collect(),
        risk: match plan.risk {
            EngineRisk::Low => Risk::Low,
            EngineRisk::Medium => Risk::Medium,
            EngineRisk::High => Risk::High,
        },
        risk_reasons: lines(plan.risk_reasons.iter().cloned()),
        restart: None,
        evidence: lines(plan.exposures.iter().map(ToString::to_string)),
    }
}

fn removed(step: &Step) -> Change {
    Change {
        path: path(step.name()),
        op: match step {
            Step::Apply(_) => ChangeOp::Replace,
            Step::Delete { .. } => ChangeOp::Remove,
        },
        from: None,
        to: None,
        owner: None,
        control: generate::CONTROL.to_owned(),
    }
}

fn path(policy: &str) -> String {
    format!("/networkpolicies/{policy}")
}

fn lines(lines: impl Iterator<Item = String>) -> Vec<String> {
    lines.take(MOST_LINES).map(|line| short(&line, LONGEST_LINE)).collect()
}

/// The beginning of a text, at most so many characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

/// The Namespace as a target.
pub(super) fn target(namespace: &str) -> ObjectRef {
    ObjectRef::new(Kind::Namespace, "", namespace)
}
