//! What stays the same of a failure when the file is edited elsewhere: for `--baseline`, `ironside diff` and the fingerprints of SARIF.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ironside_engine::controls::Evidence;
use serde_json::Value;

/// The field that a failure rests on.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct Field<'a> {
    pub(in crate::cli) container: Option<&'a str>,
    pub(in crate::cli) pointer: &'a str,
    /// `Null` where the field is absent.
    pub(in crate::cli) observed: &'a Value,
}

impl<'a> Field<'a> {
    /// The field of a finding's evidence.
    pub(super) fn of(evidence: &'a Evidence) -> Self {
        Self {
            container: evidence.container.as_deref(),
            pointer: &evidence.pointer,
            observed: evidence.observed.as_ref().unwrap_or(&Value::Null),
        }
    }
}

/// Control, object (kind, namespace, name), and of the field its container and name. The place in a list is left out, because it moves when another item is
/// put before it; what stands there tells one item from another instead.
pub(in crate::cli) fn identity(control: &str, object: (&str, &str, &str), field: Option<Field<'_>>) -> String {
    let (kind, namespace, name) = object;
    let mut identity = [control, kind, namespace, name].join(" ");
    if let Some(Field {
        container,
        pointer,
        observed,
    }) = field
    {
        let within = container.map_or(pointer, |_| within_container(pointer));
        let (field, in_list) = without_places(within);
        identity.extend([" ", container.unwrap_or_default(), " ", &*field]);
        if in_list {
            identity.extend([" ", &observed.to_string()]);
        }
    }
    identity
}

/// The part of a pointer below a container (`/spec/initContainers/0/image`: `image`); all of it where it points elsewhere.
pub(super) fn within_container(pointer: &str) -> &str {
    let list = pointer.find("ontainers/").map(|at| &pointer[at..]);
    list.and_then(|list| list.splitn(3, '/').nth(2)).unwrap_or(pointer)
}

/// A pointer with `-` for each place in a list, and whether there was one.
fn without_places(pointer: &str) -> (Cow<'_, str>, bool) {
    let is_place = |step: &str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    if !pointer.split('/').any(is_place) {
        return (Cow::Borrowed(pointer), false);
    }
    let steps: Vec<&str> = pointer
        .split('/')
        .map(|step| if is_place(step) { "-" } else { step })
        .collect();
    (Cow::Owned(steps.join("/")), true)
}

/// How often each failure is known: two equal items of a list are two failures.
#[derive(Debug, Default)]
pub(in crate::cli) struct Known(BTreeMap<String, usize>);

impl Known {
    /// Notes one.
    pub(in crate::cli) fn add(&mut self, identity: String) {
        *self.0.entry(identity).or_default() += 1;
    }

    /// Whether there is one that was not taken yet; takes it.
    pub(in crate::cli) fn take(&mut self, identity: &str) -> bool {
        match self.0.get_mut(identity) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const POD: (&str, &str, &str) = ("Pod", "shop", "web");

    fn of(container: Option<&str>, pointer: &str, observed: &Value) -> String {
        let field = Field {
            container,
            pointer,
            observed,
        };
        identity("POD-001", POD, Some(field))
    }

    #[test]
    fn a_container_that_moves_is_the_same_and_another_is_not() {
        let moved = |index: usize, name| {
            of(
                Some(name),
                &format!("/spec/containers/{index}/securityContext/privileged"),
                &json!(true),
            )
        };
        assert_eq!(moved(0, "web"), moved(3, "web"));
        assert_ne!(moved(0, "web"), moved(0, "side"));
    }

    #[test]
    fn an_item_of_a_list_is_told_by_what_it_is_and_not_by_where_it_stands() {
        let socket = json!("/var/run/docker.sock");
        let volume = |index: usize, path: &Value| of(None, &format!("/spec/volumes/{index}/hostPath/path"), path);
        assert_eq!(volume(0, &socket), volume(2, &socket));
        assert_ne!(volume(0, &socket), volume(0, &json!("/etc")));
    }

    #[test]
    fn a_named_field_is_the_same_whatever_its_value() {
        let user = |uid: u64| of(Some("web"), "/spec/containers/0/securityContext/runAsUser", &json!(uid));
        assert_eq!(user(0), user(10));
    }

    #[test]
    fn equal_items_are_known_as_often_as_they_were_seen() {
        let mut known = Known::default();
        known.add("a".to_owned());
        known.add("a".to_owned());
        assert_eq!([known.take("a"), known.take("a"), known.take("a")], [true, true, false]);
        assert!(!known.take("b"));
    }
}
