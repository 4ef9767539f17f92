//! What a single rule covers.

use crate::model::Meta;
use crate::model::rbac::PolicyRule;

/// One request, as an authorizer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// `get`, `create`, `escalate`, …
    pub verb: &'a str,
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Resource with its subresource: `pods`, `pods/exec`.
    pub resource: &'a str,
    /// Name of the object; `None` where any name will do.
    pub name: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request for whatever object of a resource.
    pub const fn any(verb: &'a str, group: &'a str, resource: &'a str) -> Self {
        Self {
            verb,
            group,
            resource,
            name: None,
        }
    }
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Something with a resource.
    Resource(Request<'a>),
    /// Something with a path that is no resource, such as `/metrics`.
    Path {
        /// `get`, `post`, …
        verb: &'a str,
        /// The path.
        path: &'a str,
    },
}

/// Whether a rule allows what is asked. A path in a rule may end in `*`.
pub fn allows(rule: &PolicyRule, asked: &Asked<'_>) -> bool {
    match asked {
        Asked::Resource(request) => covers(rule, request),
        Asked::Path { verb, path } => {
            let of_verb = rule.verbs.iter().any(|entry| entry == "*" || entry == verb);
            let of_path = |entry: &String| {
                let beginning = entry.trim_end_matches('*');
                entry == path || (beginning.len() < entry.len() && path.starts_with(beginning))
            };
            of_verb && rule.non_resource_urls.iter().any(of_path)
        }
    }
}

/// Whether a rule allows a request. A rule that names objects allows none that is asked for without a name.
pub fn covers(rule: &PolicyRule, request: &Request<'_>) -> bool {
    let has = |list: &[String], wanted: &str| list.iter().any(|entry| entry == "*" || entry == wanted);
    let subresource = request.resource.split_once('/').map(|(_, subresource)| subresource);
    let of_resource = |entry: &String| {
        entry == "*"
            || entry == request.resource
            || subresource.is_some_and(|wanted| entry.strip_prefix("*/") == Some(wanted))
    };
    let of_name = match request.name {
        _ if rule.resource_names.is_empty() => true,
        // The authorizer compares with the empty name, which a rule may list, too.
        name => rule
            .resource_names
            .iter()
            .any(|entry| entry == name.unwrap_or_default()),
    };
    has(&rule.verbs, request.verb)
        && has(&rule.api_groups, request.group)
        && rule.resources.iter().any(of_resource)
        && of_name
}

/// Whether a rule allows everything on every resource.
pub fn is_everything(rule: &PolicyRule) -> bool {
    let all = |list: &[String]| list.iter().any(|entry| entry == "*");
    all(&rule.verbs) && all(&rule.api_groups) && all(&rule.resources) && rule.resource_names.is_empty()
}

/// Whether a role or binding comes with Kubernetes.
pub fn is_built_in(meta: &Meta) -> bool {
    meta.labels.has("kubernetes.io/bootstrapping", "rbac-defaults")
        || meta.name.starts_with("system:")
        || meta.name.starts_with("kubeadm:")
        || (meta.namespace.is_empty() && ["cluster-admin", "admin", "edit", "view"].contains(&meta.name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &str, groups: &str, resources: &str, names: &str) -> PolicyRule {
        let list = |text: &str| text.split_whitespace().map(|entry| entry.replace("core", "")).collect();
        PolicyRule {
            verbs: list(verbs),
            api_groups: list(groups),
            resources: list(resources),
            resource_names: list(names),
            non_resource_urls: Vec::new(),
        }
    }

    #[test]
    fn rules_cover_as_the_authorizer_has_it() {
        let exec = Request::any("create", "", "pods/exec");
        for (rule, covered) in [
            (rule("create", "core", "pods/exec", ""), true),
            (rule("*", "*", "*", ""), true),
            (rule("create", "core", "*/exec", ""), true),
            (rule("create", "core", "pods", ""), false),
            (rule("get", "core", "pods/exec", ""), false),
            (rule("create", "apps", "pods/exec", ""), false),
            (rule("create", "core", "pods/exec", "web"), false),
        ] {
            assert_eq!(covers(&rule, &exec), covered, "{rule:?}");
        }
        let named = Request {
            name: Some("web"),
            ..exec
        };
        assert!(covers(&rule("create", "core", "pods/exec", "web"), &named));
        assert!(!covers(&rule("create", "core", "pods/exec", "db"), &named));
    }
    #[test]
    fn paths_are_covered_by_their_beginning() {
        let rule = PolicyRule {
            verbs: vec!["get".to_owned()],
            non_resource_urls: vec!["/healthz".to_owned(), "/metrics/*".to_owned()],
            ..PolicyRule::default()
        };
        for (verb, path, allowed) in [
            ("get", "/healthz", true),
            ("get", "/healthz/etcd", false),
            ("get", "/metrics/cadvisor", true),
            ("get", "/metrics", false),
            ("post", "/healthz", false),
        ] {
            assert_eq!(allows(&rule, &Asked::Path { verb, path }), allowed, "{verb} {path}");
        }
        assert!(!allows(&rule, &Asked::Resource(Request::any("get", "", "pods"))));
    }
}
