//! Which single fields of a workload may not be written, although the workload may be patched.

use serde_json::Value;

use super::Held;
use super::owner::Owner;
use super::place::{Place, below};
use crate::controls::Edit;
use crate::model::managed_fields::owner_of;
use crate::model::{FieldOwner, Workload};
use crate::policy::{OwnerRoutes, Route};

/// Field managers of our own.
const OURS: &str = "ironside/";

/// Fields that change who owns files: on a volume that outlives the pod no undo changes them back (story 24).
const OWNERSHIP: [&str; 4] = ["runAsUser", "runAsGroup", "fsGroup", "supplementalGroups"];

/// Why this edit may not be made in this workload, if so.
pub(super) fn veto(
    workload: &Workload,
    template: &Value,
    owners: &[Owner],
    routes: OwnerRoutes,
    edit: &Edit,
) -> Option<Held> {
    let place = Place::in_template(&edit.pointer)?;
    stated_parent(workload, template, edit, &place)
        .or_else(|| stated_field(workload, owners, routes, edit, &place))
        .or_else(|| ownership_of_files(workload, edit, &place))
}

/// A parent of a container's field that stands in the object as an explicit `{}` was written so by its source: fields below it are drift to Argo CD
/// (argo-cd#5371). The API server writes such a parent for the pod, never for a container.
fn stated_parent(workload: &Workload, template: &Value, edit: &Edit, place: &Place) -> Option<Held> {
    let (list, index) = place.container.as_ref()?;
    let (_, parents) = place.steps.split_last()?;
    let mut pointer = format!("/spec/{list}/{index}");
    for (depth, parent) in parents.iter().enumerate() {
        pointer = below(&pointer, parent);
        if template
            .pointer(&pointer)
            .and_then(Value::as_object)
            .is_some_and(serde_json::Map::is_empty)
        {
            let stated = Place {
                steps: place.steps[..=depth].to_vec(),
                item: None,
                ..place.clone()
            };
            let manager = owner(workload, edit, &stated).map_or_else(|| "its source".to_owned(), |owner| owner.manager);
            return Some(Held::FieldOwned {
                pointer: format!("{}{pointer}", Workload::template_pointer(workload.kind)),
                manager,
            });
        }
    }
    None
}

/// With an owner that the policy lets us cooperate with, what is there is the owner's; only what nobody states is ours to set.
fn stated_field(
    workload: &Workload,
    owners: &[Owner],
    routes: OwnerRoutes,
    edit: &Edit,
    place: &Place,
) -> Option<Held> {
    let cooperates = owners.iter().find(|owner| owner.route(routes) == Route::Cooperate)?;
    edit.from.as_ref()?;
    let manager = match owner(workload, edit, place) {
        Some(owner) if owner.manager.starts_with(OURS) => return None,
        Some(owner) => owner.manager,
        None => cooperates.name.clone(),
    };
    Some(Held::FieldOwned {
        pointer: format!("{}{}", Workload::template_pointer(workload.kind), edit.pointer),
        manager,
    })
}

fn ownership_of_files(workload: &Workload, edit: &Edit, place: &Place) -> Option<Held> {
    let field = place.steps.last()?;
    let claim = workload
        .template
        .spec
        .volumes
        .iter()
        .find_map(|volume| Some(&volume.persistent_volume_claim.as_ref()?.claim_name))?;
    OWNERSHIP.contains(&field.as_str()).then(|| Held::Irreversible {
        what: format!(
            "{} would change who owns the files on volume claim {claim}",
            edit.pointer.rsplit('/').next().unwrap_or(field)
        ),
    })
}

fn owner(workload: &Workload, edit: &Edit, place: &Place) -> Option<FieldOwner> {
    let name = edit.container.as_ref().map(|(_, _, name)| name.as_str());
    let path = place.managed_path(workload.kind, name);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    owner_of(&workload.meta.managed_fields, &path)
}
