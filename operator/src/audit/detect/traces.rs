//! Traces deleted: D-19.

use super::super::event::Event;
use super::{Surroundings, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// D-19: Events, of either API group, were deleted. They go by themselves after an hour; nobody has to tidy up.
pub(super) fn deleted(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let is_trace = event.is_about("events", "")
        || event.is_about_of("events.k8s.io", "events", "")
        || event.is_about("pods", "log");
    let what = match event.verb.as_str() {
        "delete" => "it was deleted",
        "deletecollection" => "Events were deleted all at once",
        _ => return None,
    };
    (is_trace && event.was_done() && !event.is_dry_run()).then(|| sighting(Detection::D19, event, what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn events_of_both_groups_and_only_deletions() {
        let told = |event: Event| deleted(&event, &Surroundings::default()).is_some();
        assert!(told(by("eve").verb("delete", "events").event()));
        assert!(told(
            by("eve")
                .verb("deletecollection", "events.events.k8s.io")
                .within("shop")
                .event()
        ));
        assert!(!told(by("eve").verb("delete", "events").dry_run().event()));
        assert!(!told(by("eve").verb("delete", "events").ended(404).event()));
        assert!(!told(by("eve").verb("create", "events").event()));
        assert!(!told(by("eve").verb("delete", "events.example.com").event()));
        assert!(!told(by("eve").verb("delete", "pods").event()));
    }
}
