//! Plans of manifests as if they had been applied, and what must hold for each.

use ironside_engine::controls::{CONTROLS, Parameters, Verdict, WorkloadScope};
use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::{Kind, Workload};
use ironside_engine::plan::{
    ANNOTATION, Disposition, Plan, Scope, dry_run_matches, parse_annotation, plan, undo_from, with_annotation,
};
use ironside_engine::policy::{Limits, Mode};
use ironside_engine::world::Snapshot;
use serde_json::{Value, json};

/// The manifest as if it had been applied: with uid, generation and version.
pub fn as_live(mut object: Value) -> Option<(Kind, Value)> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = Kind::from_manifest(text("/apiVersion"), text("/kind"))?;
    let metadata = object.get_mut("metadata")?.as_object_mut()?;
    metadata.insert("uid".to_owned(), json!("6d1e5f0a-0000-4000-8000-000000000001"));
    metadata.insert("generation".to_owned(), json!(1));
    metadata.insert("resourceVersion".to_owned(), json!("1"));
    if kind.namespaced() {
        metadata.entry("namespace").or_insert_with(|| json!("default"));
    }
    Some((kind, object))
}

/// The plan of a workload with every control enforced.
pub fn planned(world: &Snapshot, workload: &Workload) -> Option<Plan> {
    let parameters = Parameters::default();
    let target = workload.reference();
    let findings = CONTROLS.iter().copied().filter_map(|control| {
        let judgement = control.judge_workload(&WorkloadScope {
            workload,
            world,
            parameters: &parameters,
        });
        (judgement.verdict() == Verdict::Fail).then(|| Finding {
            control,
            target: target.clone(),
            verdict: Verdict::Fail,
            evidence: judgement.failures().to_vec(),
            gaps: Vec::new(),
            not_applicable: None,
            mode: Mode::Enforce,
            policies: Vec::new(),
            dissent: Vec::new(),
            excepted_containers: Vec::new(),
            excepted: None,
            hold_repair: None,
            parameters: parameters.clone().into(),
        })
    });
    let evaluation = Evaluation {
        target: target.clone(),
        findings: findings.collect(),
        gaps: Vec::new(),
        owned_by: workload.meta.controller().cloned(),
    };
    let now = "2026-06-01T12:00:00Z".parse().expect("a time");
    plan(world, &evaluation, &Limits::default(), now)
}

/// The patch does what the plan says, and its record takes it back exactly.
pub fn check(plan: &Plan, object: &Value, at: &str) {
    let mut after = object.clone();
    json_patch::patch(&mut after, &with_annotation(plan, 1, object)).unwrap_or_else(|error| panic!("{at}: {error}"));
    dry_run_matches(plan, object, &after).unwrap_or_else(|held| panic!("{at}: {held}"));
    let text = after["metadata"]["annotations"][ANNOTATION]
        .as_str()
        .expect("our annotation")
        .to_owned();
    let Ok(record) = parse_annotation(&text) else {
        let too_long = Disposition::Held(Vec::new());
        assert_ne!(plan.disposition, too_long, "{at}");
        assert_ne!(plan.disposition, Disposition::Ready, "{at}: {} bytes", text.len());
        return;
    };
    let undo = undo_from(&record, Scope::Attempt(1), plan.target.kind, &after, CONTROLS);
    let undo = undo.unwrap_or_else(|error| panic!("{at}: {error}"));
    assert_eq!(undo.left, [""; 0], "{at}");
    json_patch::patch(&mut after, &undo.patch).unwrap_or_else(|error| panic!("{at}: {error}"));
    let pointer = Workload::template_pointer(plan.target.kind);
    let template = |object: &Value| without_nulls(object.pointer(pointer).cloned().unwrap_or_default());
    assert_eq!(template(&after), template(object), "{at}");
}

/// The API server drops explicit nulls when it decodes an object.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
