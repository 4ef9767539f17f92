//! What must hold for every control: its declaration is complete, its examples say what they claim, and its repair repairs.

mod support;

use std::collections::BTreeSet;

use ironside_engine::controls::{
    CONTROLS, Check, Control, ControlId, Edit, Parameters, RepairBy, Verdict, WorkloadScope,
};
use ironside_engine::model::Workload;
use ironside_engine::world::Snapshot;
use support::repair::{apply, propose, workloads};
use support::{Example, examples, failing, fails, snapshot};

#[test]
fn ids_are_sorted_and_unique() {
    let ids: Vec<ControlId> = CONTROLS.iter().map(|control| control.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
}

#[test]
fn every_declaration_is_complete() {
    for control in CONTROLS {
        let id = control.id;
        let docs = control.docs;
        for (name, text) in [
            ("title", control.title),
            ("why", docs.why),
            ("reads", docs.reads),
            ("allowed", docs.allowed),
            ("repair", docs.repair),
            ("breaks", docs.breaks),
        ] {
            assert!(!text.trim().is_empty(), "{id}: {name} is empty");
            assert!(!text.contains('\n'), "{id}: {name} has a line break");
        }
        assert!(!docs.sources.is_empty(), "{id}: no sources");
        assert!(!control.threats.is_empty(), "{id}: no threats");
        assert!(!control.frameworks.is_empty(), "{id}: no frameworks");
        for mapping in control.frameworks {
            assert!(
                !mapping.ids.is_empty(),
                "{id}: no ids in {}",
                mapping.framework.as_str()
            );
        }
        let edits_templates = control
            .repair
            .is_some_and(|repair| !matches!(repair.by, RepairBy::NetworkPolicies));
        assert_eq!(
            edits_templates,
            !control.writes.is_empty(),
            "{id}: `writes` and `repair` disagree"
        );
    }
}

#[test]
fn defaults_of_parameters_are_accepted() {
    for control in CONTROLS {
        for parameter in control.parameters {
            assert!(!parameter.help.is_empty(), "{} {}", control.id, parameter.name);
            for value in parameter.default {
                assert_eq!((parameter.accepts)(value), Ok(()), "{} {}", control.id, parameter.name);
            }
            let refusal = (parameter.accepts)("no such value:");
            assert!(
                refusal.is_err_and(|why| why.contains("write")),
                "{} {}",
                control.id,
                parameter.name
            );
        }
    }
}

#[test]
fn every_control_has_examples_of_each_shape() {
    for control in CONTROLS {
        for side in ["good", "bad"] {
            let kinds: BTreeSet<String> = examples(control, side)
                .iter()
                .flat_map(|example| &example.objects)
                .filter_map(|object| object["kind"].as_str().map(str::to_owned))
                .collect();
            let wanted: &[&str] = match control.check {
                Check::Namespace(_) => &["Namespace"],
                Check::Object(judged, _) => &[judged[0].name()],
                // A pod or a document, whichever has the setting.
                Check::Component(..) => &[],
                _ => &["Pod", "Deployment"],
            };
            assert!(!kinds.is_empty(), "{} has no {side} example", control.id);
            for kind in wanted {
                assert!(
                    kinds.contains(*kind),
                    "{} has no {side} example of a {kind}",
                    control.id
                );
            }
        }
    }
}

/// A check of containers must look at all three lists of a pod, so such a control shows a failure in each.
#[test]
fn every_container_list_has_a_bad_example() {
    // What a component runs with is asked of that container alone.
    let of_containers = |control: &&&Control| !matches!(control.check, Check::Component(..));
    for control in CONTROLS.iter().filter(of_containers) {
        let pointers: BTreeSet<String> = examples(control, "bad")
            .iter()
            .flat_map(|example| support::judge(control, &snapshot(&example.objects, 0), &example.parameters))
            .flat_map(|(_, judgement)| judgement.failures().to_vec())
            .map(|evidence| evidence.pointer)
            .collect();
        let found = |list: &str| pointers.iter().any(|pointer| pointer.starts_with(list));
        assert_eq!(
            found("/spec/containers/"),
            found("/spec/initContainers/"),
            "{}",
            control.id
        );
        // An ephemeral container has no resources.
        if !control.id.as_str().starts_with("RES-") {
            let ephemeral = found("/spec/ephemeralContainers/");
            assert_eq!(found("/spec/containers/"), ephemeral, "{}", control.id);
        }
    }
}

#[test]
fn bad_examples_fail_exactly_what_they_say() {
    let mut wrong = Vec::new();
    each_example("bad", |control, example| {
        let world = snapshot(&example.objects, 0);
        assert!(
            fails(control, &world, &example.parameters),
            "{}",
            example.path.display()
        );
        let others = others_failing(control, &world);
        if others != example.also {
            wrong.push(format!("{}: {others:?}", example.path.display()));
        }
    });
    assert!(wrong.is_empty(), "`also` lists others: {wrong:#?}");
}

/// What fails beside the control itself, without what fails on nearly every manifest that is short enough for an example.
fn others_failing(control: &Control, world: &Snapshot) -> BTreeSet<String> {
    failing(world)
        .into_iter()
        .filter(|id| *id != control.id.as_str() && !ASK_FOR_MORE.contains(id))
        .map(str::to_owned)
        .collect()
}

/// Controls that fail on what most manifests leave out: digests, resources, groups, accounts of their own, controllers of pods, network policies, limits of
/// namespaces. The examples of other controls do not mention them.
const ASK_FOR_MORE: [&str; 14] = [
    "AUD-005", "IMG-001", "IMG-002", "NET-003", "NET-004", "NS-004", "POD-008", "POD-019", "RES-001", "RES-002",
    "RES-003", "RES-004", "RES-005", "SA-002",
];

#[test]
fn good_examples_pass() {
    let mut wrong = Vec::new();
    each_example("good", |control, example| {
        assert!(
            !example.also.contains(control.id.as_str()),
            "{}",
            example.path.display()
        );
        let world = snapshot(&example.objects, 0);
        assert!(
            !fails(control, &world, &example.parameters),
            "{}",
            example.path.display()
        );
        let others = others_failing(control, &world);
        if others != example.also {
            wrong.push(format!("{}: {others:?}", example.path.display()));
        }
    });
    assert!(wrong.is_empty(), "`also` lists others: {wrong:#?}");
}

#[test]
fn examples_say_what_they_show() {
    for side in ["bad", "good"] {
        each_example(side, |_, example| {
            assert!(example.shows.ends_with('.'), "{}", example.path.display());
        });
    }
}

#[test]
fn repairs_make_bad_examples_pass_or_say_why_not() {
    each_example("bad", |control, example| {
        let world = snapshot(&example.objects, 0);
        each_failing_template(control, &world, |workload| {
            let path = example.path.display();
            let proposal = propose(control, workload, &world).expect("a repair of templates");
            let held = proposal.held.first().map(|held| held.reason().to_owned());
            assert_eq!(held, example.held, "{path}");
            let repaired = apply(workload, &proposal.edits);
            stays_within_declared_places(control, &proposal.edits);
            // A pod is never patched, so an ephemeral container is nobody's to repair.
            let only_declared = repaired.template.spec.ephemeral_containers.is_empty();
            if held.is_none() && only_declared {
                assert_eq!(
                    verdict(control, &repaired, &world),
                    Verdict::Pass,
                    "{path}: {:?}",
                    proposal.edits
                );
                let again = propose(control, &repaired, &world).expect("a repair of templates");
                assert_eq!(again.edits, [], "{path}: repaired twice");
            }
        });
    });
}

#[test]
fn repairs_leave_other_controls_alone() {
    each_example("bad", |control, example| {
        let world = snapshot(&example.objects, 0);
        each_failing_template(control, &world, |workload| {
            let proposal = propose(control, workload, &world).expect("a repair of templates");
            let repaired = apply(workload, &proposal.edits);
            for other in CONTROLS {
                if verdict(other, workload, &world) != Verdict::Fail {
                    let after = verdict(other, &repaired, &world);
                    assert_ne!(
                        after,
                        Verdict::Fail,
                        "{}: {} breaks {}",
                        example.path.display(),
                        control.id,
                        other.id
                    );
                }
            }
        });
    });
}

#[test]
fn repairs_leave_good_examples_alone() {
    each_example("good", |control, example| {
        let world = snapshot(&example.objects, 0);
        for workload in workloads(&world) {
            if let Some(proposal) = propose(control, workload, &world) {
                assert_eq!(proposal.edits, [], "{}", example.path.display());
            }
        }
    });
}

/// One patch holds the edits of all controls: they must not get into each other's way.
#[test]
fn all_repairs_together_harden_a_workload_that_says_nothing() {
    let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {namespace: shop, name: web}, spec: {template: {spec: {initContainers: \
                [{name: prepare, image: p}], containers: [{name: web, image: w, ports: [{containerPort: 80}]}, {name: agent, image: a}]}}}}";
    let world = snapshot(&support::documents(text).expect("YAML"), 0);
    let workload = workloads(&world).next().expect("one workload");
    let edits: Vec<Edit> = CONTROLS
        .iter()
        .filter_map(|control| propose(control, workload, &world))
        .flat_map(|proposal| proposal.edits)
        .collect();
    let repaired = apply(workload, &edits);
    for control in CONTROLS.iter().filter(|control| !control.writes.is_empty()) {
        assert_ne!(verdict(control, &repaired, &world), Verdict::Fail, "{}", control.id);
    }
    let places: BTreeSet<&str> = edits.iter().map(|edit| edit.pointer.as_str()).collect();
    assert_eq!(places.len(), edits.len(), "two controls write the same place");
}

fn each_example(side: &str, mut check: impl FnMut(&Control, &Example)) {
    for control in CONTROLS {
        for example in examples(control, side) {
            check(control, &example);
        }
    }
}

fn each_failing_template(control: &Control, world: &Snapshot, check: impl Fn(&Workload)) {
    if control.writes.is_empty() {
        return;
    }
    workloads(world)
        .filter(|workload| verdict(control, workload, world) == Verdict::Fail)
        .for_each(check);
}

fn verdict(control: &Control, workload: &Workload, world: &Snapshot) -> Verdict {
    let parameters = &Parameters::default();
    let scope = WorkloadScope {
        workload,
        world,
        parameters,
    };
    control.judge_workload(&scope).verdict()
}

fn stays_within_declared_places(control: &Control, edits: &[Edit]) {
    for edit in edits {
        let mut steps: Vec<&str> = edit.pointer.trim_start_matches("/spec/").split('/').collect();
        let mut place = String::new();
        if matches!(steps[0], "containers" | "initContainers") {
            steps.drain(..2);
            place.push_str("containers[].");
        }
        let is_item = steps.last().is_some_and(|last| last.parse::<usize>().is_ok());
        if is_item {
            steps.pop();
        }
        place.push_str(&steps.join("."));
        place.push_str(if is_item { "[]" } else { "" });
        assert!(
            control.writes.contains(&place.as_str()),
            "{} does not declare {place}",
            control.id
        );
    }
}
