//! Where in a workload a change lies: the pointer of the API server's object, and the shorter path that people, the undo list and the controls'
//! catalogue use.

use serde_json::Value;

use crate::model::{Kind, Workload};

/// A field of the pod spec, or of one of its containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// List and index of the container.
    pub container: Option<(String, usize)>,
    /// Field names below the container or the pod spec.
    pub steps: Vec<String>,
    /// Index of an item in the list that `steps` names.
    pub item: Option<usize>,
}

impl Place {
    /// The place that a pointer from the root of an object of this kind means; `None` outside the pod spec.
    pub(super) fn of(kind: Kind, pointer: &str) -> Option<Self> {
        let below = pointer.strip_prefix(Workload::template_pointer(kind))?;
        Self::in_template(below)
    }

    /// The place that a pointer below the pod template means; `None` outside the pod spec.
    pub(super) fn in_template(pointer: &str) -> Option<Self> {
        let mut steps: Vec<String> = pointer.strip_prefix("/spec/")?.split('/').map(str::to_owned).collect();
        let container = match steps.as_slice() {
            [list, index, _, ..] if list == "containers" || list == "initContainers" => {
                Some((list.clone(), index.parse().ok()?))
            }
            _ => None,
        };
        if container.is_some() {
            steps.drain(..2);
        }
        let item = steps.last().and_then(|last| last.parse().ok());
        if item.is_some() {
            steps.pop();
        }
        let plain = |step: &String| !step.is_empty() && !step.contains(['.', '~', '[', ']']);
        (!steps.is_empty() && steps.iter().all(plain)).then_some(Self { container, steps, item })
    }

    /// Dotted path below the container or the pod spec, `[]` at its end for an item.
    pub(super) fn path(&self) -> String {
        let mut path = self.steps.join(".");
        if self.item.is_some() {
            path.push_str("[]");
        }
        path
    }

    /// The path as the controls' catalogue names it.
    pub(super) fn catalogue_path(&self) -> String {
        match self.container {
            Some(_) => format!("containers[].{}", self.path()),
            None => self.path(),
        }
    }

    /// Steps of the place in `managedFields`, from the root of an object of this kind. `name` is the container's.
    pub(super) fn managed_path(&self, kind: Kind, name: Option<&str>) -> Vec<String> {
        let mut path: Vec<String> = Workload::template_pointer(kind)
            .split('/')
            .filter(|step| !step.is_empty())
            .map(str::to_owned)
            .collect();
        path.push("spec".to_owned());
        if let (Some((list, _)), Some(name)) = (&self.container, name) {
            path.push(list.clone());
            path.push(format!("k:{}", serde_json::json!({ "name": name })));
        }
        path.extend(self.steps.iter().cloned());
        path
    }
}

/// Pointer below the pod spec of a container of this name, in either list, with its index as it is now.
pub(super) fn find_container(pod_spec: &Value, name: &str) -> Option<String> {
    ["containers", "initContainers"].into_iter().find_map(|list| {
        let index = pod_spec
            .get(list)?
            .as_array()?
            .iter()
            .position(|container| container.get("name").and_then(Value::as_str) == Some(name))?;
        Some(format!("/{list}/{index}"))
    })
}

/// A pointer one step down.
pub(super) fn below(pointer: &str, step: &str) -> String {
    format!("{pointer}/{step}")
}
