//! Pod templates in objects of kinds that nobody here knows, told by their shape: custom resources of rollout controllers, databases and the like.

use ironside_engine::model::literal::escape;
use ironside_engine::model::{Node, Shape};

/// Deepest place where a template is looked for, in levels.
const DEEPEST: usize = 12;

/// What has the shape of a pod template, with its JSON pointer: a `spec` with containers, each with a name and an image.
pub(super) fn templates<'de, N: Node<'de>>(object: N) -> Vec<(String, N)> {
    let mut found = Vec::new();
    look(object, &mut String::new(), DEEPEST, &mut found);
    found
}

fn look<'de, N: Node<'de>>(node: N, pointer: &mut String, deeper: usize, found: &mut Vec<(String, N)>) {
    if is_template(node) {
        return found.push((pointer.clone(), node));
    }
    let Some(deeper) = deeper.checked_sub(1) else { return };
    let length = pointer.len();
    let mut below = |step: &str, node: N| {
        pointer.push('/');
        pointer.push_str(&escape(step));
        look(node, pointer, deeper, found);
        pointer.truncate(length);
    };
    match node.shape() {
        Shape::Fields(fields) => fields.into_iter().for_each(|(key, value)| below(key, value)),
        Shape::List(items) => items
            .into_iter()
            .enumerate()
            .for_each(|(at, item)| below(&at.to_string(), item)),
        _ => {}
    }
}

fn is_template<'de, N: Node<'de>>(node: N) -> bool {
    let Some(Shape::List(containers)) = node.at(&["spec", "containers"]).map(N::shape) else {
        return false;
    };
    let is_container = |container: &N| {
        ["name", "image"]
            .iter()
            .all(|key| container.get(key).and_then(N::as_str).is_some())
    };
    !containers.is_empty() && containers.iter().all(is_container)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(object: &Value) -> Vec<String> {
        templates(object).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn templates_are_found_wherever_they_stand() {
        let pod = json!({"spec": {"containers": [{"name": "web", "image": "web:1"}]}});
        assert_eq!(found(&json!({"spec": {"template": pod}})), ["/spec/template"]);
        assert_eq!(
            found(&json!({"spec": {"a/b": [{"podTemplate": pod}], "workers": {"template": pod}}})),
            ["/spec/a~1b/0/podTemplate", "/spec/workers/template"]
        );
    }

    #[test]
    fn what_only_resembles_one_is_none() {
        for spec in [
            json!({"containers": []}),
            json!({"containers": [{"name": "web"}]}),
            json!({"containers": ["web"]}),
            json!({"containers": {"name": "web", "image": "web:1"}}),
            json!({"versions": [{"schema": {"properties": {"containers": {"type": "array"}}}}]}),
        ] {
            assert_eq!(found(&json!({"spec": {"template": {"spec": spec}}})), [""; 0], "{spec}");
        }
    }
}
