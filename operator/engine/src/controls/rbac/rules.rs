//! What the controls of roles and bindings share.

use serde_json::json;

use crate::controls::{Judgement, ObjectScope};
use crate::model::Resource;
use crate::model::rbac::{Binding, PolicyRule, Role};
use crate::rbac::{Request, covers, is_built_in};

/// The role that is judged; one that comes with Kubernetes is not applicable.
pub(in crate::controls) fn role_of<'a>(at: &ObjectScope<'a>, judgement: &mut Judgement) -> Option<&'a Role> {
    let Some(Resource::Role(role)) = at.resource() else {
        return None;
    };
    if is_built_in(&role.metadata) {
        judgement.not_applicable("it comes with Kubernetes");
        return None;
    }
    Some(role)
}

/// The binding that is judged; one that comes with Kubernetes is not applicable.
pub(in crate::controls) fn binding_of<'a>(at: &ObjectScope<'a>, judgement: &mut Judgement) -> Option<&'a Binding> {
    let Some(Resource::Binding(binding)) = at.resource() else {
        return None;
    };
    if is_built_in(&binding.metadata) {
        judgement.not_applicable("it comes with Kubernetes");
        return None;
    }
    Some(binding)
}

/// Fails each rule of the role for which the question is answered with yes.
pub(in crate::controls) fn each_rule(
    at: &ObjectScope<'_>,
    judgement: &mut Judgement,
    expected: &str,
    is_bad: impl Fn(&PolicyRule) -> bool,
) {
    let Some(role) = role_of(at, judgement) else { return };
    judgement.pass();
    for (index, rule) in role.rules.iter().enumerate().filter(|(_, rule)| is_bad(rule)) {
        let found = json!(format!("{} of {}", rule.verbs.join(", "), rule.resources.join(", ")));
        judgement.fail(&format!("rules.{index}"), Some(found), expected);
    }
}

/// Whether a rule allows any of the verbs on any of the resources, on some object at least.
pub(in crate::controls) fn any_of(rule: &PolicyRule, group: &str, resources: &[&str], verbs: &[&str]) -> bool {
    let name = rule.resource_names.first().map(String::as_str);
    resources.iter().any(|resource| {
        verbs.iter().any(|verb| {
            let request = Request {
                name,
                ..Request::any(verb, group, resource)
            };
            covers(rule, &request)
        })
    })
}
