//! What is wrong: every control that some policy asks for, judged on one object.
//!
//! Evaluation cannot fail. What could not be looked at is a gap in the result, shown and counted.

use crate::controls::{Control, Evidence, Gap, Parameters, Verdict};
use crate::model::{ObjectRef, OwnerReference};
use crate::policy::{Mode, PolicyId};

/// One control on one object.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The control.
    pub control: &'static Control,
    /// The object that was judged: a topmost workload, a bare pod or a Namespace.
    pub target: ObjectRef,
    /// The result: the worst that any policy's parameters give.
    pub verdict: Verdict,
    /// What departs from what is expected, with pointers from the root of the object.
    pub evidence: Vec<Evidence>,
    /// What could not be looked at.
    pub gaps: Vec<Gap>,
    /// Why the question does not arise, if it does not.
    pub not_applicable: Option<String>,
    /// What is done about it: the highest vote; for a failure the highest vote among the policies whose own parameters fail.
    pub mode: Mode,
    /// The policies that ask for the control here, sorted.
    pub policies: Vec<PolicyId>,
    /// Policies whose own parameters give another verdict than this finding's; empty unless policies differ in parameters.
    pub dissent: Vec<(PolicyId, Verdict)>,
    /// Exceptions with effect Accept, by the container that they exempt. Such a container is never repaired.
    pub excepted_containers: Vec<(String, String)>,
    /// The exception with effect Accept that covers all of the failure (of several, the first): it counts as excepted, not as failed.
    pub excepted: Option<String>,
    /// The exception with effect HoldRepair that covers some of the failure: it stays failed and is not touched.
    pub hold_repair: Option<String>,
    /// The parameters that the verdict, and a repair, rest on.
    pub parameters: Parameters,
}

impl Finding {
    /// Whether the object fails the control and no exception accepts it.
    pub fn is_failure(&self) -> bool {
        self.verdict == Verdict::Fail && self.excepted.is_none()
    }
}

/// All that is known about one object.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The object.
    pub target: ObjectRef,
    /// One finding per control that some policy asks for here, sorted by control.
    pub findings: Vec<Finding>,
    /// What hides the object as a whole.
    pub gaps: Vec<Gap>,
    /// What controls the object although it cannot be seen: a custom resource, a node. Its controller may undo a repair.
    pub owned_by: Option<OwnerReference>,
}
