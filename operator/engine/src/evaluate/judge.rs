//! One control, one object, one set of parameters: the verdict, whatever happens on the way.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use jiff::Timestamp;

use super::memo::{Key, Memo};
use crate::components::{configured, processes};
use crate::controls::{
    Check, Component, Control, Evidence, Gap, Judgement, NamespaceScope, ObjectScope, Parameters, Responsibility,
    Verdict, WorkloadScope,
};
use crate::model::{Kind, Namespace, ObjectRef, Workload};
use crate::world::{Reading, Snapshot};

/// What there is to judge.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// A workload, and its name.
    Workload(&'a Workload, &'a ObjectRef),
    Namespace(&'a Namespace),
    /// Any other object.
    Object(&'a ObjectRef),
    /// The object exists, but nothing of it can be judged.
    Hidden(&'a Gap),
}

/// The result of one check. Pointers are still relative to the pod template.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Judged {
    pub(super) verdict: Option<Verdict>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) gaps: Vec<Gap>,
    pub(super) not_applicable: Option<String>,
}

impl Judged {
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::NotApplicable)
    }

    fn unknown(gap: Gap) -> Self {
        Self {
            verdict: Some(Verdict::Unknown),
            gaps: vec![gap],
            ..Self::default()
        }
    }
}

impl From<Judgement> for Judged {
    fn from(judgement: Judgement) -> Self {
        let verdict = Some(judgement.verdict());
        let (evidence, gaps, not_applicable) = judgement.into_parts();
        Self {
            verdict,
            evidence,
            gaps,
            not_applicable,
        }
    }
}

/// Whether the control asks something about the object. `components`: those that it runs or configures.
pub(super) fn concerns(control: &Control, kind: Kind, components: &[Component]) -> bool {
    match control.check {
        Check::Component(..) if kind == Kind::Component => components.contains(&control.component),
        Check::Component(..) if kind == Kind::Node => control.needs.iter().any(|need| need.kind == kind),
        Check::Component(of, _) => of.iter().any(|component| components.contains(component)),
        _ => control.judges(kind),
    }
}

/// The components that an object is, runs or configures.
pub(super) fn components(world: &Snapshot, subject: Subject<'_>) -> Vec<Component> {
    match subject {
        Subject::Workload(workload, _) => processes(&workload.template.spec)
            .map(|process| process.component)
            .collect(),
        Subject::Object(target) if target.kind == Kind::Component => Component::of_target(target).into_iter().collect(),
        Subject::Object(target) => configured(world, target),
        Subject::Namespace(_) | Subject::Hidden(_) => Vec::new(),
    }
}

/// The gap that hides an object as a whole, if one does.
pub(super) fn hidden(world: &Snapshot, target: &ObjectRef) -> Option<Gap> {
    if let Some(reason) = world.unreadable.get(target) {
        return Some(Gap {
            reason: "Unreadable",
            message: format!("{target} cannot be read: {reason}"),
            responsibility: Responsibility::SelfManaged,
        });
    }
    if let Reading::Unavailable(gap) = world.reading(target.kind, &target.namespace) {
        return Some(gap.clone());
    }
    (target.kind.is_workload() && world.workload(target).is_none()).then(|| Gap {
        reason: "OwnerNotSeen",
        message: format!("{target} was made by an object that could not be looked at and is judged through it"),
        responsibility: Responsibility::SelfManaged,
    })
}

/// Judges. Checks that see the template only are asked once per template.
pub(super) fn judge(
    memo: &mut Memo,
    world: &Snapshot,
    subject: Subject<'_>,
    control: &'static Control,
    parameters: &Arc<Parameters>,
    now: Timestamp,
) -> Arc<Judged> {
    match (subject, control.check) {
        (Subject::Hidden(gap), _) => Arc::new(Judged::unknown(gap.clone())),
        (Subject::Workload(workload, _), Check::EachContainer(_) | Check::Template(_)) => {
            let key = || Key {
                template: workload.template.hash,
                control: control.id,
                parameters: Arc::clone(parameters),
                minor: world.minor,
            };
            memo.get(key, || {
                guarded(control, || control.judge_workload(&scope(world, workload, parameters)))
            })
        }
        (Subject::Workload(workload, target), check) => {
            let at = ObjectScope {
                target,
                world,
                now: None,
                parameters,
            };
            Arc::new(match (missing(world, control, &target.namespace), check) {
                (Some(gap), _) => Judged::unknown(gap),
                (None, Check::Object(..) | Check::Component(..)) => guarded(control, || control.judge_object(&at)),
                (None, _) => guarded(control, || control.judge_workload(&scope(world, workload, parameters))),
            })
        }
        (Subject::Namespace(namespace), _) => {
            let at = NamespaceScope {
                namespace,
                world,
                parameters,
            };
            Arc::new(match missing(world, control, &namespace.metadata.name) {
                Some(gap) => Judged::unknown(gap),
                None => guarded(control, || control.judge_namespace(&at)),
            })
        }
        (Subject::Object(target), _) => {
            let at = ObjectScope {
                target,
                world,
                now: Some(now),
                parameters,
            };
            // A component has more than one witness: what of it cannot be read is told by its own evidence.
            let missing = match target.kind {
                Kind::Component => None,
                _ => missing(world, control, &target.namespace),
            };
            Arc::new(match missing {
                Some(gap) => Judged::unknown(gap),
                None => guarded(control, || control.judge_object(&at)),
            })
        }
    }
}

fn scope<'a>(world: &'a Snapshot, workload: &'a Workload, parameters: &'a Parameters) -> WorkloadScope<'a> {
    WorkloadScope {
        workload,
        world,
        parameters,
    }
}

/// Why something that the control must read beside its object cannot be read.
fn missing(world: &Snapshot, control: &Control, namespace: &str) -> Option<Gap> {
    control.needs.iter().find_map(|need| {
        let namespace = if need.kind.namespaced() { namespace } else { "" };
        match world.reading(need.kind, namespace) {
            Reading::Unavailable(gap) => Some(gap.clone()),
            Reading::Partial | Reading::Complete => None,
        }
    })
}

/// A check that panics is a gap of its control on this object and nothing more.
fn guarded(control: &Control, check: impl FnOnce() -> Judgement) -> Judged {
    match catch_unwind(AssertUnwindSafe(check)) {
        Ok(judgement) => judgement.into(),
        Err(panic) => Judged::unknown(Gap {
            reason: "CheckPanicked",
            message: format!(
                "the check of {} failed inside Ironside ({}); this is a fault of Ironside, please report it with the object",
                control.id,
                words(&*panic)
            ),
            responsibility: Responsibility::SelfManaged,
        }),
    }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::ControlId;

    static BROKEN: Control = Control {
        id: ControlId::new("POD-999"),
        check: Check::Template(|at, _| {
            let containers = &at.spec().containers;
            assert!(containers.len() < 2, "cannot count to {}", containers.len());
        }),
        ..Control::WORKLOAD
    };

    #[test]
    fn a_check_that_panics_is_a_gap() {
        let template =
            serde_json::json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}, {"name": "b"}]}}}});
        let workload = Workload::decode(Kind::Deployment, &template).unwrap();
        let judged = judge(
            &mut Memo::default(),
            &Snapshot::default(),
            Subject::Workload(&workload, &workload.reference()),
            &BROKEN,
            &Arc::default(),
            crate::testing::now(),
        );
        assert_eq!(judged.verdict(), Verdict::Unknown);
        assert_eq!(judged.gaps[0].reason, "CheckPanicked");
        assert!(
            judged.gaps[0].message.contains("cannot count to 2"),
            "{}",
            judged.gaps[0].message
        );
    }
}
