//! Whose credentials are used: D-06, D-09.

use super::super::event::{ANONYMOUS, Event, shown};
use super::{Surroundings, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// What Kubernetes itself, or its documentation, opens to everybody: health and version (role system:public-info-viewer), and the keys that tokens are
/// checked with where accounts are used outside the cluster (role system:service-account-issuer-discovery).
const PUBLIC: [&str; 6] = [
    "/healthz",
    "/livez",
    "/readyz",
    "/version",
    "/.well-known/openid-configuration",
    "/openid/v1/jwks",
];

/// D-06: somebody without credentials was let through.
pub(super) fn anonymous(event: &Event, _: &Surroundings) -> Option<Sighting> {
    if event.who() != ANONYMOUS || !event.was_authorized() || is_public(event) {
        return None;
    }
    let what = format!("somebody without credentials was allowed to {} it", shown(&event.verb));
    Some(sighting(Detection::D06, event, what))
}

fn is_public(event: &Event) -> bool {
    let path = event.path();
    let is_below = |public: &str| {
        path.strip_prefix(public)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match &event.object_ref {
        None => PUBLIC.iter().any(|public| is_below(public)),
        // `kubeadm join` finds the cluster's CA there, and proves it by a token.
        Some(object) => {
            event.verb == "get"
                && event.is_about("configmaps", "")
                && object.namespace == "kube-public"
                && object.name == "cluster-info"
        }
    }
}

/// D-09: somebody acts as somebody else. The API server names the other only if it lets them.
pub(super) fn impersonation(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let other = event.impersonated_user.as_ref()?;
    let groups = other.groups.iter().filter(|group| *group != "system:authenticated");
    let groups: Vec<_> = groups.take(3).map(|group| shown(group)).collect();
    let groups = if groups.is_empty() {
        String::new()
    } else {
        format!(" in {}", groups.join(", "))
    };
    let what = format!(
        "somebody acted as {}{groups} ({})",
        shown(&other.username),
        shown(&event.verb)
    );
    Some(sighting(Detection::D09, event, what))
}

#[cfg(test)]
mod tests {
    use super::super::super::event::User;
    use super::super::testing::*;
    use super::*;

    fn around() -> Surroundings {
        Surroundings::default()
    }

    #[test]
    fn without_credentials_health_is_public_and_nothing_else() {
        for (path, expected) in [
            ("/healthz", false),
            ("/livez/etcd?verbose", false),
            ("/readyz?exclude=etcd", false),
            ("/version", false),
            ("/openid/v1/jwks", false),
            ("/healthzz", true),
            ("/api/v1/healthz", true),
            ("/metrics", true),
            ("/", true),
        ] {
            let event = by(ANONYMOUS).path(path).event();
            assert_eq!(anonymous(&event, &around()).is_some(), expected, "{path}");
            let refused = by(ANONYMOUS).path(path).ended(403).event();
            assert!(anonymous(&refused, &around()).is_none(), "{path}");
        }
        assert!(anonymous(&by(ANONYMOUS).verb("list", "pods").event(), &around()).is_some());
        assert!(anonymous(&by("eve").verb("list", "pods").event(), &around()).is_none());
        // What kubeadm opens: that one object, and only to be read.
        let mut event = by(ANONYMOUS).get("configmaps").event();
        let mut at = |namespace: &str, name: &str, verb: &str| {
            let object = event.object_ref.as_mut().unwrap();
            (object.namespace, object.name) = (namespace.to_owned(), name.to_owned());
            event.verb = verb.to_owned();
            anonymous(&event, &around()).is_some()
        };
        assert!(!at("kube-public", "cluster-info", "get"));
        assert!(at("kube-public", "cluster-info", "update") && at("kube-system", "cluster-info", "get"));
    }

    #[test]
    fn who_acts_as_somebody_else_is_told_with_whom() {
        let mut event = by("eve").get("pods").event();
        assert!(impersonation(&event, &around()).is_none());
        event.impersonated_user = Some(User {
            username: "admin".to_owned(),
            groups: vec!["system:masters".to_owned(), "system:authenticated".to_owned()],
        });
        let told = impersonation(&event, &around()).unwrap();
        assert_eq!(told.what, "somebody acted as admin in system:masters (get)");
        assert_eq!(told.user.as_deref(), Some("eve"));
    }
}
