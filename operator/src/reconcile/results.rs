//! What is known about each object: findings and plan, in immutable shards by namespace, with counts kept beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_engine::controls::{ControlId, Verdict};
use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::plan::Plan;
use ironside_engine::policy::{Limits, Mode, PolicyId};

/// Everything about one object.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Findings and gaps.
    pub evaluation: Evaluation,
    /// The highest vote over what fails: what is done about the object. Disabled when nothing fails.
    pub mode: Mode,
    /// Bounds of a repair here; the default ones where no policy enforces.
    pub limits: Arc<Limits>,
    /// What would be changed, where some policy asks for it (mode Preview or Enforce).
    pub plan: Option<Plan>,
}

impl Outcome {
    /// Failures that no exception accepts.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.evaluation.findings.iter().filter(|finding| finding.is_failure())
    }
}

/// Number of objects by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The five results, by name.
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub not_applicable: u64,
    pub unknown: u64,
    pub excepted: u64,
}

impl Counts {
    /// Counts one object.
    pub const fn add(&mut self, verdict: Verdict, excepted: bool) {
        match verdict {
            Verdict::Fail if excepted => self.excepted += 1,
            Verdict::Fail => self.failed += 1,
            Verdict::Pass => self.passed += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::NotApplicable => self.not_applicable += 1,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            not_applicable: self.not_applicable + other.not_applicable,
            unknown: self.unknown + other.unknown,
            excepted: self.excepted + other.excepted,
        }
    }

    /// Each result with its name in metrics, in a fixed order.
    pub const fn by_result(self) -> [(&'static str, u64); 5] {
        [
            ("Pass", self.passed),
            ("Fail", self.failed),
            ("Unknown", self.unknown),
            ("Excepted", self.excepted),
            ("NotApplicable", self.not_applicable),
        ]
    }
}

/// Counts by policy and control.
pub type Tally = BTreeMap<(PolicyId, ControlId), Counts>;

/// What came of judging an object anew; `None` means that it is gone.
pub type News = (ObjectRef, Option<Arc<Outcome>>);

/// The results of one namespace, its Namespace object included.
#[derive(Clone, Debug, Default)]
pub struct NamespaceResults {
    /// By object.
    pub outcomes: BTreeMap<ObjectRef, Arc<Outcome>>,
    /// Counts of `outcomes`.
    pub tally: Tally,
}

/// All results. Cheap to clone; a change copies one namespace.
#[derive(Clone, Debug, Default)]
pub struct Results {
    namespaces: Arc<BTreeMap<Arc<str>, Arc<NamespaceResults>>>,
}

impl Results {
    /// What is known about an object.
    pub fn get(&self, target: &ObjectRef) -> Option<&Arc<Outcome>> {
        self.namespaces.get(shard_of(target))?.outcomes.get(target)
    }

    /// Everything, by namespace.
    pub fn namespaces(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<NamespaceResults>)> {
        self.namespaces.iter()
    }

    /// Every object that was judged.
    pub fn outcomes(&self) -> impl Iterator<Item = (&ObjectRef, &Arc<Outcome>)> {
        self.namespaces.values().flat_map(|namespace| namespace.outcomes.iter())
    }

    /// Counts over all namespaces.
    pub fn tally(&self) -> Tally {
        let mut sum = Tally::new();
        for namespace in self.namespaces.values() {
            for (key, counts) in &namespace.tally {
                let of_key = sum.entry(key.clone()).or_default();
                *of_key = of_key.plus(*counts);
            }
        }
        sum
    }

    /// Takes in what was judged anew. Counts of the namespaces touched are made up again from what is in them, so they
    /// cannot drift.
    pub fn update(&mut self, news: impl IntoIterator<Item = News>) {
        let mut by_namespace: BTreeMap<Arc<str>, Vec<News>> = BTreeMap::new();
        for (target, outcome) in news {
            by_namespace
                .entry(shard_of(&target).into())
                .or_default()
                .push((target, outcome));
        }
        if by_namespace.is_empty() {
            return;
        }
        let namespaces = Arc::make_mut(&mut self.namespaces);
        for (name, news) in by_namespace {
            let results = Arc::make_mut(namespaces.entry(Arc::clone(&name)).or_default());
            for (target, outcome) in news {
                match outcome {
                    Some(outcome) => results.outcomes.insert(target, outcome),
                    None => results.outcomes.remove(&target),
                };
            }
            results.tally = count(results.outcomes.values());
            if results.outcomes.is_empty() {
                namespaces.remove(&name);
            }
        }
    }
}

/// The namespace whose results an object belongs to; of a Namespace itself.
fn shard_of(target: &ObjectRef) -> &str {
    if target.kind == Kind::Namespace {
        &target.name
    } else {
        &target.namespace
    }
}

fn count<'a>(outcomes: impl Iterator<Item = &'a Arc<Outcome>>) -> Tally {
    let mut tally = Tally::new();
    for finding in outcomes.flat_map(|outcome| &outcome.evaluation.findings) {
        for policy in &finding.policies {
            let own = finding.dissent.iter().find(|(of, _)| of == policy);
            let verdict = own.map_or(finding.verdict, |(_, verdict)| *verdict);
            tally
                .entry((policy.clone(), finding.control.id))
                .or_default()
                .add(verdict, finding.excepted.is_some());
        }
    }
    tally
}

#[cfg(test)]
pub(crate) mod tests {
    use ironside_engine::controls::{self, Parameters};

    use super::*;

    /// An outcome with one finding of one policy.
    pub(crate) fn outcome(target: &ObjectRef, control: &str, policy: &PolicyId, verdict: Verdict) -> Arc<Outcome> {
        let finding = Finding {
            control: controls::find(control).unwrap(),
            target: target.clone(),
            verdict,
            evidence: Vec::new(),
            gaps: Vec::new(),
            not_applicable: None,
            mode: Mode::Audit,
            policies: vec![policy.clone()],
            dissent: Vec::new(),
            excepted_containers: Vec::new(),
            excepted: None,
            hold_repair: None,
            parameters: Parameters::default(),
        };
        Arc::new(Outcome {
            evaluation: Evaluation {
                target: target.clone(),
                findings: vec![finding],
                gaps: Vec::new(),
                owned_by: None,
            },
            mode: Mode::Audit,
            limits: Arc::default(),
            plan: None,
        })
    }

    #[test]
    fn counts_follow_the_objects() {
        let policy = PolicyId::cluster("baseline");
        let web = ObjectRef::new(Kind::Deployment, "shop", "web");
        let cart = ObjectRef::new(Kind::Deployment, "shop", "cart");
        let mut results = Results::default();
        results.update([
            (web.clone(), Some(outcome(&web, "POD-009", &policy, Verdict::Fail))),
            (cart.clone(), Some(outcome(&cart, "POD-009", &policy, Verdict::Pass))),
        ]);
        let before = results.clone();
        results.update([(web.clone(), Some(outcome(&web, "POD-009", &policy, Verdict::Pass)))]);
        results.update([(cart.clone(), None)]);
        let counts = |results: &Results| *results.tally().values().next().unwrap();
        assert_eq!(
            (counts(&before).passed, counts(&before).failed),
            (1, 1),
            "an older view does not change"
        );
        assert_eq!((counts(&results).passed, counts(&results).failed), (1, 0));
        results.update([(web, None)]);
        assert_eq!(results.namespaces().count(), 0);
    }

    #[test]
    fn a_namespace_object_counts_in_its_own_namespace() {
        let policy = PolicyId::cluster("baseline");
        let shop = ObjectRef::new(Kind::Namespace, "", "shop");
        let mut results = Results::default();
        results.update([(shop.clone(), Some(outcome(&shop, "POD-009", &policy, Verdict::Fail)))]);
        assert_eq!(
            results
                .namespaces()
                .map(|(name, _)| name.to_string())
                .collect::<Vec<_>>(),
            ["shop"]
        );
        assert!(results.get(&shop).is_some());
    }
}
