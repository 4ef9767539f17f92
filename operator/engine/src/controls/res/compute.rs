//! Whether containers state what they need of a resource, and what they may take at most.

use crate::controls::{ContainerScope, Judgement, Parameter};
use crate::model::ContainerKind;

/// What counts as a stated request.
pub(super) const REQUESTS: &[Parameter] = &[Parameter {
    name: "requests",
    help: "`Effective` takes a limit as the request, too, as the API server does; `Stated` wants both written.",
    default: &["Effective"],
    accepts: |value| match value {
        "Effective" | "Stated" => Ok(()),
        _ => Err(format!("`{value}` is not known; write Effective or Stated")),
    },
}];

/// Judges request and limit of a resource (`memory`).
pub(super) fn is_stated(resource: &str, at: &ContainerScope<'_>, judgement: &mut Judgement) {
    if at.kind == ContainerKind::Ephemeral {
        return; // the API server refuses resources there
    }
    let resources = &at.container.resources;
    // Without a request the API server takes the limit; `null` it takes for a request of nothing.
    let stated = at.pod.parameters.values("requests", &["Effective"]).contains(&"Stated");
    let limit = resources.limits.contains(resource);
    let defaulted = limit && !stated && !resources.requests.is_null(resource);
    let request = resources.requests.contains(resource) || defaulted;
    for (field, is_stated) in [("requests", request), ("limits", limit)] {
        if is_stated {
            judgement.pass();
        } else {
            judgement.fail(&format!("resources.{field}.{resource}"), None, "a quantity");
        }
    }
}
