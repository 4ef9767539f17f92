//! One workload's findings to its plan.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::applied::{ANNOTATION, LONGEST, Malformed, annotation, parse_annotation};
use super::owner::{Owner, owners_of};
use super::patch::{Built, Guard, build};
use super::place::Place;
use super::proposals::{Wishes, collect};
use super::risk::{RestartRisk, assess};
use super::standing::{Standing, invalid_template, standing};
use super::undo::still_in_place;
use super::{Application, Change, Disposition, Held, Plan, PlanHash, fields, hash, image};
use crate::controls::{CONTROLS, ControlId, RepairBy, Risk};
use crate::evaluate::{Evaluation, Finding};
use crate::model::Workload;
use crate::policy::{Limits, Mode, Route};
use crate::world::Snapshot;

/// Most changes that a Remediation can show; what cannot be shown cannot be approved.
const MOST_CHANGES: usize = 64;

/// Fields whose repair rests on what the running image does: an approval is for that image.
const OF_THE_IMAGE: [&str; 4] = ["runAsNonRoot", "runAsUser", "runAsGroup", "readOnlyRootFilesystem"];

/// Plans the repair of one workload: at most one plan, and one patch in it, whatever the number of findings. `None` where there is nothing that a policy wants
/// planned: no failure with a repair in mode Preview or Enforce, or the object is on its way out. Repairs of namespaces are planned by `network`.
pub fn plan(world: &Snapshot, evaluation: &Evaluation, limits: &Limits, now: Timestamp) -> Option<Plan> {
    plan_without(world, evaluation, limits, now, &BTreeSet::new())
}

/// The same without controls whose repair broke this workload before: one that does not fit must not keep the others from it.
pub fn plan_without(
    world: &Snapshot,
    evaluation: &Evaluation,
    limits: &Limits,
    now: Timestamp,
    quarantined: &BTreeSet<ControlId>,
) -> Option<Plan> {
    let mut plan = make(world, evaluation, limits, now, quarantined)?;
    if matches!(plan.disposition, Disposition::NotRepairable(_)) {
        plan.patch = json_patch::Patch::default();
        plan.undo = json_patch::Patch::default();
    }
    debug_assert_eq!(super::lint(&plan, world), Vec::<String>::new(), "{plan:#?}");
    Some(plan)
}

/// The same repair for the text that an object is created from. It keeps its patch where the object in a cluster could not be changed (a pod, a Job): what stands
/// in Git can.
pub fn plan_source(world: &Snapshot, evaluation: &Evaluation, limits: &Limits, now: Timestamp) -> Option<Plan> {
    make(world, evaluation, limits, now, &BTreeSet::new())
}

fn make(
    world: &Snapshot,
    evaluation: &Evaluation,
    limits: &Limits,
    now: Timestamp,
    quarantined: &BTreeSet<ControlId>,
) -> Option<Plan> {
    let workload = world.workload(&evaluation.target)?;
    if leaving(world, workload) {
        return None;
    }
    let wanted: Vec<&Finding> = evaluation
        .findings
        .iter()
        .filter(|finding| is_wanted(finding))
        .collect();
    if wanted.is_empty() {
        return None;
    }
    let plan = Planning {
        world,
        workload,
        owners: owners_of(workload, evaluation.owned_by.as_ref()),
        limits,
        now,
        quarantined,
    }
    .plan(&wanted);
    if plan.changes.is_empty() && plan.disposition == Disposition::Ready {
        return None; // Every container that fails is spared by an exception.
    }
    Some(plan)
}

fn leaving(world: &Snapshot, workload: &Workload) -> bool {
    let namespace = world.namespace(&workload.meta.namespace);
    workload.meta.deletion_timestamp.is_some() || namespace.is_some_and(|namespace| namespace.is_terminating())
}

fn is_wanted(finding: &Finding) -> bool {
    let edits_templates = finding
        .control
        .repair
        .is_some_and(|repair| matches!(repair.by, RepairBy::EachContainer(_) | RepairBy::Template(_)));
    finding.is_failure() && finding.mode >= Mode::Preview && edits_templates
}

/// What all steps of planning one workload look at.
struct Planning<'a> {
    world: &'a Snapshot,
    workload: &'a Workload,
    owners: Vec<Owner>,
    limits: &'a Limits,
    now: Timestamp,
    quarantined: &'a BTreeSet<ControlId>,
}

impl Planning<'_> {
    fn plan(&self, wanted: &[&Finding]) -> Plan {
        let template = self.editable_template();
        let (mut active, preview, mut left_out) = divide(wanted);
        active.retain(|finding| {
            let control = finding.control.id;
            let fits = !self.quarantined.contains(&control);
            if !fits {
                let controls = control.to_string();
                left_out.push((control, Held::Quarantined { controls }));
            }
            fits
        });
        let mut wishes = if template.is_null() {
            Wishes::default()
        } else {
            let routes = self.limits.owners;
            collect(self.world, self.workload, &template, &active, &|edit| {
                fields::veto(self.workload, &template, &self.owners, routes, edit)
            })
        };
        left_out.append(&mut wishes.left_out);
        let guard = Guard {
            kind: self.workload.kind,
            uid: &self.workload.meta.uid,
            generation: self.workload.meta.generation,
        };
        let leaves = std::mem::take(&mut wishes.leaves);
        let built = build(guard, &template, leaves, &self.workload.meta.managed_fields).unwrap_or_else(|held| {
            left_out.extend(wishes.risks.keys().map(|control| (*control, held.clone())));
            wishes.risks.clear();
            Built::nothing()
        });
        left_out.sort();
        left_out.dedup();
        let (earlier, record_held) = self.earlier(&template);
        let restart = assess(self.world, self.workload, &earlier, self.now);
        let (risk, risk_reasons) = overall(&wishes, &restart);
        let controls: Vec<ControlId> = if template.is_null() {
            active.iter().map(|finding| finding.control.id).collect()
        } else {
            wishes.risks.keys().copied().collect()
        };
        let answered = |finding: &&&Finding| built.changes.is_empty() || controls.contains(&finding.control.id);
        let mut plan = Plan {
            target: self.workload.reference(),
            uid: self.workload.meta.uid.clone(),
            generation: self.workload.meta.generation,
            template: self.workload.template.hash,
            judged: active
                .iter()
                .filter(|finding| controls.contains(&finding.control.id))
                .map(|finding| (finding.control.id, (*finding.parameters).clone()))
                .collect(),
            evidence: active
                .iter()
                .filter(answered)
                .flat_map(|finding| finding.evidence.iter().cloned())
                .collect(),
            controls,
            image_digests: self.image_digests(&built.changes),
            changes: built.changes,
            patch: built.patch,
            undo: built.undo,
            risk,
            risk_reasons,
            irreversible: restart.irreversible,
            restart: restart.restart,
            left_out,
            spared: wishes.spared,
            earlier,
            preview,
            hash: PlanHash::default(),
            disposition: Disposition::Ready,
        };
        plan.hash = hash::of(&plan);
        plan.disposition = self.disposition(&plan, record_held);
        plan
    }

    /// The template as JSON; null where none is kept (ReplicaSets) or where it could never be valid.
    fn editable_template(&self) -> Value {
        match invalid_template(self.workload) {
            Some(_) => Value::Null,
            None => self.workload.template.json(),
        }
    }

    fn disposition(&self, plan: &Plan, record_held: Option<Held>) -> Disposition {
        let mut held = match standing(self.world, self.workload) {
            Standing::NotRepairable(instead) => return Disposition::NotRepairable(instead),
            Standing::Patch(held) => held,
        };
        held.extend(
            self.owners
                .iter()
                .filter(|owner| owner.route(self.limits.owners) == Route::Propose)
                .map(Owner::held),
        );
        held.extend(record_held);
        held.extend(too_much_to_show(plan).or_else(|| too_much_to_record(plan)));
        if plan.changes.is_empty() {
            held.extend(plan.left_out.iter().map(|(_, held)| held.clone()));
        }
        let mut seen = BTreeSet::new();
        held.retain(|held| seen.insert(held.clone()));
        if held.is_empty() {
            Disposition::Ready
        } else {
            Disposition::Held(held)
        }
    }

    /// Earlier repairs that are in place, from the record on the object; and why nothing may be added to that record, if so.
    fn earlier(&self, template: &Value) -> (Vec<Application>, Option<Held>) {
        let Some(text) = self.workload.meta.annotations.get(ANNOTATION) else {
            return (Vec::new(), None);
        };
        let record = match parse_annotation(text) {
            Ok(record) => record,
            Err(newer @ Malformed::Newer(_)) => {
                let what = format!("{newer}, so what it says could not be kept");
                return (Vec::new(), Some(Held::Irreversible { what }));
            }
            // Not ours, or somebody broke it: nothing in it can be believed.
            Err(_) => return (Vec::new(), None),
        };
        if record.uid != self.workload.meta.uid {
            return (Vec::new(), None);
        }
        let object = super::patch::around(self.workload.kind, template);
        (still_in_place(&record, self.workload.kind, &object, CONTROLS), None)
    }

    /// Digests that the pods of the present template run, for containers whose repair rests on what their image does.
    fn image_digests(&self, changes: &[Change]) -> Vec<(String, String)> {
        let containers: BTreeSet<&str> = changes
            .iter()
            .filter(|change| {
                let place = Place::of(self.workload.kind, &change.pointer);
                place.is_some_and(|place| {
                    let field = place.steps.last().map_or("", String::as_str);
                    OF_THE_IMAGE.contains(&field)
                })
            })
            .filter_map(|change| change.container.as_deref())
            .collect();
        let set = self
            .world
            .new_replica_set(self.workload)
            .map(|set| set.meta.uid.as_str());
        let digests: BTreeSet<(String, String)> = self
            .world
            .pods_of(self.workload)
            .into_iter()
            .filter(|pod| set.is_none() || pod.metadata.controller().map(|owner| owner.uid.as_str()) == set)
            .flat_map(|pod| {
                pod.status
                    .container_statuses
                    .iter()
                    .chain(&pod.status.init_container_statuses)
            })
            .filter(|status| containers.contains(status.name.as_str()))
            .filter_map(|status| Some((status.name.clone(), image::digest(&status.image_id)?.to_owned())))
            .collect();
        digests.into_iter().collect()
    }
}

/// The findings that are planned, whether all of them are only previewed, and the rest with its reason. One patch is sent or not: where some control is enforced
/// the patch holds the enforced ones.
fn divide<'a>(wanted: &[&'a Finding]) -> (Vec<&'a Finding>, bool, Vec<(ControlId, Held)>) {
    let mut left_out = Vec::new();
    let mut active = Vec::new();
    for finding in wanted {
        match &finding.hold_repair {
            Some(name) => left_out.push((finding.control.id, Held::Exception { name: name.clone() })),
            None => active.push(*finding),
        }
    }
    let preview = !active.iter().any(|finding| finding.mode == Mode::Enforce);
    active.retain(|finding| {
        let with_the_patch = preview || finding.mode == Mode::Enforce;
        if !with_the_patch {
            left_out.push((finding.control.id, Held::PreviewOnly));
        }
        with_the_patch
    });
    (active, preview, left_out)
}

/// The highest risk of controls and restart, and every reason above Low, the gravest first.
fn overall(wishes: &Wishes, restart: &RestartRisk) -> (Risk, Vec<String>) {
    let mut reasons: Vec<(Risk, String)> = restart.reasons.clone();
    for (control, (risk, why)) in &wishes.risks {
        if why.is_empty() {
            let breaks = crate::controls::find(control.as_str()).map_or("", |control| control.docs.breaks);
            reasons.push((*risk, format!("{control} can break: {breaks}")));
        }
        reasons.extend(why.iter().map(|why| (*risk, why.clone())));
    }
    let risk = reasons.iter().map(|(risk, _)| *risk).max().unwrap_or(Risk::Low);
    reasons.retain(|(risk, _)| *risk > Risk::Low);
    reasons.sort_by_key(|(risk, _)| std::cmp::Reverse(*risk));
    let mut seen = BTreeSet::new();
    let reasons = reasons
        .into_iter()
        .map(|(_, reason)| reason)
        .filter(|reason| seen.insert(reason.clone()))
        .collect();
    (risk, reasons)
}

fn too_much_to_show(plan: &Plan) -> Option<Held> {
    let changes = plan.changes.len();
    (changes > MOST_CHANGES).then(|| Held::Unclear {
        what: format!("{changes} changes, more than the {MOST_CHANGES} that can be shown for approval"),
    })
}

fn too_much_to_record(plan: &Plan) -> Option<Held> {
    let bytes = annotation(plan, i64::MAX).len();
    (bytes > LONGEST).then(|| Held::Irreversible {
        what: format!("its record would take {bytes} bytes, more than the {LONGEST} of the annotation"),
    })
}
