//! Audit events in few words, as the tests of detections need them.

use jiff::{SignedDuration, Timestamp};

use super::super::event::{Annotations, Event, Object, Stage, Status, User};

/// A request by somebody from outside the cluster that was allowed.
pub(in crate::audit) struct Made(Event);

pub(in crate::audit) fn by(user: &str) -> Made {
    let user = User {
        username: user.to_owned(),
        groups: vec!["system:authenticated".to_owned()],
    };
    Made(Event {
        id: "1f7a".to_owned(),
        stage: Stage::ResponseComplete,
        verb: "get".to_owned(),
        user,
        sources: vec!["203.0.113.9".to_owned()],
        user_agent: "kubectl/v1.37.2 (linux/amd64) kubernetes/1a2b3c".to_owned(),
        response_status: Status { code: 200 },
        received: start(),
        annotations: Annotations {
            decision: Some("allow".to_owned()),
        },
        ..Event::default()
    })
}

pub(in crate::audit) fn start() -> Timestamp {
    "2026-11-29T10:00:00Z".parse().unwrap()
}

impl Made {
    fn on(mut self, verb: &str, resource: &str) -> Self {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
        self.0.verb = verb.to_owned();
        self.0.object_ref = Some(Object {
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            api_group: group.to_owned(),
            namespace: "shop".to_owned(),
            name: "db".to_owned(),
            ..Object::default()
        });
        self
    }

    /// `pods/exec` or `roles.rbac.authorization.k8s.io`, named db, in the namespace shop.
    pub(in crate::audit) fn get(self, resource: &str) -> Self {
        self.on("get", resource)
    }

    pub(in crate::audit) fn verb(self, verb: &str, resource: &str) -> Self {
        self.on(verb, resource)
    }

    pub(in crate::audit) fn path(mut self, path: &str) -> Self {
        self.0.uri = path.to_owned();
        self.0.object_ref = None;
        self
    }

    /// Of no object in particular, in a namespace or everywhere.
    pub(in crate::audit) fn within(mut self, namespace: &str) -> Self {
        if let Some(object) = &mut self.0.object_ref {
            object.namespace = namespace.to_owned();
            object.name.clear();
        }
        self
    }

    pub(in crate::audit) fn dry_run(mut self) -> Self {
        self.0.uri.push_str("?fieldManager=x&dryRun=All");
        self
    }

    pub(in crate::audit) fn ended(mut self, code: u16) -> Self {
        self.0.response_status.code = code;
        if matches!(code, 401 | 403) {
            self.0.annotations.decision = Some("forbid".to_owned());
        }
        self
    }

    pub(in crate::audit) fn from(mut self, sources: &[&str]) -> Self {
        self.0.sources = sources.iter().map(|source| (*source).to_owned()).collect();
        self
    }

    pub(in crate::audit) fn agent(mut self, agent: &str) -> Self {
        self.0.user_agent = agent.to_owned();
        self
    }

    pub(in crate::audit) fn group(mut self, group: &str) -> Self {
        self.0.user.groups.push(group.to_owned());
        self
    }

    pub(in crate::audit) fn after(mut self, seconds: i64) -> Self {
        self.0.received = start().saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        self
    }

    /// With an id of its own.
    pub(in crate::audit) fn id(mut self, id: &str) -> Self {
        self.0.id = id.to_owned();
        self
    }

    pub(in crate::audit) fn event(self) -> Event {
        self.0
    }
}
