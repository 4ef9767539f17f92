//! How a repair says what it wants changed in a pod template: leaves only, each with the value that was there before.

use serde_json::Value;

use super::{ContainerScope, ControlId, Risk};
use crate::model::ContainerKind;

/// One wanted change of one leaf.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// JSON pointer below the pod template.
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

/// Collects the edits of one template. Edits of several controls on one template go into one patch.
#[derive(Debug)]
pub struct TemplateEdit<'a> {
    template: &'a Value,
    control: ControlId,
    edits: Vec<Edit>,
    raised: Vec<(Risk, String)>,
}

impl<'a> TemplateEdit<'a> {
    /// Starts an empty edit of a template (its JSON form) on behalf of a control.
    pub fn new(template: &'a Value, control: ControlId) -> Self {
        Self {
            template,
            control,
            edits: Vec::new(),
            raised: Vec::new(),
        }
    }

    /// Sets a field of a container, given as a dotted path below the container.
    pub fn set(&mut self, container: &ContainerScope<'_>, path: &str, to: impl Into<Value>) {
        let pointer = format!("{}/{}", container.pointer(), path.replace('.', "/"));
        let name = (container.kind, container.index, container.container.name.clone());
        self.push(pointer, Some(name), to.into());
    }

    /// Sets a field of the pod spec, given as a dotted path below `spec`.
    pub fn set_in_spec(&mut self, path: &str, to: impl Into<Value>) {
        self.push(format!("/spec/{}", path.replace('.', "/")), None, to.into());
    }

    /// Raises the risk of this repair, with the reason that a person will read.
    pub fn raise(&mut self, risk: Risk, reason: impl Into<String>) {
        self.raised.push((risk, reason.into()));
    }

    /// The template's JSON form before any edit.
    pub fn template(&self) -> &Value {
        self.template
    }

    /// What was collected: edits and risk reasons.
    pub fn finish(self) -> (Vec<Edit>, Vec<(Risk, String)>) {
        (self.edits, self.raised)
    }

    fn push(&mut self, pointer: String, container: Option<(ContainerKind, usize, String)>, to: Value) {
        let from = self.template.pointer(&pointer).cloned();
        if from.as_ref() != Some(&to) {
            self.edits.push(Edit {
                pointer,
                container,
                from,
                to,
                control: self.control,
            });
        }
    }
}
