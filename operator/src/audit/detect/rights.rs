//! Somebody asks what they may do: D-08.

use super::super::event::Event;
use super::{Surroundings, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// D-08: what `kubectl auth can-i` asks, and every tool that looks for a way to more.
pub(super) fn probing(event: &Event, _: &Surroundings) -> Option<Sighting> {
    const GROUP: &str = "authorization.k8s.io";
    let asked = |resource| event.is_about_of(GROUP, resource, "");
    let what = if asked("selfsubjectrulesreviews") {
        "somebody asked for everything that they may do"
    } else if asked("selfsubjectaccessreviews") {
        "somebody asked whether they may do something"
    } else {
        return None;
    };
    (event.verb == "create" && event.was_done()).then(|| sighting(Detection::D08, event, what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn questions_about_oneself_are_told_and_about_others_are_not() {
        for (resource, expected) in [
            ("selfsubjectrulesreviews.authorization.k8s.io", true),
            ("selfsubjectaccessreviews.authorization.k8s.io", true),
            // What aggregated API servers ask for every request.
            ("subjectaccessreviews.authorization.k8s.io", false),
            ("selfsubjectreviews.authentication.k8s.io", false),
        ] {
            // testing::on splits at the first dot: the rest is the group.
            let event = by("eve").verb("create", resource).ended(201).event();
            assert_eq!(
                probing(&event, &Surroundings::default()).is_some(),
                expected,
                "{resource}"
            );
        }
    }
}
