//! The result of one check on one object: four verdicts, each with its evidence.

use serde_json::Value;

use super::ContainerScope;
use crate::model::{ContainerKind, FieldOwner};

/// Result of a control on an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The control's question does not arise here; neither score nor coverage count it.
    NotApplicable,
    /// As it should be.
    Pass,
    /// It could not be looked at. Lowers coverage, never raises the score.
    Unknown,
    /// Not as it should be.
    Fail,
}

/// Who can make an unknown thing visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Responsibility {
    SelfManaged,
    Provider,
}

impl Responsibility {
    /// Name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SelfManaged => "Self",
            Self::Provider => "Provider",
        }
    }
}

/// Why something could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// CamelCase reason, such as `PermissionDenied`, `ServiceAccountMissing`, `CheckPanicked`.
    pub reason: &'static str,
    /// Sentence for people.
    pub message: String,
    /// Who can change it.
    pub responsibility: Responsibility,
}

/// One observed value that departs from what is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// JSON pointer of the field. Inside a [`Judgement`] relative to the pod template; in a finding from the root of the object.
    pub pointer: String,
    /// Container, if the field is one's.
    pub container: Option<String>,
    /// The value found, `None` where the field is absent. Never a secret value.
    pub observed: Option<Value>,
    /// What would pass, in words or as the literal.
    pub expected: String,
    /// Who wrote the field last, where managed fields tell.
    pub owner: Option<FieldOwner>,
}

/// The part of an object that a check looks at. Its pointer is written where something is wrong with it, which is seldom.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// What is below a JSON pointer.
    Below(String),
    /// A container of a pod template, by its list and its index.
    Container(ContainerKind, usize),
}

impl Default for Part {
    fn default() -> Self {
        Self::Below(String::new())
    }
}

impl Part {
    /// The JSON pointer of what is at `pointer` below this part.
    fn pointer(&self, pointer: &str) -> String {
        match self {
            Self::Below(prefix) => format!("{prefix}{pointer}"),
            Self::Container(kind, index) => format!("/spec/{}/{index}{pointer}", kind.field()),
        }
    }
}

/// Collects what a check sees. A fresh judgement that nothing was added to means NotApplicable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judgement {
    part: Part,
    container: Option<String>,
    passed: u32,
    failures: Vec<Evidence>,
    gaps: Vec<Gap>,
    not_applicable: Option<String>,
    witnessed: bool,
}

impl Judgement {
    /// Enters a part of the object: following fields are below `prefix` (a JSON pointer), and belong to `container` if given.
    pub fn enter(&mut self, prefix: String, container: Option<&str>) {
        self.part = Part::Below(prefix);
        self.container = container.map(str::to_owned);
    }

    /// Enters a container of the pod template.
    pub fn enter_container(&mut self, at: &ContainerScope<'_>) {
        self.part = Part::Container(at.kind, at.index);
        self.container = Some(at.container.name.clone());
    }

    /// Judges one field, given as a dotted path below the current part (`securityContext.privileged`).
    pub fn expect<T: PartialEq + Into<Value> + Clone>(&mut self, path: &str, observed: Option<T>, expected: T) {
        if observed.as_ref() == Some(&expected) {
            self.pass();
        } else {
            let text = expected.into().to_string();
            self.fail(path, observed.map(Into::into), text.trim_matches('"'));
        }
    }

    /// Judges one field that must not have one value; any other and none are fine.
    pub fn reject<T: PartialEq + Into<Value>>(
        &mut self,
        path: &str,
        observed: Option<T>,
        rejected: &T,
        expected: &str,
    ) {
        if observed.as_ref() == Some(rejected) {
            self.fail(path, observed.map(Into::into), expected);
        } else {
            self.pass();
        }
    }

    /// Something was looked at and is as it should be.
    pub fn pass(&mut self) {
        self.passed += 1;
    }

    /// A field departs from what is expected. `path` is dotted, below the current part.
    pub fn fail(&mut self, path: &str, observed: Option<Value>, expected: &str) {
        let mut pointer = String::new();
        for step in path.split('.').filter(|step| !step.is_empty()) {
            pointer.push('/');
            pointer.push_str(step);
        }
        self.fail_at(&pointer, observed, expected);
    }

    /// Like [`Judgement::fail`], for a field whose name holds dots: `pointer` is a JSON pointer below the current part.
    pub fn fail_at(&mut self, pointer: &str, observed: Option<Value>, expected: &str) {
        self.failures.push(Evidence {
            pointer: self.part.pointer(pointer),
            container: self.container.clone(),
            observed,
            expected: expected.to_owned(),
            owner: None,
        });
    }

    /// The question does not arise for this part, with the reason.
    pub fn not_applicable(&mut self, reason: &str) {
        self.not_applicable.get_or_insert_with(|| reason.to_owned());
    }

    /// Something could not be looked at. Once is enough: a check may come to it on several ways.
    pub fn unknown(&mut self, gap: Gap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// What was said of a component rests on what the check found by itself, such as versions that nodes report: neither a process nor a document has to be
    /// seen beside it.
    pub fn witness(&mut self) {
        self.witnessed = true;
    }

    /// Whether the check said so, and anything at all.
    pub fn is_witnessed(&self) -> bool {
        self.witnessed && !self.says_nothing()
    }

    /// The verdict: a failure outweighs a gap, a gap outweighs a pass.
    pub fn verdict(&self) -> Verdict {
        if !self.failures.is_empty() {
            Verdict::Fail
        } else if !self.gaps.is_empty() {
            Verdict::Unknown
        } else if self.passed > 0 {
            Verdict::Pass
        } else {
            Verdict::NotApplicable
        }
    }

    /// Whether nothing was added: the check had nothing to look at.
    pub fn says_nothing(&self) -> bool {
        self.passed == 0 && self.failures.is_empty() && self.gaps.is_empty() && self.not_applicable.is_none()
    }

    /// Failures, gaps and the reason why the question does not arise.
    pub(crate) fn into_parts(self) -> (Vec<Evidence>, Vec<Gap>, Option<String>) {
        (self.failures, self.gaps, self.not_applicable)
    }

    /// Failures in the order they were found.
    pub fn failures(&self) -> &[Evidence] {
        &self.failures
    }

    /// What could not be looked at.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// Why the question does not arise, if it does not.
    pub fn reason_not_applicable(&self) -> Option<&str> {
        self.not_applicable.as_deref()
    }
}
