//! Judges manifests with the operator's engine: objects into the world, every control of the policies on every target.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, ClusterHardeningPolicySpec, HardeningException, HardeningPolicy,
    PolicySpec, Profile, ProfileName,
};
use ironside_engine::controls::{Gap, Verdict};
use ironside_engine::evaluate::{Evaluation, Evaluator, Finding, Score, Scoreboard};
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::network::{Settings, plan_namespace};
use ironside_engine::plan::{Plan, plan};
use ironside_engine::policy::{ExceptionSet, PolicySet};
use ironside_engine::remediate::{Record, network_memory, takes_away};
use ironside_engine::world::{Delta, Object, Snapshot, World};
use serde_json::{Value, json};

use super::fix::Fixer;
use super::manifest::{Document, Manifests, Problem, Source};
use super::networks::Network;

/// Objects with where they come from.
#[derive(Clone, Debug, Default)]
pub struct Scanned {
    world: World,
    sources: BTreeMap<ObjectRef, Source>,
    namespaces: BTreeSet<String>,
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
    /// Definitions that a later one of the same object replaced, as a sentence's part.
    shadowed: Vec<String>,
    /// What standard input said.
    stdin: Option<String>,
}

/// The result of a scan.
#[derive(Debug)]
pub struct Judged {
    /// When it was judged.
    pub at: jiff::Timestamp,
    /// Evaluations of the objects that were given, in order of their source.
    pub evaluations: Vec<(Source, Evaluation)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Definitions that a later one of the same object replaced: variants of an application in one folder are no mistake, but they are not judged.
    pub shadowed: Vec<String>,
    /// Objects of kinds that no control reads.
    pub skipped: usize,
    /// What standard input said.
    pub stdin: Option<String>,
    /// Score and coverage of everything that was judged.
    pub score: Score,
    /// Failures that a baseline took out.
    pub known: usize,
}

impl Judged {
    /// Every finding with its source.
    pub fn findings(&self) -> impl Iterator<Item = (&Source, &Finding)> {
        self.evaluations
            .iter()
            .flat_map(|(source, evaluation)| evaluation.findings.iter().map(move |f| (source, f)))
    }

    /// Says what could not be read, a line each; whether there was any.
    pub(super) fn tell_problems(&self, err: &mut dyn Write) -> std::io::Result<bool> {
        tell(&self.problems, &self.shadowed, err)
    }

    /// How many findings have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings()
            .filter(|(_, finding)| finding.verdict == verdict && finding.excepted.is_none())
            .count()
    }
}

impl Scanned {
    /// Takes in what was read from files.
    pub fn add(&mut self, manifests: Manifests) {
        self.problems.extend(manifests.problems);
        self.stdin = manifests.stdin.or(self.stdin.take());
        for document in manifests.documents {
            if let Some(object) = self.decode(document) {
                self.world.apply(Delta::Apply(object));
            }
        }
    }

    /// Takes in everything that there is of a kind, in one namespace or everywhere: what is not among it does not exist.
    pub(super) fn add_all(&mut self, kind: Kind, namespace: Option<&str>, documents: Vec<Document>) {
        let objects = documents
            .into_iter()
            .filter_map(|document| self.decode(document))
            .collect();
        let namespace = namespace.map(str::to_owned);
        self.world.apply(Delta::Replace {
            kind,
            namespace,
            objects,
        });
    }

    /// Notes that a kind could not be read: what rests on it is Unknown.
    pub(super) fn could_not_read(&mut self, kind: Kind, namespace: Option<&str>, gap: Gap) {
        let namespace = namespace.map(str::to_owned);
        self.world.apply(Delta::Unavailable { kind, namespace, gap });
    }

    /// From here on, objects that name no namespace live in this one, as `kubectl apply` would have it.
    pub(super) fn live_in(&mut self, namespace: &str) {
        self.home = Some(namespace.to_owned());
    }

    /// Judges everything that was taken in. Without a policy among the objects, `profile` is asked for everywhere.
    pub fn judge(mut self, profile: ProfileName, now: jiff::Timestamp) -> Judged {
        self.complete_namespaces();
        if !self.has_policies() {
            self.cluster_policies.push(policy_of(profile));
        }
        let (policies, exceptions) = self.compiled();
        let (world, _) = self.world.drain();
        let (sources, targets): (Vec<Source>, Vec<ObjectRef>) = world
            .targets()
            .filter_map(|target| Some((self.sources.get(&target)?.clone(), target)))
            .unzip();
        let judged = Evaluator::default().evaluate_all(&world, &policies, &exceptions, &targets, now);
        let mut evaluations: Vec<(Source, Evaluation)> = sources.into_iter().zip(judged).collect();
        evaluations.sort_by(|(a, x), (b, y)| (a, &x.target).cmp(&(b, &y.target)));
        let score = Scoreboard::of(evaluations.iter().map(|(_, evaluation)| evaluation)).total();
        Judged {
            at: now,
            score,
            known: 0,
            evaluations,
            problems: self.problems,
            shadowed: self.shadowed,
            skipped: self.skipped,
            stdin: self.stdin,
        }
    }

    /// Says what could not be read, a line each; whether there was any.
    pub(super) fn tell_problems(&self, err: &mut dyn Write) -> std::io::Result<bool> {
        tell(&self.problems, &self.shadowed, err)
    }

    /// Everything that was taken in, unjudged.
    pub(super) fn world(mut self) -> Arc<Snapshot> {
        self.world.drain().0
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
            sources: self.sources,
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

    /// The object of a document, if it is one that is judged or looked at; policies and exceptions are kept for themselves.
    fn decode(&mut self, document: Document) -> Option<Object> {
        let Document { source, mut object } = document;
        let text = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&object, "apiVersion"), text(&object, "kind"));
        if api_version.starts_with("hardening.ironside.dev/") {
            self.add_own(&kind, &source, object);
            return None;
        }
        let Some(kind) = Kind::from_manifest(&api_version, &kind).filter(|_| is_known_version(&api_version)) else {
            self.skipped += 1;
            return None;
        };
        if kind.configures().is_some() {
            name_document(&mut object, &source);
        }
        if kind.namespaced() {
            let namespace = object
                .pointer("/metadata/namespace")
                .and_then(Value::as_str)
                .filter(|n| !n.is_empty());
            let home = self.home.as_deref().unwrap_or("default");
            let namespace = namespace.unwrap_or(home).to_owned();
            if object.get("metadata").is_none_or(Value::is_null) {
                object["metadata"] = json!({});
            }
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.insert("namespace".to_owned(), json!(namespace));
            }
            self.namespaces.insert(namespace);
        }
        match Object::decode(kind, object) {
            Ok(object) => {
                let reference = object.reference();
                // One of the cluster is what the manifest would be applied to.
                if let Some(earlier) = self.sources.get(&reference).filter(|earlier| !earlier.is_cluster()) {
                    self.shadowed
                        .push(format!("{reference} at {earlier}, and again at {source}"));
                }
                self.sources.insert(reference, source);
                Some(object)
            }
            Err(error) => {
                self.problems.push(Problem {
                    at: source.to_string(),
                    message: error.to_string(),
                });
                None
            }
        }
    }

    fn add_own(&mut self, kind: &str, source: &Source, object: Value) {
        let outcome = match kind {
            "ClusterHardeningPolicy" => serde_json::from_value(object).map(|o| self.cluster_policies.push(o)),
            "HardeningPolicy" => serde_json::from_value(object).map(|o| self.policies.push(o)),
            "HardeningException" => serde_json::from_value(object).map(|o| self.exceptions.push(o)),
            "ClusterHardeningException" => serde_json::from_value(object).map(|o| self.cluster_exceptions.push(o)),
            _ => Ok(()),
        };
        if let Err(error) = outcome {
            self.problems.push(Problem {
                at: source.to_string(),
                message: format!("{kind}: {error}"),
            });
        }
    }

    /// Namespaces that objects live in but that were not given: they exist, with no labels that anybody knows of. They are not judged themselves.
    fn complete_namespaces(&mut self) {
        for name in &self.namespaces {
            if self.sources.contains_key(&ObjectRef::new(Kind::Namespace, "", name)) {
                continue;
            }
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            if let Ok(namespace) = Object::decode(Kind::Namespace, object) {
                self.world.apply(Delta::Apply(namespace));
            }
        }
    }
}

/// Problems are told one by one; definitions that a later one replaced are many where a folder holds variants, and one line says so.
fn tell(problems: &[Problem], shadowed: &[String], err: &mut dyn Write) -> std::io::Result<bool> {
    for problem in problems {
        writeln!(err, "ironside: {problem}")?;
    }
    if let [first, more @ ..] = shadowed {
        let more = match more.len() {
            0 => String::new(),
            number => format!("; {number} more are"),
        };
        writeln!(
            err,
            "ironside: defined more than once, the later one is judged: {first}{more}"
        )?;
    }
    Ok(!problems.is_empty())
}

/// A document that configures a component has no name: the place where it stands tells it from others.
fn name_document(object: &mut Value, source: &Source) {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        object["metadata"] = json!({"name": source.to_string()});
    }
}

/// Whether the version of an object is one whose fields are known: every kind here is served as `v1`, and its betas had the same fields. `autoscaling/v2` has
/// what is read of `v1`.
fn is_known_version(api_version: &str) -> bool {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let version = match group {
        "autoscaling" => version.replacen("v2", "v1", 1),
        _ => version.to_owned(),
    };
    version == "v1" || version.starts_with("v1alpha") || version.starts_with("v1beta")
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
