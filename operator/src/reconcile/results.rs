//! What is known about each object: findings and plan, in immutable shards by namespace, with counts kept beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_engine::controls::{ControlId, Gap};
use ironside_engine::evaluate::{Counts, Evaluation, Finding, Line};
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
    /// Of an object that could not be judged at all.
    pub fn hidden(target: &ObjectRef, gap: Gap) -> Self {
        Self {
            evaluation: Evaluation {
                target: target.clone(),
                findings: Vec::new(),
                gaps: vec![gap],
                owned_by: None,
            },
            mode: Mode::Disabled,
            limits: Arc::default(),
            plan: None,
        }
    }

    /// Failures that no exception accepts.
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.evaluation.findings.iter().filter(|finding| finding.is_failure())
    }
}

/// Each result with its name in metrics, in a fixed order.
pub const fn by_result(counts: Counts) -> [(&'static str, u32); 5] {
    [
        ("Pass", counts.passed),
        ("Fail", counts.failed),
        ("Unknown", counts.unknown),
        ("Excepted", counts.excepted),
        ("NotApplicable", counts.not_applicable),
    ]
}

/// Findings by policy and control, each policy by its own parameters.
pub type Tallies = BTreeMap<(PolicyId, ControlId), Line>;

/// What came of judging an object anew; `None` means that it is gone.
pub type News = (ObjectRef, Option<Arc<Outcome>>);

/// The results of one namespace, its Namespace object included.
#[derive(Clone, Debug, Default)]
pub struct NamespaceResults {
    /// By object.
    pub outcomes: BTreeMap<ObjectRef, Arc<Outcome>>,
    /// Counts of `outcomes`.
    pub tallies: Tallies,
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

    /// Findings over all namespaces.
    pub fn tallies(&self) -> Tallies {
        let mut sum = Tallies::new();
        for namespace in self.namespaces.values() {
            for (key, line) in &namespace.tallies {
                sum.entry(key.clone()).or_default().add(*line);
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
            results.tallies = count(results.outcomes.values());
            if results.outcomes.is_empty() {
                namespaces.remove(&name);
            }
        }
    }
}

/// The namespace whose results an object belongs to; of a Namespace itself.
pub fn shard_of(target: &ObjectRef) -> &str {
    if target.kind == Kind::Namespace {
        &target.name
    } else {
        &target.namespace
    }
}

fn count<'a>(outcomes: impl Iterator<Item = &'a Arc<Outcome>>) -> Tallies {
    let mut tallies = Tallies::new();
    for finding in outcomes.flat_map(|outcome| &outcome.evaluation.findings) {
        for policy in &finding.policies {
            let verdict = finding.verdict_for(policy).unwrap_or(finding.verdict);
            let line = tallies.entry((policy.clone(), finding.control.id)).or_default();
            line.count(finding, verdict);
        }
    }
    tallies
}

#[cfg(test)]
pub(crate) mod tests {
    use ironside_engine::controls::{self, Verdict};

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
            parameters: Arc::default(),
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
        let counts = |results: &Results| results.tallies().values().next().unwrap().counts;
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
