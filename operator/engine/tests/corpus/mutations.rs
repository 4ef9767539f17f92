//! Repairs of other projects beside ours: `mutations.jsonl`. Where both repair, both come to the same meaning; where only the peer does, the reason is stated here
//! and in `disagreements.md`, and the control still tells what the peer takes from what it makes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ironside_engine::controls::find;
use ironside_engine::model::image::Image;
use serde::Deserialize;
use serde_json::{Value, json};

use super::cases::{self, corpus};
use super::questions::{Aspect, part, whole};
use super::{parameters_of, support};

/// One pair. `kind` is `mutate` or, where an object is made beside the given one, `generate`.
#[derive(Deserialize)]
struct Pair {
    source: String,
    check: String,
    kind: String,
    input: String,
    expected: String,
}

/// What a peer's repair amounts to here.
enum Answer {
    /// The repairs of these controls come to the same, but for fields that are ours not to write (where they end, why).
    Repaired(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// The control finds what the peer repairs, and has no repair: why.
    Judged(&'static [Aspect], &'static str),
    /// No control asks for it: why.
    Another(&'static str),
}
use Answer::{Another, Judged, Repaired};

impl Answer {
    fn why(&self) -> String {
        match self {
            Judged(_, why) | Another(why) => (*why).to_owned(),
            Repaired(_, except) => except
                .iter()
                .map(|(field, why)| format!("{field}: {why}"))
                .collect::<Vec<_>>()
                .join("; "),
        }
    }
}

const NEEDS: &str = "how much a container needs cannot be seen in its manifest; a guess starves it or wastes the node";
const IDENTITY: &str = "which users an image knows, and who owns its files, cannot be seen in its manifest";
const PSA_LEVELS: &[(&str, &str)] = &[("enforce", "Baseline"), ("warn", "Restricted"), ("audit", "Privileged")];

const ANSWERS: &[(&str, &str, Answer)] = &[
    (
        "kyverno-policies",
        "add-capabilities",
        Another("it adds rights; a repair takes away only"),
    ),
    (
        "kyverno-policies",
        "add-default-resources",
        Judged(
            &[
                part("RES-001", |e| e.pointer.contains("/requests/")),
                part("RES-002", |e| e.pointer.contains("/requests/")),
            ],
            NEEDS,
        ),
    ),
    (
        "kyverno-policies",
        "add-imagepullsecrets-for-containers-and-initcontainers",
        Another("which registry asks for which login is known to its site alone"),
    ),
    ("kyverno-policies", "add-labels", Another("a label of one site")),
    (
        "kyverno-policies",
        "add-ns-quota",
        Judged(
            &[whole("RES-003")],
            "defaults that are too low end or slow down the pods that are made next",
        ),
    ),
    (
        "kyverno-policies",
        "add-psa-labels",
        Judged(
            &[whole("NS-001").with(PSA_LEVELS)],
            "an enforced level refuses pods of what runs already when they are made anew",
        ),
    ),
    (
        "kyverno-policies",
        "apply-pss-restricted-profile",
        Repaired(
            &["POD-007", "POD-009", "POD-011", "POD-013"],
            &[
                ("/runAsUser", IDENTITY),
                ("/runAsGroup", IDENTITY),
                ("/fsGroup", IDENTITY),
            ],
        ),
    ),
    (
        "kyverno-policies",
        "create-pod-antiaffinity",
        Another("where replicas run is availability, not hardening"),
    ),
    (
        "kyverno-policies",
        "mitigate-log4shell",
        Another("a variable that one library of one language reads; the library itself must be replaced"),
    ),
    (
        "kyverno-policies",
        "remove-hostpath-volumes",
        Judged(
            &[whole("POD-005")],
            "a container whose volume and mounts are taken away loses what it was made for",
        ),
    ),
    (
        "kyverno-policies",
        "replace-image-registry",
        Another("where a site keeps its copies of images is known to it alone"),
    ),
    ("polaris", "insecureCapabilities", Repaired(&["POD-011"], &[])),
    (
        "polaris",
        "memoryLimitsMissing",
        Judged(&[part("RES-001", |e| e.pointer.contains("/limits/"))], NEEDS),
    ),
    (
        "polaris",
        "memoryRequestsMissing",
        Judged(&[part("RES-001", |e| e.pointer.contains("/requests/"))], NEEDS),
    ),
    (
        "polaris",
        "pullPolicyNotAlways",
        Judged(
            &[part("IMG-001", |e| e.pointer.ends_with("/imagePullPolicy"))],
            "pulling each time ties each start to the registry",
        ),
    ),
];

#[test]
fn repairs_of_other_projects_mean_the_same_or_the_reason_is_stated() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus at IRONSIDE_CORPUS or ../shared/corpus");
        return;
    };
    let stated = include_str!("disagreements.md");
    let text = std::fs::read_to_string(corpus.join("mutations.jsonl")).expect("readable");
    let mut counts = BTreeMap::<&str, u32>::new();
    for line in text.lines() {
        let pair: Pair = serde_json::from_str(line).expect("a pair on each line");
        let named = |(source, check, _): &&(&str, &str, Answer)| *source == pair.source && *check == pair.check;
        let (_, _, answer) = ANSWERS
            .iter()
            .find(named)
            .unwrap_or_else(|| panic!("nobody said what {} {} amounts to", pair.source, pair.check));
        let outcome = compare(&corpus, &pair, answer).unwrap_or_else(|error| panic!("{}: {error}", pair.input));
        println!("{outcome:<18} {} {}  {}", pair.source, pair.check, answer.why());
        *counts.entry(outcome).or_default() += 1;
        let is_stated = outcome == SAME || stated.contains(&format!("{} {}", pair.source, pair.check));
        assert!(is_stated, "{} {} is not in disagreements.md", pair.source, pair.check);
    }
    println!("{counts:?}");
    assert!(counts.contains_key(SAME), "{counts:?}");
}

const SAME: &str = "the same";

/// What became of a pair, in a word; an error where the answer is not true of it.
fn compare(corpus: &Path, pair: &Pair, answer: &Answer) -> Result<&'static str, String> {
    let input = cases::manifests(&corpus.join(&pair.input)).objects;
    let mut expected = cases::manifests(&corpus.join(&pair.expected)).objects;
    if pair.kind == "generate" {
        expected.extend(input.clone());
    }
    match answer {
        Another(_) => Ok("another question"),
        Judged(aspects, _) => judged(&input, &expected, aspects),
        Repaired(by, except) => repaired(&input, &expected, by, except),
    }
}

/// The control fails on what the peer takes and passes on what it makes, unless both mean the same.
fn judged(input: &[Value], expected: &[Value], aspects: &[Aspect]) -> Result<&'static str, String> {
    let means_the_same = || !meanings(input).is_empty() && meanings(input) == meanings(expected);
    let same = input == expected || means_the_same();
    let (before, after) = (failures(input, aspects), failures(expected, aspects));
    match (same, before.is_empty(), after.is_empty()) {
        (_, _, false) => Err(format!("fails on what the peer makes: {after:?}")),
        (false, true, _) => Err("passes what the peer repairs".to_owned()),
        (true, false, _) => Err(format!("fails on what the peer leaves alone: {before:?}")),
        (true, true, true) => Ok(SAME),
        (false, false, true) => Ok("found only"),
    }
}

fn failures(objects: &[Value], aspects: &[Aspect]) -> BTreeSet<String> {
    let world = support::snapshot(objects, 0);
    let of = |aspect: &Aspect| {
        let control = find(aspect.control).expect("a control");
        let judged = support::judge(control, &world, &parameters_of(aspect));
        let failures = judged
            .into_iter()
            .flat_map(|(_, judgement)| judgement.failures().to_vec());
        let counted = failures.filter(|evidence| aspect.counts(evidence));
        counted
            .map(|evidence| format!("{} {}", control.id, evidence.pointer))
            .collect::<Vec<_>>()
    };
    aspects.iter().flat_map(of).collect()
}

/// Our repairs lead to the same meaning, or one of them is held for a reason that it says itself.
fn repaired(input: &[Value], expected: &[Value], by: &[&str], except: &[(&str, &str)]) -> Result<&'static str, String> {
    let world = support::snapshot(input, 0);
    let workload = support::repair::workloads(&world).next().ok_or("no workload")?;
    let controls: Vec<_> = by.iter().map(|id| find(id).expect("a control")).collect();
    let proposals = controls
        .iter()
        .filter_map(|control| support::repair::propose(control, workload, &world));
    let (mut edits, mut held) = (Vec::new(), false);
    for proposal in proposals {
        edits.extend(proposal.edits);
        held |= !proposal.held.is_empty();
    }
    if held {
        let untouched = edits.is_empty();
        return untouched
            .then_some("held")
            .ok_or_else(|| format!("held, and yet edited: {edits:?}"));
    }
    let ours = meaning(&support::repair::apply(workload, &edits).template.json());
    let mut peers: BTreeMap<String, Value> = meanings(expected).into_iter().next().ok_or("no workload")?;
    peers.retain(|place, _| !except.iter().any(|(end, _)| place.ends_with(end)));
    if ours == peers {
        return Ok(if except.is_empty() { SAME } else { "the same but ids" });
    }
    let only = |a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>| {
        let only = a.iter().filter(|(place, value)| b.get(*place) != Some(value));
        only.map(|(place, value)| format!("{place}={value}"))
            .collect::<Vec<_>>()
    };
    Err(format!(
        "only ours: {:?}; only the peer's: {:?}",
        only(&ours, &peers),
        only(&peers, &ours)
    ))
}

/// What the pod templates among the objects mean.
fn meanings(objects: &[Value]) -> Vec<BTreeMap<String, Value>> {
    let world = support::snapshot(objects, 0);
    let workloads = support::repair::workloads(&world);
    workloads.map(|workload| meaning(&workload.template.json())).collect()
}

/// The leaves of a pod template as a container has them: what the pod says for all stands at each, what the API server sets is written, and what changes nothing is
/// left out. Containers stand at their names, since their order means nothing here.
fn meaning(template: &Value) -> BTreeMap<String, Value> {
    let mut spec = template["spec"].clone();
    let of_pod = spec["securityContext"].clone();
    let mut leaves = BTreeMap::new();
    for list in ["containers", "initContainers"] {
        let containers = spec.as_object_mut().and_then(|fields| fields.remove(list));
        for mut container in containers
            .as_ref()
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
        {
            let own = &mut container["securityContext"];
            for field in ["runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"] {
                if own[field].is_null() {
                    own[field] = of_pod[field].clone();
                }
            }
            if own["privileged"] == json!(false) {
                own["privileged"] = Value::Null;
            }
            if container["imagePullPolicy"].is_null() {
                let floats = Image::parse(container["image"].as_str().unwrap_or_default()).floats();
                container["imagePullPolicy"] = json!(if floats { "Always" } else { "IfNotPresent" });
            }
            let name = container["name"].as_str().unwrap_or_default().to_owned();
            flatten(&container, format!("/{list}/{name}"), &mut leaves);
        }
    }
    if let Some(context) = spec["securityContext"].as_object_mut() {
        context.retain(|field, _| field == "fsGroup");
    }
    flatten(&spec, String::new(), &mut leaves);
    leaves
}

fn flatten(value: &Value, at: String, leaves: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, value)| flatten(value, format!("{at}/{name}"), leaves)),
        leaf => drop(leaves.insert(at, leaf.clone())),
    }
}
