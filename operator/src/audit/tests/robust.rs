//! Whatever comes: no panic, nothing uncounted, short texts.

use std::time::Duration;

use proptest::prelude::*;

use super::client::list;
use crate::audit::batch::Batch;
use crate::audit::detect::{Detector, Judged, Surroundings};
use crate::audit::event::{Annotations, Event, Object, Stage, Status, User};

/// Words that detections look for, and words that nobody expects.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "pods",
            "secrets",
            "nodes",
            "events",
            "serviceaccounts",
            "token",
            "exec",
            "proxy",
            "get",
            "list",
            "watch",
            "create",
            "delete",
            "deletecollection",
            "patch",
            "system:anonymous",
            "system:masters",
            "system:node:a",
            "kube-public",
            "127.0.0.1",
            "::ffff:10.0.0.1",
            "authorization.k8s.io",
            "selfsubjectrulesreviews",
            "/healthz",
            "/api?dryRun=All&container=",
            "allow",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
        ".{0,600}",
    ]
}

prop_compose! {
    fn user()(username in word(), groups in prop::collection::vec(word(), 0..5)) -> User {
        User { username, groups }
    }
}

prop_compose! {
    fn object()(parts in prop::array::uniform6(word())) -> Object {
        let [resource, subresource, namespace, name, api_group, uid] = parts;
        Object { resource, subresource, namespace, name, api_group, uid }
    }
}

prop_compose! {
    fn event()(
        texts in prop::array::uniform4(word()),
        stage in prop::sample::select(vec![Stage::RequestReceived, Stage::ResponseStarted, Stage::ResponseComplete, Stage::Panic]),
        user in user(),
        impersonated_user in prop::option::of(user()),
        sources in prop::collection::vec(word(), 0..3),
        object_ref in prop::option::of(object()),
        code in prop_oneof![Just(200), Just(101), Just(403), any::<u16>()],
        seconds in -62_135_596_800_i64..253_402_207_200,
        decision in prop::option::of(word()),
    ) -> Event {
        let [id, uri, verb, user_agent] = texts;
        Event {
            id, stage, uri, verb, user, impersonated_user, sources, user_agent, object_ref,
            response_status: Status { code },
            received: jiff::Timestamp::from_second(seconds).unwrap(),
            stage_timestamp: None,
            annotations: Annotations { decision },
        }
    }
}

proptest! {
    #[test]
    fn any_event_is_judged(events in prop::collection::vec(event(), 1..40)) {
        let mut detector = Detector::new(Duration::ZERO);
        for event in &events {
            let Judged::Told(told) = detector.judge(event, &Surroundings::default()) else { continue };
            for sighting in told {
                let text = sighting.to_string();
                prop_assert!(text.len() < 12_000 && !text.chars().any(char::is_control), "{text}");
            }
        }
    }

    #[test]
    fn any_body_is_read_or_refused(place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut body = list(0..3).into_bytes();
        let place = place.index(body.len());
        body[place] = byte;
        if let Ok(batch) = Batch::decode(&body) {
            prop_assert!(batch.events.len() + usize::try_from(batch.malformed).unwrap() <= 3);
            prop_assert_eq!(batch.malformed > 0, batch.complaint.is_some());
        }
        body.truncate(cut.index(body.len()));
        prop_assert!(Batch::decode(&body).is_err());
    }
}
