//! One request of the API server's audit backend: an `EventList`. Events that cannot be read are counted and cost the others nothing.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::Event;

/// What one request brought.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Batch {
    /// The events that could be read, in their order.
    pub events: Vec<Event>,
    /// How many could not.
    pub malformed: u64,
    /// What is wrong with the first of them.
    pub complaint: Option<String>,
}

#[derive(Deserialize)]
struct EventList<'a> {
    kind: String,
    #[serde(rename = "apiVersion")]
    api_version: String,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

impl Batch {
    /// Reads a body. An error says what is wrong with all of it, and what to write instead.
    pub(super) fn decode(body: &[u8]) -> Result<Self, String> {
        let list: EventList<'_> = serde_json::from_slice(body).map_err(|error| format!("not an EventList: {error}"))?;
        if list.kind != "EventList" || list.api_version != "audit.k8s.io/v1" {
            let (kind, version) = (super::event::shown(&list.kind), super::event::shown(&list.api_version));
            return Err(format!(
                "{kind} of {version}: only EventList of audit.k8s.io/v1 is taken (--audit-webhook-version)"
            ));
        }
        let mut batch = Self::default();
        for item in list.items.unwrap_or_default() {
            match serde_json::from_str(item.get()) {
                Ok(event) => batch.events.push(event),
                Err(error) => {
                    batch.malformed += 1;
                    batch.complaint.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Ok(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"auditID":"a","stage":"ResponseComplete","verb":"get","requestReceivedTimestamp":"2026-11-29T10:00:00Z"}"#;

    fn list(items: &str) -> String {
        format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":{items}}}"#)
    }

    #[test]
    fn one_bad_event_costs_no_other() {
        let batch = Batch::decode(list(&format!("[{GOOD},{{}},7,{GOOD}]")).as_bytes()).unwrap();
        assert_eq!((batch.events.len(), batch.malformed), (2, 2));
        assert!(batch.complaint.unwrap().contains("auditID"));
        assert_eq!(Batch::decode(list("null").as_bytes()).unwrap(), Batch::default());
    }

    #[test]
    fn what_is_no_list_of_events_is_refused_as_a_whole() {
        for body in [
            "",
            "null",
            "[]",
            "{",
            GOOD,
            "\u{0}",
            r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":{}}"#,
        ] {
            assert!(Batch::decode(body.as_bytes()).is_err(), "{body}");
        }
        let old = list("[]").replace("/v1\"", "/v1beta1\"");
        let error = Batch::decode(old.as_bytes()).unwrap_err();
        assert!(
            error.contains("audit.k8s.io/v1beta1") && error.contains("--audit-webhook-version"),
            "{error}"
        );
        assert!(Batch::decode(&[0xff, 0xfe]).is_err());
        // Deep nesting ends in an error, not on the stack.
        let deep = list(&format!("[{}", "[".repeat(100_000)));
        assert!(Batch::decode(deep.as_bytes()).is_err());
    }
}
