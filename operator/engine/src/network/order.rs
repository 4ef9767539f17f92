//! In which order policies are written, so that nothing that stays is cut in between and nothing is opened that was closed, wherever a crash falls.
//!
//! An allow isolates the pods it selects. So "allows first, deny last" is not enough where one pod is selected by several allows: after the first it would
//! have only that one's connections. Orders are tried from the cheapest to the most careful, and the first that passes an exact check of every step is taken.

use std::collections::BTreeMap;

use super::diff;
use super::generate::{Generated, Role};
use super::reach::{Reach, Reading, Universe};
use crate::model::NetworkPolicy;
use crate::model::network::NetworkPolicySpec;
use crate::world::Snapshot;

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Applies an object of ours (server-side apply, field manager `ironside/owned`).
    Apply(Box<Generated>),
    /// Deletes an object of ours, on condition that it is still this one in this version.
    Delete {
        /// Name.
        name: String,
        /// UID; empty for an object that an earlier step of the same plan made.
        uid: String,
        /// Resource version as it was seen. Where an earlier step of the same plan writes to the object, the version after that counts.
        version: String,
    },
}

impl Step {
    /// Name of the policy that is written.
    pub fn name(&self) -> &str {
        match self {
            Self::Apply(policy) => &policy.name,
            Self::Delete { name, .. } => name,
        }
    }
}

/// What is there and what may come, with everything known about who reaches whom under any combination of it.
pub(super) struct Stage {
    pub(super) universe: Universe,
    specs: Vec<NetworkPolicySpec>,
    foreign: usize,
    live: BTreeMap<String, (usize, String)>,
}

/// A state of our policies: spec indexes by name.
type State = BTreeMap<String, usize>;

impl Stage {
    /// `wanted` are the policies that may be applied, `opening` the one that keeps all open. Those of `live` are ours.
    pub(super) fn new(
        world: &Snapshot,
        namespace: &str,
        foreign: &[&NetworkPolicy],
        live: &[&NetworkPolicy],
        wanted: &[Generated],
        opening: &Generated,
    ) -> Self {
        let mut specs: Vec<NetworkPolicySpec> = foreign.iter().map(|policy| policy.spec.clone()).collect();
        let at = specs.len();
        specs.extend(live.iter().map(|policy| policy.spec.clone()));
        specs.push(opening.spec.clone());
        for policy in wanted {
            specs.push(policy.spec.clone());
            specs.push(policy.opened().spec);
            let old = live.iter().find(|live| live.metadata.name == policy.name);
            specs.extend(old.map(|old| policy.with_rules_of(&old.spec).spec));
        }
        specs.extend(live.iter().map(|live| Generated::of(live).opened().spec));
        let all: Vec<&NetworkPolicySpec> = specs.iter().collect();
        Self {
            universe: Universe::new(world, namespace, &all),
            foreign: foreign.len(),
            live: live
                .iter()
                .enumerate()
                .map(|(i, policy)| {
                    let meta = &policy.metadata;
                    (meta.name.clone(), (at + i, meta.uid.clone()))
                })
                .collect(),
            specs,
        }
    }

    /// What is let in without any policy of ours.
    pub(super) fn without_ours(&self, reading: Reading) -> Reach {
        self.universe.reach((0..self.foreign).map(|i| (i, reading)))
    }

    /// What is let in once these policies stand beside the foreign ones.
    pub(super) fn with(&self, ours: &[Generated], reading: Reading) -> Reach {
        let state = ours
            .iter()
            .map(|policy| (policy.name.clone(), self.index(&policy.spec)))
            .collect();
        self.reach(&state, reading)
    }

    /// The first way in that these policies of ours would add to what the foreign ones let in, in words. Address ranges are read against us: as matching
    /// every pod in our policies and none in others.
    pub(super) fn opens(&self, ours: &[Generated]) -> Option<String> {
        let closed = self.without_ours(Reading::Least);
        let foreign = (0..self.foreign).map(|i| (i, Reading::Least));
        let ours = ours.iter().map(|policy| (self.index(&policy.spec), Reading::Most));
        let reach = self.universe.reach(foreign.chain(ours));
        let opened = self.universe.beyond(&reach, &closed).next();
        opened.map(|edge| self.universe.describe(edge))
    }

    /// The writes that lead from the live policies to the wanted ones; empty if nothing would change. `None` if every order would cut or open something on
    /// the way.
    pub(super) fn order(
        &self,
        live: &[&NetworkPolicy],
        wanted: &[Generated],
        opening: &Generated,
    ) -> Option<Vec<Step>> {
        let change = Change::of(live, wanted);
        let candidates = [
            change.direct(),
            change.by_union(),
            change.by_opening(opening),
            change.by_opened(|policy| self.opens(std::slice::from_ref(policy)).is_none()),
        ];
        candidates.into_iter().find(|steps| self.is_safe(steps))
    }

    /// The wanted policies, without yet taking away what stands beside them: rules that are not wanted any more stay, unless somebody else wrote them, or they let
    /// in what is refused otherwise.
    pub(super) fn widest(&self, live: &[&NetworkPolicy], wanted: &[Generated]) -> Vec<Generated> {
        let wide: Vec<Generated> = wanted
            .iter()
            .map(|policy| {
                let live = live.iter().find(|live| live.metadata.name == policy.name);
                match live {
                    Some(live) if policy.role == Role::Allow && diff::intruder(live).is_none() => {
                        policy.with_rules_of(&live.spec)
                    }
                    _ => policy.clone(),
                }
            })
            .collect();
        let stale = live
            .iter()
            .filter(|live| !wanted.iter().any(|policy| policy.name == live.metadata.name));
        let kept = stale
            .map(|live| Generated::of(live))
            .filter(|policy| policy.role == Role::Allow);
        let wide: Vec<Generated> = wide.into_iter().chain(kept).collect();
        if self.opens(&wide).is_some() {
            wanted.to_vec()
        } else {
            wide
        }
    }

    /// The plain order, safe or not: taking everything away must always be possible.
    pub(super) fn plain_order(live: &[&NetworkPolicy], wanted: &[Generated]) -> Vec<Step> {
        Change::of(live, wanted).direct()
    }

    fn is_safe(&self, steps: &[Step]) -> bool {
        let first = self.live_state();
        let mut last = first.clone();
        for step in steps {
            self.take(step, &mut last);
        }
        [Reading::Least, Reading::Most]
            .into_iter()
            .all(|reading| self.is_safe_read(steps, (&first, &last), reading))
    }

    /// Checks every state between the first and the last; each step only where it changes something.
    fn is_safe_read(&self, steps: &[Step], (first, last): (&State, &State), reading: Reading) -> bool {
        let (first_in, last_in) = (self.reach(first, reading), self.reach(last, reading));
        let stays = first_in.clone().and(&last_in);
        let may_be = self.without_ours(reading).or(&first_in);
        let mut state = first.clone();
        steps.iter().all(|step| {
            let before = state.get(step.name()).copied();
            self.take(step, &mut state);
            let after = state.get(step.name()).copied();
            let touched = |target: &usize| {
                let restricts = |policy: &usize| self.universe.restricts(*policy, *target);
                before.iter().chain(&after).any(restricts)
            };
            (0..self.universe.targets.len()).filter(touched).all(|target| {
                let policies = (0..self.foreign).chain(state.values().copied());
                let row = self.universe.row(target, policies.map(|policy| (policy, reading)));
                self.universe.beyond_row(stays.row(target), &row).next().is_none()
                    && self.universe.beyond_row(&row, may_be.row(target)).next().is_none()
            })
        })
    }

    fn take(&self, step: &Step, state: &mut State) {
        match step {
            Step::Apply(policy) => _ = state.insert(policy.name.clone(), self.index(&policy.spec)),
            Step::Delete { name, .. } => _ = state.remove(name),
        }
    }

    fn live_state(&self) -> State {
        self.live
            .iter()
            .map(|(name, (spec, _))| (name.clone(), *spec))
            .collect()
    }

    fn reach(&self, ours: &State, reading: Reading) -> Reach {
        self.universe
            .reach((0..self.foreign).chain(ours.values().copied()).map(|i| (i, reading)))
    }

    /// Every spec that is asked for was given to [`Stage::new`].
    fn index(&self, spec: &NetworkPolicySpec) -> usize {
        let found = self.specs[self.foreign..].iter().position(|known| known == spec);
        debug_assert!(found.is_some(), "a policy that the stage does not know");
        self.foreign + found.unwrap_or_default()
    }
}

/// What differs between live and wanted policies.
struct Change<'a> {
    created: Vec<&'a Generated>,
    changed: Vec<(&'a Generated, &'a NetworkPolicy)>,
    deny: Option<&'a Generated>,
    stale: Vec<&'a NetworkPolicy>,
}

impl<'a> Change<'a> {
    fn of(live: &[&'a NetworkPolicy], wanted: &'a [Generated]) -> Self {
        let mut change = Self {
            created: Vec::new(),
            changed: Vec::new(),
            deny: None,
            stale: Vec::new(),
        };
        for policy in wanted {
            let live = live.iter().find(|live| live.metadata.name == policy.name);
            match live {
                Some(live) if diff::is_same(live, policy) => {}
                _ if policy.role == Role::Deny => change.deny = Some(policy),
                Some(live) => change.changed.push((policy, live)),
                None => change.created.push(policy),
            }
        }
        let is_wanted = |live: &NetworkPolicy| wanted.iter().any(|policy| policy.name == live.metadata.name);
        change.stale = live.iter().copied().filter(|live| !is_wanted(live)).collect();
        // A deny goes before allows, and what keeps all open goes last.
        change
            .stale
            .sort_by_key(|policy| match Role::of_name(&policy.metadata.name) {
                Role::Deny => 0,
                Role::Allow => 1,
                Role::Opening => 2,
            });
        change
    }

    /// Allows first, the deny after them, then what is not wanted any more.
    fn direct(&self) -> Vec<Step> {
        let changed = self.changed.iter().map(|(policy, _)| *policy);
        let applied = self.created.iter().copied().chain(changed).chain(self.deny).map(apply);
        applied.chain(self.deletions()).collect()
    }

    /// Rules that move from one policy to another are in both for a while.
    fn by_union(&self) -> Vec<Step> {
        let created = self.created.iter().copied().map(apply);
        let wider = self
            .changed
            .iter()
            .map(|(policy, live)| Step::Apply(Box::new(policy.with_rules_of(&live.spec))));
        let deny = self.deny.into_iter().map(apply);
        let narrower = self.changed.iter().map(|(policy, _)| apply(policy));
        created
            .chain(wider)
            .chain(deny)
            .chain(narrower)
            .chain(self.deletions())
            .collect()
    }

    /// Everything is open while the others change: two writes more, for namespaces where no other policy rules a pod.
    fn by_opening(&self, opening: &Generated) -> Vec<Step> {
        let mut steps = vec![apply(opening)];
        steps.extend(self.direct().into_iter().filter(|step| step.name() != opening.name));
        // Its UID is known once it is there.
        steps.push(Step::Delete {
            name: opening.name.clone(),
            uid: String::new(),
            version: String::new(),
        });
        steps
    }

    /// Allows let everything in until all are there, or until all can go: those that may, because they select no pod that other policies rule.
    fn by_opened(&self, may_open: impl Fn(&Generated) -> bool) -> Vec<Step> {
        let wanted = self
            .created
            .iter()
            .copied()
            .chain(self.changed.iter().map(|(policy, _)| *policy));
        let (open, plain): (Vec<_>, Vec<_>) = wanted.partition(|policy| may_open(&policy.opened()));
        let stale = self.stale.iter().map(|live| (*live, Generated::of(live).opened()));
        let (open_stale, plain_stale): (Vec<_>, Vec<_>) =
            stale.partition(|(_, opened)| opened.role == Role::Allow && may_open(opened));
        let opened = open.iter().map(|policy| policy.opened());
        let opened = opened.chain(open_stale.iter().map(|(_, opened)| opened.clone()));
        opened
            .map(|policy| Step::Apply(Box::new(policy)))
            .chain(plain.into_iter().chain(self.deny).map(apply))
            .chain(open.iter().map(|policy| apply(policy)))
            .chain(plain_stale.iter().chain(&open_stale).map(|(live, _)| delete(live)))
            .collect()
    }

    fn deletions(&self) -> impl Iterator<Item = Step> {
        self.stale.iter().map(|policy| delete(policy))
    }
}

fn delete(policy: &NetworkPolicy) -> Step {
    Step::Delete {
        name: policy.metadata.name.clone(),
        uid: policy.metadata.uid.clone(),
        version: policy.metadata.resource_version.clone(),
    }
}

fn apply(policy: &Generated) -> Step {
    Step::Apply(Box::new(policy.clone()))
}
