//! What a person pastes into the owner's source so that it leaves our fields alone, and the policy may say Cooperate.

use std::fmt::Write as _;

use super::place::Place;
use super::{Change, Disposition, Held, Plan};

/// The text for the owner that holds this plan: `ignoreDifferences` of an Argo CD Application, the ignore rules of a Flux Kustomization (2.9 and newer) or
/// HelmRelease. `None` where no owner of these kinds holds it.
///
/// Sources: Argo CD, "Diff customization"; Flux, "Kustomization" (`spec.ignore`) and "HelmRelease" (`spec.driftDetection.ignore`).
pub fn ignore_snippet(plan: &Plan) -> Option<String> {
    let Disposition::Held(reasons) = &plan.disposition else {
        return None;
    };
    reasons.iter().find_map(|held| match held {
        Held::OwnedBy { route: "ArgoCD", owner } => Some(argo_cd(plan, owner)),
        Held::OwnedBy { route: "Flux", owner } if owner.contains("HelmRelease") => Some(helm_release(plan, owner)),
        Held::OwnedBy { route: "Flux", owner } => Some(kustomization(plan, owner)),
        _ => None,
    })
}

fn argo_cd(plan: &Plan, owner: &str) -> String {
    let mut text = format!(
        "# {owner}\nspec:\n  ignoreDifferences:\n  - group: {}\n    kind: {}\n    namespace: {}\n    name: {}\n    jqPathExpressions:\n",
        plan.target.kind.group(),
        plan.target.kind,
        plan.target.namespace,
        plan.target.name
    );
    for change in &plan.changes {
        let _ = writeln!(text, "    - '{}'", jq_path(plan, change));
    }
    text.push_str("  syncPolicy:\n    syncOptions:\n    - RespectIgnoreDifferences=true\n");
    text
}

/// The field by container name, as list indices move; an appended item by its name or mount path.
fn jq_path(plan: &Plan, change: &Change) -> String {
    let kind = plan.target.kind;
    let Some(place) = Place::of(kind, &change.pointer) else {
        return change.pointer.replace('/', ".");
    };
    let root = crate::model::Workload::template_pointer(kind).replace('/', ".");
    let mut path = format!("{root}.spec");
    if let (Some((list, _)), Some(name)) = (&place.container, &change.container) {
        let _ = write!(path, ".{list}[] | select(.name == \"{name}\") | ");
    }
    let _ = write!(path, ".{}", place.steps.join("."));
    if place.item.is_some() {
        let key = ["mountPath", "name"]
            .into_iter()
            .find_map(|key| Some((key, change.to.get(key)?.as_str()?)));
        match key {
            Some((key, value)) => _ = write!(path, "[] | select(.{key} == \"{value}\")"),
            None => path.push_str("[]"),
        }
    }
    path
}

fn kustomization(plan: &Plan, owner: &str) -> String {
    format!("# {owner}\nspec:\n  ignore:\n{}", flux_rule(plan, "  "))
}

fn helm_release(plan: &Plan, owner: &str) -> String {
    format!(
        "# {owner}\nspec:\n  driftDetection:\n    ignore:\n{}",
        flux_rule(plan, "    ")
    )
}

fn flux_rule(plan: &Plan, indent: &str) -> String {
    let mut text = format!("{indent}- paths:\n");
    for change in &plan.changes {
        let _ = writeln!(text, "{indent}  - {}", change.pointer);
    }
    let _ = writeln!(
        text,
        "{indent}  target:\n{indent}    kind: {}\n{indent}    namespace: {}\n{indent}    name: {}",
        plan.target.kind, plan.target.namespace, plan.target.name
    );
    text
}
