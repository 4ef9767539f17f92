//! What evaluation gives.

use std::sync::Arc;

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
    /// What is done about it: the highest vote among the policies whose own parameters give this verdict. Nobody else asked for this repair.
    pub mode: Mode,
    /// The policies that ask for the control here, sorted.
    pub policies: Vec<PolicyId>,
    /// Policies whose own parameters give another verdict than this finding's; empty unless policies differ in parameters.
    pub dissent: Vec<(PolicyId, Verdict)>,
    /// Exceptions with effect Accept, by the failing container that they exempt. Such a container is never repaired.
    pub excepted_containers: Vec<(String, String)>,
    /// The exception with effect Accept that covers the failure (of several that do so together, the first): it counts as excepted, not as failed.
    pub excepted: Option<String>,
    /// The exception with effect HoldRepair that covers some of the failure: it stays failed and is not touched.
    pub hold_repair: Option<String>,
    /// The parameters that the verdict, and a repair, rest on.
    pub parameters: Arc<Parameters>,
}

impl Finding {
    /// Whether the object fails the control and no exception accepts it.
    pub fn is_failure(&self) -> bool {
        self.verdict == Verdict::Fail && self.excepted.is_none()
    }

    /// The verdict that a policy's own parameters give; `None` if it does not ask for the control here.
    pub fn verdict_for(&self, policy: &PolicyId) -> Option<Verdict> {
        let dissent = self
            .dissent
            .iter()
            .find(|(id, _)| id == policy)
            .map(|(_, verdict)| *verdict);
        dissent.or_else(|| self.policies.contains(policy).then_some(self.verdict))
    }
}

/// All that is known about one object.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The object.
    pub target: ObjectRef,
    /// One finding per control that some policy asks for here, sorted by control.
    pub findings: Vec<Finding>,
    /// What hides the object as a whole; its findings are Unknown then.
    pub gaps: Vec<Gap>,
    /// What controls the object although it is not judged itself: a custom resource, a node. Its controller may undo a repair.
    pub owned_by: Option<OwnerReference>,
}
