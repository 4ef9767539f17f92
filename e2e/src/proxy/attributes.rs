//! What a request asks for, read from its method and path as the API server reads it.

use http::Method;

/// A request in the API's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the method in lower case for
    /// paths that are no resources.
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    /// Plural name such as `deployments`; empty for paths that are no resources.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Empty for all namespaces and for cluster-scoped resources.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// Path without the query.
    pub path: String,
    /// The query, undecoded.
    pub query: String,
}

impl Attributes {
    /// Reads method and path, with query.
    pub fn of(method: &Method, path: &str, query: &str) -> Self {
        let mut attributes = Self {
            path: path.to_owned(),
            query: query.to_owned(),
            ..Self::default()
        };
        let mut rest: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is_resource = match rest.as_slice() {
            ["api", _version, _resource, ..] => {
                rest.drain(..2);
                true
            }
            ["apis", group, _version, _resource, ..] => {
                (*group).clone_into(&mut attributes.group);
                rest.drain(..3);
                true
            }
            _ => false,
        };
        if !is_resource {
            attributes.verb = method.as_str().to_lowercase();
            return attributes;
        }
        // `namespaces/x` alone is the namespace itself, and so are its own two subresources.
        if let ["namespaces", namespace, resource, ..] = rest.as_slice()
            && !matches!(*resource, "status" | "finalize")
        {
            (*namespace).clone_into(&mut attributes.namespace);
            rest.drain(..2);
        }
        let mut rest = rest.into_iter().map(str::to_owned);
        attributes.resource = rest.next().unwrap_or_default();
        attributes.name = rest.next().unwrap_or_default();
        attributes.subresource = rest.next().unwrap_or_default();
        verb(method, &attributes).clone_into(&mut attributes.verb);
        attributes
    }

    /// Whether it is a stream of changes.
    pub fn is_watch(&self) -> bool {
        self.verb == "watch"
    }

    /// Whether it only asks what a write would do.
    pub fn is_dry_run(&self) -> bool {
        self.has("dryRun", "All")
    }

    /// Whether it does something, so that a process that dies beside it could leave it half done: a write that is no dry run, no question
    /// about permissions, no lease (renewed by the clock, not by what happens), and nothing that only tells what is so ([`Self::tells`]).
    pub fn is_effect(&self) -> bool {
        let writes = matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        );
        let is_question = self.group == "authorization.k8s.io" || self.group == "authentication.k8s.io";
        writes && !self.is_dry_run() && !is_question && self.resource != "leases" && !self.tells()
    }

    /// Whether it writes what is computed anew from what is there: events, the status of policies and exceptions, reports. When it is written
    /// depends on the clock, so it would shift the count of what is done.
    fn tells(&self) -> bool {
        let declared = matches!(
            self.resource.as_str(),
            "hardeningpolicies" | "clusterhardeningpolicies" | "hardeningexceptions" | "clusterhardeningexceptions"
        );
        let reports = matches!(self.group.as_str(), "openreports.io" | "wgpolicyk8s.io");
        self.resource == "events" || reports || (declared && self.subresource == "status")
    }

    fn has(&self, key: &str, value: &str) -> bool {
        self.query
            .split('&')
            .any(|pair| pair.split_once('=') == Some((key, value)))
    }
}

fn verb(method: &Method, attributes: &Attributes) -> &'static str {
    let is_collection = attributes.name.is_empty();
    match *method {
        Method::GET if attributes.has("watch", "true") || attributes.has("watch", "1") => "watch",
        Method::GET if is_collection => "list",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if is_collection => "deletecollection",
        Method::DELETE => "delete",
        _ => "get",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: &Method, target: &str) -> (String, String, String, String, String) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let it = Attributes::of(method, path, query);
        (it.verb, it.resource, it.subresource, it.namespace, it.name)
    }

    fn words(
        verb: &str,
        resource: &str,
        subresource: &str,
        namespace: &str,
        name: &str,
    ) -> (String, String, String, String, String) {
        (
            verb.into(),
            resource.into(),
            subresource.into(),
            namespace.into(),
            name.into(),
        )
    }

    #[test]
    fn paths_are_read_as_the_server_reads_them() {
        let get = &Method::GET;
        assert_eq!(of(get, "/api/v1/pods"), words("list", "pods", "", "", ""));
        assert_eq!(
            of(get, "/api/v1/pods?watch=true&x=y"),
            words("watch", "pods", "", "", "")
        );
        assert_eq!(
            of(get, "/api/v1/namespaces/a/pods/b"),
            words("get", "pods", "", "a", "b")
        );
        assert_eq!(of(get, "/api/v1/namespaces"), words("list", "namespaces", "", "", ""));
        assert_eq!(of(get, "/api/v1/namespaces/a"), words("get", "namespaces", "", "", "a"));
        assert_eq!(
            of(&Method::PUT, "/api/v1/namespaces/a/finalize"),
            words("update", "namespaces", "finalize", "", "a")
        );
        let status = "/apis/apps/v1/namespaces/a/deployments/b/status";
        assert_eq!(
            of(&Method::PATCH, status),
            words("patch", "deployments", "status", "a", "b")
        );
        assert_eq!(
            of(&Method::DELETE, "/api/v1/namespaces/a/pods"),
            words("deletecollection", "pods", "", "a", "")
        );
        assert_eq!(of(get, "/apis/apps/v1"), words("get", "", "", "", ""));
        assert_eq!(of(get, "/readyz"), words("get", "", "", "", ""));
    }

    #[test]
    fn an_effect_is_a_write_that_lasts() {
        let effect = |method, path, query| Attributes::of(&method, path, query).is_effect();
        let deployment = "/apis/apps/v1/namespaces/a/deployments/b";
        assert!(effect(Method::PATCH, deployment, "fieldManager=x"));
        assert!(!effect(Method::PATCH, deployment, "dryRun=All&fieldManager=x"));
        assert!(!effect(Method::GET, deployment, ""));
        assert!(!effect(
            Method::PUT,
            "/apis/coordination.k8s.io/v1/namespaces/a/leases/b",
            ""
        ));
        assert!(!effect(
            Method::POST,
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            ""
        ));
        let ours = "/apis/hardening.ironside.dev/v1alpha1/namespaces/a";
        let status = |plural| format!("{ours}/{plural}/b/status");
        let told = |path: &str| !Attributes::of(&Method::PATCH, path, "").is_effect();
        assert!(told(&status("hardeningpolicies")) && told("/apis/openreports.io/v1alpha1/namespaces/a/reports/b"));
        assert!(!told(&status("hardeningremediations")));
    }
}
