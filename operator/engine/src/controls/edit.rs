//! How a repair says what it wants changed in a pod template: leaves and list items only, each with the value that was there before.

use serde_json::{Value, json};

use super::{ContainerScope, ControlId, Risk};
use crate::model::ContainerKind;

/// One wanted change of one leaf, or one item wanted at the end of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// JSON pointer below the pod template. A last step that is a number is an item appended to a list (`/spec/volumes/2`).
    pub pointer: String,
    /// Container that the field belongs to: list, index and name. The name is tested before the patch, so a reordered list is never hit.
    pub container: Option<(ContainerKind, usize, String)>,
    /// Value before, `None` where the field was absent.
    pub from: Option<Value>,
    /// Value wanted.
    pub to: Value,
    /// Control that wants it.
    pub control: ControlId,
}

/// Collects the edits that one control wants in one template. Edits of several controls on one template go into one patch.
#[derive(Debug)]
pub struct TemplateEdit<'a> {
    template: &'a Value,
    control: ControlId,
    beside: &'a [ControlId],
    edits: Vec<Edit>,
    raised: Vec<(Risk, String)>,
}

impl<'a> TemplateEdit<'a> {
    /// Starts an empty edit of a template (its JSON form) on behalf of a control.
    pub fn new(template: &'a Value, control: ControlId) -> Self {
        Self {
            template,
            control,
            beside: &[],
            edits: Vec::new(),
            raised: Vec::new(),
        }
    }

    /// Names the controls that are repaired by the same patch.
    #[must_use]
    pub fn beside(self, controls: &'a [ControlId]) -> Self {
        Self {
            beside: controls,
            ..self
        }
    }

    /// Sets a field of a container, given as a dotted path below the container.
    pub fn set(&mut self, container: &ContainerScope<'_>, path: &str, to: impl Into<Value>) {
        let pointer = format!("{}/{}", container.pointer(), path.replace('.', "/"));
        self.push(pointer, Some(container), to.into());
    }

    /// Sets a field of the pod spec, given as a dotted path below `spec`.
    pub fn set_in_spec(&mut self, path: &str, to: impl Into<Value>) {
        self.push(format!("/spec/{}", path.replace('.', "/")), None, to.into());
    }

    /// Mounts a new empty volume into a container. Every container gets a volume of its own, so that what was private to it stays private.
    pub fn mount_empty_dir(&mut self, container: &ContainerScope<'_>, volume: &str, path: &str) {
        let volumes = "/spec/volumes";
        let mounts = format!("{}/volumeMounts", container.pointer());
        self.append(volumes, None, json!({"name": volume, "emptyDir": {}}));
        self.append(&mounts, Some(container), json!({"name": volume, "mountPath": path}));
    }

    /// Raises the risk of this repair, with the reason that a person will read. A reason at the repair's own risk explains it.
    pub fn raise(&mut self, risk: Risk, reason: impl Into<String>) {
        self.raised.push((risk, reason.into()));
    }

    /// Whether the same patch also repairs this control.
    pub fn is_beside(&self, control: &str) -> bool {
        self.beside.iter().any(|other| other.as_str() == control)
    }

    /// The template's JSON form before any edit.
    pub fn template(&self) -> &Value {
        self.template
    }

    /// What was collected: edits and risk reasons.
    pub fn finish(self) -> (Vec<Edit>, Vec<(Risk, String)>) {
        (self.edits, self.raised)
    }

    /// Appends an item to a list that may be absent, behind those that this edit appended before.
    fn append(&mut self, list: &str, container: Option<&ContainerScope<'_>>, item: Value) {
        let present = self
            .template
            .pointer(list)
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        let added = self
            .edits
            .iter()
            .filter(|edit| edit.pointer.rsplit_once('/').is_some_and(|(parent, _)| parent == list))
            .count();
        self.push(format!("{list}/{}", present + added), container, item);
    }

    fn push(&mut self, pointer: String, container: Option<&ContainerScope<'_>>, to: Value) {
        let from = self.template.pointer(&pointer).cloned();
        if from.as_ref() != Some(&to) {
            self.edits.push(Edit {
                pointer,
                container: container.map(|at| (at.kind, at.index, at.container.name.clone())),
                from,
                to,
                control: self.control,
            });
        }
    }
}
