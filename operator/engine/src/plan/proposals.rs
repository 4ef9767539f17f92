//! What the controls' repairs want of one template, and what of it may not be done here.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::Held;
use super::leaves::{Leaf, merge};
use crate::controls::{ControlId, Edit, Proposal, RepairBy, Risk, WorkloadScope};
use crate::evaluate::Finding;
use crate::model::Workload;
use crate::world::Snapshot;

/// Rounds of asking the repairs again; each takes at least one control away from those that another may rely on.
const MOST_ROUNDS: usize = 8;

/// The merged wishes of all controls.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pub leaves: Vec<Leaf>,
    /// Risk of each control that has leaves, with its reasons.
    pub risks: BTreeMap<ControlId, (Risk, Vec<String>)>,
    /// What is not done.
    pub left_out: Vec<(ControlId, Held)>,
    /// Containers that an exception spares.
    pub spared: Vec<(ControlId, String)>,
}

/// Says why an edit may not be made, if so.
pub(super) type Veto<'a> = dyn Fn(&Edit) -> Option<Held> + 'a;

/// Asks every finding's repair. A repair may rely on another one in the same patch, so they are asked again until all that was relied on is really there.
pub(super) fn collect(
    world: &Snapshot,
    workload: &Workload,
    template: &Value,
    findings: &[&Finding],
    veto: &Veto<'_>,
) -> Wishes {
    let mut beside: Vec<ControlId> = findings.iter().map(|finding| finding.control.id).collect();
    let mut wishes = Wishes::default();
    for _ in 0..MOST_ROUNDS {
        wishes = ask(world, workload, template, findings, &beside, veto);
        let whole = wishes.repaired_whole();
        if beside.iter().all(|control| whole.contains(control)) {
            break;
        }
        beside.retain(|control| whole.contains(control));
    }
    wishes
}

fn ask(
    world: &Snapshot,
    workload: &Workload,
    template: &Value,
    findings: &[&Finding],
    beside: &[ControlId],
    veto: &Veto<'_>,
) -> Wishes {
    let mut wishes = Wishes::default();
    let mut edits = Vec::new();
    for finding in findings {
        let control = finding.control.id;
        let scope = WorkloadScope {
            workload,
            world,
            parameters: &finding.parameters,
        };
        let asked = catch_unwind(AssertUnwindSafe(|| finding.control.propose(&scope, template, beside)));
        let Ok(Some(proposal)) = asked else {
            let what = format!("the repair of {control} failed inside Ironside");
            wishes.left_out.push((control, Held::Unclear { what }));
            continue;
        };
        let spared: BTreeSet<&str> = finding
            .excepted_containers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let own = wishes.of_control(finding, proposal, &spared, veto);
        wishes
            .spared
            .extend(spared.iter().map(|name| (control, (*name).to_owned())));
        edits.extend(own);
    }
    let (leaves, contradictions) = merge(template, edits);
    for contradiction in contradictions {
        let controls: Vec<&str> = contradiction.controls.iter().map(|control| control.as_str()).collect();
        for control in &contradiction.controls {
            wishes.risks.remove(control);
            wishes.left_out.push((
                *control,
                Held::Contradiction {
                    pointer: format!("{}{}", Workload::template_pointer(workload.kind), contradiction.pointer),
                    controls: controls.join(", "),
                },
            ));
        }
    }
    wishes.leaves = leaves;
    wishes
}

impl Wishes {
    /// Takes one control's proposal apart: what stays, what is left out.
    fn of_control(
        &mut self,
        finding: &Finding,
        proposal: Proposal,
        spared: &BTreeSet<&str>,
        veto: &Veto<'_>,
    ) -> Vec<Edit> {
        let control = finding.control.id;
        let Proposal {
            mut edits,
            risk,
            risk_reasons,
            held,
        } = proposal;
        // A repair of the template as a whole that gives up half-way has edited what it should not.
        let whole_template = finding
            .control
            .repair
            .is_some_and(|repair| matches!(repair.by, RepairBy::Template(_)));
        if whole_template && !held.is_empty() {
            edits.clear();
        }
        self.left_out.extend(held.into_iter().map(|held| (control, held)));
        let mut refused = BTreeSet::new();
        let mut reasons = BTreeSet::new();
        for edit in &edits {
            let container = edit.container.as_ref().map(|(_, _, name)| name.clone());
            if container.as_deref().is_some_and(|name| spared.contains(name)) {
                refused.insert(container);
            } else if let Some(held) = veto(edit) {
                reasons.insert(held);
                refused.insert(container);
            }
        }
        self.left_out.extend(reasons.into_iter().map(|held| (control, held)));
        let of_container = |edit: &Edit| edit.container.as_ref().map(|(_, _, name)| name.clone());
        if refused.contains(&None) {
            edits.clear();
        }
        edits.retain(|edit| !refused.contains(&of_container(edit)));
        let edits = without_unused_volumes(edits);
        if !edits.is_empty() {
            self.risks.insert(control, (risk.unwrap_or(Risk::High), risk_reasons));
        } else if !self.left_out.iter().any(|(id, _)| *id == control) && spared.is_empty() {
            let what = format!("the repair of {control} finds nothing to change");
            self.left_out.push((control, Held::Unclear { what }));
        }
        edits
    }

    /// Controls whose repair is all there.
    fn repaired_whole(&self) -> BTreeSet<ControlId> {
        let partial = |control: &ControlId| {
            self.left_out.iter().any(|(id, _)| id == control) || self.spared.iter().any(|(id, _)| id == control)
        };
        self.risks.keys().copied().filter(|control| !partial(control)).collect()
    }
}

/// A volume is added for a container's mount; if that container's edits are gone, so is the volume.
fn without_unused_volumes(edits: Vec<Edit>) -> Vec<Edit> {
    let is_item_of = |edit: &Edit, list: &str| {
        let (parent, last) = edit.pointer.rsplit_once('/').unwrap_or_default();
        parent.ends_with(list) && last.parse::<usize>().is_ok()
    };
    let mounted: BTreeSet<Option<String>> = edits
        .iter()
        .filter(|edit| is_item_of(edit, "/volumeMounts"))
        .map(|edit| edit.to.get("name").and_then(Value::as_str).map(str::to_owned))
        .collect();
    let used = |edit: &Edit| {
        let name = edit.to.get("name").and_then(Value::as_str).map(str::to_owned);
        !is_item_of(edit, "/spec/volumes") || mounted.contains(&name)
    };
    edits.into_iter().filter(used).collect()
}
