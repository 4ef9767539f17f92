//! Judges manifests with the operator's engine: objects into the world, every control of the policies on every target.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, ClusterHardeningPolicySpec, HardeningException, HardeningPolicy,
    PolicySpec, Profile, ProfileName,
};
use ironside_engine::components::Observed;
use ironside_engine::controls::Gap;
use ironside_engine::evaluate::Evaluator;
use ironside_engine::model::{Kind, Labels, ObjectRef};
use ironside_engine::network::{Settings, plan_namespace};
use ironside_engine::plan::{Plan, plan};
use ironside_engine::policy::{ExceptionSet, PolicySet};
use ironside_engine::remediate::{Record, network_memory, takes_away};
use ironside_engine::world::{Delta, Object, Snapshot, World};
use serde_json::json;

use super::asides::Asides;
use super::case::{Case, Judged, tell};
use super::fix::Fixer;
use super::input::Input;
use super::intake::{Intake, Own};
use super::locate::Locator;
use super::manifest::{Document, Manifests, Problem, Source};
use super::networks::Network;
use super::parallel::in_order;
use super::sources::Sources;
use crate::yaml::Position;

/// Files that are read in one go: to hand over each of them costs as much as to read it.
const FILES_TOGETHER: usize = 8;

/// Objects with where they come from.
#[derive(Clone, Debug)]
pub struct Scanned {
    world: World,
    /// Labels of the object that came last.
    labels: Labels,
    sources: Sources,
    namespaces: BTreeSet<Arc<str>>,
    /// Where objects live that do not say it.
    home: Option<String>,
    cluster_policies: Vec<ClusterHardeningPolicy>,
    policies: Vec<HardeningPolicy>,
    exceptions: Vec<HardeningException>,
    cluster_exceptions: Vec<ClusterHardeningException>,
    /// Objects of kinds that no control reads.
    pub skipped: usize,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What was left out and is no mistake.
    asides: Asides,
    /// What standard input said.
    stdin: Option<String>,
}

impl Default for Scanned {
    fn default() -> Self {
        Self {
            world: World::to_judge_once(),
            labels: Labels::default(),
            sources: Sources::default(),
            namespaces: BTreeSet::new(),
            home: None,
            cluster_policies: Vec::new(),
            policies: Vec::new(),
            exceptions: Vec::new(),
            cluster_exceptions: Vec::new(),
            skipped: 0,
            problems: Vec::new(),
            asides: Asides::default(),
            stdin: None,
        }
    }
}

impl Scanned {
    /// Takes in what was read from files.
    pub fn add(&mut self, manifests: Manifests) {
        self.problems.extend(manifests.problems);
        self.asides.strangers.extend(manifests.strangers);
        self.stdin = manifests.stdin.or(self.stdin.take());
        for document in manifests.documents {
            self.put(Intake::read(document.source, &document.object, self.home.as_deref()));
        }
    }

    /// Reads files on all cores and takes them in, in their order, to be judged and not to be repaired. Nothing of them but what the world keeps is held for
    /// longer than that takes.
    pub(super) fn add_files(&mut self, inputs: &[Input]) {
        let home = self.home.clone();
        let some: Vec<&[Input]> = inputs.chunks(FILES_TOGETHER).collect();
        let read = |room: &mut Vec<u8>, some: &&[Input]| Manifests::<Intake>::of(some, &home, room);
        in_order(&some, Vec::new, read, |manifests| {
            self.problems.extend(manifests.problems);
            self.asides.strangers.extend(manifests.strangers);
            self.stdin = manifests.stdin.or(self.stdin.take());
            for intake in manifests.documents {
                self.put(intake);
            }
        });
    }

    /// The first document that is no object, where none is.
    pub(super) fn only_stranger(&self) -> Option<&str> {
        let nothing_else =
            self.sources.is_empty() && self.skipped == 0 && self.problems.is_empty() && !self.has_policies();
        self.asides
            .strangers
            .first()
            .filter(|_| nothing_else)
            .map(String::as_str)
    }

    fn put(&mut self, intake: Intake) {
        let mut objects = Vec::new();
        self.sort(intake, &mut objects);
        for (reference, mut object) in objects {
            object.share_labels(&mut self.labels);
            self.world.put_as(&reference, *object);
        }
    }

    /// Takes in everything that there is of a kind, in one namespace or everywhere: what is not among it does not exist.
    pub(super) fn add_all(&mut self, kind: Kind, namespace: Option<&str>, documents: Vec<Document>) {
        let mut objects = Vec::new();
        for document in documents {
            let intake = Intake::read(document.source, &document.object, self.home.as_deref());
            self.sort(intake, &mut objects);
        }
        self.world.apply(Delta::Replace {
            kind,
            namespace: namespace.map(str::to_owned),
            objects: objects.into_iter().map(|(_, object)| *object).collect(),
        });
    }

    /// Notes that a kind could not be read: what rests on it is Unknown.
    pub(super) fn could_not_read(&mut self, kind: Kind, namespace: Option<&str>, gap: Gap) {
        let namespace = namespace.map(str::to_owned);
        self.world.apply(Delta::Unavailable { kind, namespace, gap });
    }

    /// Takes in what the components of the cluster say of themselves: each is judged.
    pub(super) fn observe(&mut self, observed: Observed) {
        self.world.observe(&Arc::new(observed));
    }

    /// From here on, objects that name no namespace live in this one, as `kubectl apply` would have it.
    pub(super) fn live_in(&mut self, namespace: &str) {
        self.home = Some(namespace.to_owned());
    }

    /// Judges everything that was taken in. Without a policy among the objects, `profile` is asked for everywhere.
    pub fn judge(self, profile: ProfileName, now: jiff::Timestamp) -> Judged {
        self.case(profile, now).judge()
    }

    /// Everything that is to be judged, and what by.
    pub(super) fn case(mut self, profile: ProfileName, now: jiff::Timestamp) -> Case {
        self.complete_namespaces();
        if !self.has_policies() {
            self.cluster_policies.push(policy_of(profile));
        }
        let (policies, exceptions) = self.compiled();
        let world = self.world.into_snapshot();
        let components = world.components().map(|component| (Source::cluster(), component));
        let targets = self.sources.in_order(components, |target| world.is_judged(target));
        Case {
            at: now,
            world,
            policies,
            exceptions,
            targets,
            problems: self.problems,
            asides: self.asides,
            skipped: self.skipped,
            stdin: self.stdin,
        }
    }

    /// Says what could not be read, a line each; whether there was any.
    pub(super) fn tell_problems(&self, err: &mut dyn Write) -> std::io::Result<bool> {
        tell(&self.problems, &self.asides, err)
    }

    /// Everything that was taken in, unjudged.
    pub(super) fn world(self) -> Arc<Snapshot> {
        self.world.into_snapshot()
    }

    /// Plans every repair that the policies among the objects ask for.
    pub fn plan(&mut self, now: jiff::Timestamp) -> Vec<Plan> {
        let (policies, exceptions) = self.compiled();
        let (world, _) = self.world.drain();
        let targets: Vec<ObjectRef> = world
            .targets()
            .filter(|target| target.kind != Kind::Namespace)
            .collect();
        let evaluations = Evaluator::default().evaluate_all(&world, &policies, &exceptions, &targets, now);
        evaluations
            .iter()
            .filter_map(|evaluation| {
                plan(
                    &world,
                    evaluation,
                    &policies.limits(&world, &evaluation.target.namespace),
                    now,
                )
            })
            .collect()
    }

    /// What `fix` asks: which objects fail what, and the repair of some of it.
    pub(super) fn fixer(mut self, profile: ProfileName, now: jiff::Timestamp) -> Fixer {
        self.complete_namespaces();
        if !self.has_policies() {
            self.cluster_policies.push(policy_of(profile));
        }
        let exceptions = ExceptionSet::compile(&self.cluster_exceptions, &self.exceptions);
        let (world, _) = self.world.drain();
        Fixer {
            world,
            sources: self.sources.into_map(),
            cluster_policies: self.cluster_policies,
            policies: self.policies,
            exceptions,
            now,
        }
    }

    /// Plans the networks of the namespaces, or of one, that policies ask to isolate or where something of ours is left. `records`: what the operator remembers.
    pub(super) fn networks(
        &mut self,
        only: Option<&str>,
        records: &BTreeMap<String, Record>,
        now: jiff::Timestamp,
    ) -> Vec<Network> {
        let (policies, exceptions) = self.compiled();
        let (world, _) = self.world.drain();
        let namespaces = world
            .shards
            .keys()
            .filter(|name| only.is_none_or(|only| only == &***name));
        let plan = |namespace: &str| {
            let record = records.get(namespace).cloned().unwrap_or_default();
            let mut settings = Settings::of(&policies.in_namespace(&world, namespace), &exceptions, namespace, now);
            settings.take_away = takes_away(&record);
            let plan = plan_namespace(&world, namespace, &settings, &network_memory(&record), now)?;
            Some(Network { plan, record })
        };
        namespaces
            .filter_map(|namespace| plan(namespace))
            .filter(Network::is_news)
            .collect()
    }

    /// Whether a policy is among the objects.
    pub fn has_policies(&self) -> bool {
        !(self.cluster_policies.is_empty() && self.policies.is_empty())
    }

    /// The command line has no namespace of its own that would count as a system namespace.
    fn compiled(&self) -> (PolicySet, ExceptionSet) {
        (
            PolicySet::compile(&self.cluster_policies, &self.policies, ""),
            ExceptionSet::compile(&self.cluster_exceptions, &self.exceptions),
        )
    }

    /// Takes in what a document became; objects of the world are handed on.
    fn sort(&mut self, intake: Intake, objects: &mut Vec<(ObjectRef, Box<Object>)>) {
        match intake {
            Intake::Object(source, object, mut reference) => {
                if reference.kind.namespaced() {
                    match self.namespaces.get(&reference.namespace) {
                        // One name for all that live there.
                        Some(namespace) => reference.namespace = Arc::clone(namespace),
                        None => _ = self.namespaces.insert(Arc::clone(&reference.namespace)),
                    }
                }
                // One of the cluster is what the manifest would be applied to.
                if let Some([earlier, again]) = self.sources.note(source, reference.clone())
                    && !earlier.is_cluster()
                {
                    self.asides
                        .replaced
                        .push(format!("{reference} at {earlier}, and again at {again}"));
                }
                objects.push((reference, object));
            }
            Intake::Templates(templates) => templates.into_iter().for_each(|it| self.sort(it, objects)),
            Intake::Own(own) => match *own {
                Own::ClusterPolicy(policy) => self.cluster_policies.push(policy),
                Own::Policy(policy) => self.policies.push(policy),
                Own::Exception(exception) => self.exceptions.push(exception),
                Own::ClusterException(exception) => self.cluster_exceptions.push(exception),
                Own::Other => {}
            },
            Intake::Skipped => self.skipped += 1,
            Intake::Misread(source, pointer, message) => {
                let mut files = Locator::new(self.stdin.as_deref());
                let at = match files.position(&source, &pointer) {
                    Some(Position { line, column }) => format!("{}:{line}:{column}", source.file),
                    None => source.to_string(),
                };
                self.problems.push(Problem { at, message });
            }
        }
    }

    /// Namespaces that objects live in but that were not given: they exist, with no labels that anybody knows of. They are not judged themselves.
    fn complete_namespaces(&mut self) {
        for name in &self.namespaces {
            if self.sources.contains(&ObjectRef::new(Kind::Namespace, "", name)) {
                continue;
            }
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": &**name}});
            if let Ok(namespace) = Object::decode(Kind::Namespace, &object) {
                self.world.apply(Delta::Apply(namespace));
            }
        }
    }
}

/// A policy that asks for a whole profile, everywhere: whoever scans a manifest of kube-system wants to know.
fn policy_of(profile: ProfileName) -> ClusterHardeningPolicy {
    let spec = PolicySpec {
        profile: Profile {
            name: profile,
            ..Profile::default()
        },
        system_namespaces: ["kube-system", "kube-public", "kube-node-lease"]
            .map(str::to_owned)
            .into(),
        ..PolicySpec::default()
    };
    ClusterHardeningPolicy::new("command-line", ClusterHardeningPolicySpec(spec))
}
