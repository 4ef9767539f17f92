//! Ways into a container or a kubelet: D-01, D-02, D-20.

use super::super::event::{Event, shown};
use super::{Surroundings, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// D-01: a command in a container, or a connection to it. Opened by POST (SPDY) or GET (WebSocket), and then the verb is `create` or `get`. A refused one is no connection; it counts as refused.
pub(super) fn command(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let what = match event.resource() {
        ("pods", "exec") => "a command was run in it",
        ("pods", "attach") => "somebody attached to it",
        ("pods", "portforward") => "a port of it was forwarded",
        _ => return None,
    };
    let opened = matches!(event.verb.as_str(), "create" | "get") && event.was_done();
    opened.then(|| sighting(Detection::D01, event, format!("{what}{}", container(event))))
}

/// Which container, where the query says it. Not the command: people write passwords into it.
fn container(event: &Event) -> String {
    let query = event.uri.split_once('?').map_or("", |(_, query)| query);
    let name = query.split('&').find_map(|part| part.strip_prefix("container="));
    name.filter(|name| !name.is_empty())
        .map_or_else(String::new, |name| format!(" (container {})", shown(name)))
}

/// D-02: a debug container.
pub(super) fn debug_container(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let is_put = event.is_about("pods", "ephemeralcontainers") && matches!(event.verb.as_str(), "update" | "patch");
    (is_put && event.was_done() && !event.is_dry_run())
        .then(|| sighting(Detection::D02, event, "a debug container was put into it".to_owned()))
}

/// D-20: a kubelet, by way of the API server. Whatever it answers: what counts is that somebody may reach it.
pub(super) fn kubelet(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let is_reached = event.is_about("nodes", "proxy") && !event.was_refused();
    is_reached.then(|| {
        let path = event.path().split_once("/proxy").map_or("", |(_, path)| path);
        let path = if path.is_empty() { "/" } else { path };
        let what = format!("its kubelet was asked for {} ({})", shown(path), shown(&event.verb));
        sighting(Detection::D20, event, what)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn around() -> Surroundings {
        Surroundings::default()
    }

    #[test]
    fn connections_are_told_by_either_verb_and_refused_ones_are_not() {
        for (resource, verb, code, expected) in [
            ("pods/exec", "create", 101, true),
            ("pods/exec", "get", 101, true),
            ("pods/attach", "get", 101, true),
            ("pods/portforward", "create", 101, true),
            ("pods/exec", "create", 403, false),
            ("pods/exec", "create", 404, false),
            ("pods/exec", "create", 0, false),
            ("pods/log", "get", 200, false),
            ("pods", "get", 200, false),
            ("services/exec", "create", 101, false),
        ] {
            let event = by("eve").verb(verb, resource).ended(code).event();
            assert_eq!(
                command(&event, &around()).is_some(),
                expected,
                "{verb} {resource} {code}"
            );
        }
    }

    #[test]
    fn the_container_is_told_and_the_command_is_not() {
        let mut event = by("eve").verb("create", "pods/exec").ended(101).event();
        event.uri =
            "/api/v1/namespaces/shop/pods/db/exec?command=psql&command=-psecret&container=main&stdin=true".to_owned();
        let told = command(&event, &around()).unwrap();
        assert_eq!(
            (told.object.as_str(), told.what.as_str()),
            ("Pod shop/db", "a command was run in it (container main)")
        );
        assert_eq!(
            (told.user.as_deref(), told.source.as_deref()),
            (Some("eve"), Some("203.0.113.9"))
        );
    }

    #[test]
    fn a_debug_container_is_a_write_that_was_done() {
        let put = |verb| by("eve").verb(verb, "pods/ephemeralcontainers");
        assert!(debug_container(&put("patch").event(), &around()).is_some());
        assert!(debug_container(&put("update").event(), &around()).is_some());
        assert!(debug_container(&put("get").event(), &around()).is_none());
        assert!(debug_container(&put("patch").ended(422).event(), &around()).is_none());
        assert!(debug_container(&put("patch").dry_run().event(), &around()).is_none());
    }

    #[test]
    fn a_kubelet_is_reached_whatever_it_answers() {
        let mut event = by("eve").get("nodes/proxy").ended(502).event();
        event.uri = "/api/v1/nodes/n1/proxy/run/shop/db/main?cmd=id".to_owned();
        let told = kubelet(&event, &around()).unwrap();
        assert_eq!(told.what, "its kubelet was asked for /run/shop/db/main (get)");
        assert!(kubelet(&by("eve").get("nodes/proxy").ended(403).event(), &around()).is_none());
        assert!(kubelet(&by("eve").get("nodes").event(), &around()).is_none());
        assert!(kubelet(&by("eve").get("pods/proxy").event(), &around()).is_none());
    }
}
