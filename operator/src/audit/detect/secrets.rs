//! Secrets read and written: D-03, D-04.

use super::super::event::{Event, shown};
use super::{Surroundings, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// D-03: Secrets read. A list or a watch returns their content, too.
pub(super) fn read(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let is_read = matches!(event.verb.as_str(), "get" | "list" | "watch") && event.is_about("secrets", "");
    if !is_read || !event.was_done() {
        return None;
    }
    let object = event.object_ref.as_ref()?;
    let what = match (event.verb.as_str(), object.namespace.as_str(), object.name.as_str()) {
        ("get", ..) => "it was read".to_owned(),
        ("list", "", _) => "all Secrets of the cluster were read".to_owned(),
        ("list", namespace, _) => format!("all Secrets of {} were read", shown(namespace)),
        (_, "", _) => "all Secrets of the cluster are being watched".to_owned(),
        (_, namespace, "") => format!("all Secrets of {} are being watched", shown(namespace)),
        _ => "it is being watched".to_owned(),
    };
    Some(sighting(Detection::D03, event, what))
}

/// D-04: a Secret written or deleted. Content is never logged by the policy that is proposed, so any write counts.
pub(super) fn written(event: &Event, _: &Surroundings) -> Option<Sighting> {
    let what = match event.verb.as_str() {
        "create" => "it was created",
        "update" | "patch" => "it was changed",
        "delete" => "it was deleted",
        "deletecollection" => "Secrets were deleted all at once",
        _ => return None,
    };
    let is_written = event.is_about("secrets", "") && event.was_done() && !event.is_dry_run();
    is_written.then(|| sighting(Detection::D04, event, what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn around() -> Surroundings {
        Surroundings::default()
    }

    #[test]
    fn reads_say_how_much_was_read() {
        let told = |event: Event| read(&event, &around()).map(|it| (it.object, it.what));
        let (object, what) = told(by("eve").get("secrets").event()).unwrap();
        assert_eq!((object.as_str(), what.as_str()), ("Secret shop/db", "it was read"));
        let everywhere = told(by("eve").verb("list", "secrets").within("").event()).unwrap();
        assert_eq!(everywhere.1, "all Secrets of the cluster were read");
        let there = told(by("eve").verb("list", "secrets").within("shop").event()).unwrap();
        assert_eq!(
            there,
            ("secrets in shop".to_owned(), "all Secrets of shop were read".to_owned())
        );
        let watched = told(by("eve").verb("watch", "secrets").within("").event()).unwrap();
        assert_eq!(watched.1, "all Secrets of the cluster are being watched");
        for nothing in [
            by("eve").get("secrets").ended(403),
            by("eve").get("secrets").ended(404),
            by("eve").get("configmaps"),
            by("eve").get("secrets.example.com"),
            by("eve").verb("create", "secrets"),
        ] {
            assert_eq!(told(nothing.event()), None);
        }
    }

    #[test]
    fn writes_are_told_and_what_only_asks_is_not() {
        let told = |event: Event| written(&event, &around()).is_some();
        for verb in ["create", "update", "patch", "delete", "deletecollection"] {
            assert!(told(by("eve").verb(verb, "secrets").ended(201).event()), "{verb}");
            assert!(!told(by("eve").verb(verb, "secrets").dry_run().event()), "{verb}");
            assert!(!told(by("eve").verb(verb, "secrets").ended(409).event()), "{verb}");
            assert!(!told(by("eve").verb(verb, "pods").event()), "{verb}");
        }
        assert!(!told(by("eve").get("secrets").event()));
    }
}
