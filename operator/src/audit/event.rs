//! One audit event (`audit.k8s.io/v1`), as far as a detection reads it. Bodies of requests and answers are skipped while reading and never kept.

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

/// One event. What is left out in JSON, or `null`, is empty; what every event has must be there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(Default))]
pub(super) struct Event {
    /// The same for all stages of one request.
    #[serde(rename = "auditID")]
    pub id: String,
    /// How far the request was.
    pub stage: Stage,
    /// Path and query.
    #[serde(rename = "requestURI", default, deserialize_with = "null_as_default")]
    pub uri: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; the HTTP method in lower case where no resource is meant.
    pub verb: String,
    /// Who asked; nobody, where the credentials were refused.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user: User,
    /// Whom the user spoke for.
    #[serde(default)]
    pub impersonated_user: Option<User>,
    /// Where the request came from, by what the client claims; only the last is what the API server saw itself.
    #[serde(rename = "sourceIPs", default, deserialize_with = "null_as_default")]
    pub sources: Vec<String>,
    /// The client's name for itself.
    #[serde(default, deserialize_with = "null_as_default")]
    pub user_agent: String,
    /// What it was about; absent for paths that are no resources.
    #[serde(default)]
    pub object_ref: Option<Object>,
    /// How it ended.
    #[serde(default, deserialize_with = "null_as_default")]
    pub response_status: Status,
    /// When it came in.
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: Timestamp,
    /// When this stage was reached.
    #[serde(default)]
    pub stage_timestamp: Option<Timestamp>,
    /// What the API server notes.
    #[serde(default, deserialize_with = "null_as_default")]
    pub annotations: Annotations,
}

/// How far a request was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(Default))]
#[allow(missing_docs)] // As the API names them.
pub(super) enum Stage {
    RequestReceived,
    /// Of watches and connections, and of requests whose credentials were refused.
    ResponseStarted,
    #[cfg_attr(test, default)]
    ResponseComplete,
    Panic,
}

/// Somebody, as an authenticator names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct User {
    /// `system:serviceaccount:NAMESPACE:NAME` for a ServiceAccount.
    #[serde(deserialize_with = "null_as_default")]
    pub username: String,
    /// What the authenticator and the API server say the user belongs to.
    #[serde(deserialize_with = "null_as_default")]
    pub groups: Vec<String>,
}

/// The object of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)] // As the API names them.
pub(super) struct Object {
    #[serde(deserialize_with = "null_as_default")]
    pub resource: String,
    #[serde(deserialize_with = "null_as_default")]
    pub subresource: String,
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: String,
    /// Empty for lists, and for creations: there the name is in the body.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub api_group: String,
    #[serde(deserialize_with = "null_as_default")]
    pub uid: String,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    /// HTTP status; 0 while there is none.
    #[serde(deserialize_with = "null_as_default")]
    pub code: u16,
}

/// The one annotation that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Annotations {
    /// `allow` or `forbid`, by the authorizers; absent where they were not asked.
    #[serde(rename = "authorization.k8s.io/decision")]
    pub decision: Option<String>,
}

/// The name of nobody.
pub(super) const ANONYMOUS: &str = "system:anonymous";

/// Longest text of somebody else's that is told on: names of objects have at most 253 characters, user names any number.
const LONGEST_SHOWN: usize = 256;

impl Event {
    /// Who asked: of two users, the one that the credentials belong to.
    pub(super) fn who(&self) -> &str {
        &self.user.username
    }

    /// The address that the API server itself saw. All others are what the client wrote into headers.
    ///
    /// Source: the documentation of `sourceIPs` in `audit.k8s.io/v1`.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.sources.last()?.parse().ok().map(|ip: IpAddr| ip.to_canonical())
    }

    /// The same for people, with what the client claims if that is something else.
    pub(super) fn source_shown(&self) -> Option<String> {
        let seen = shown(self.sources.last()?);
        let first = shown(self.sources.first()?);
        Some(if first == seen {
            seen.into_owned()
        } else {
            format!("{seen} (said to be for {first})")
        })
    }

    /// The resource without its group, `pods/exec`; empty where none is meant.
    pub(super) fn resource(&self) -> (&str, &str) {
        match &self.object_ref {
            Some(object) => (&object.resource, &object.subresource),
            None => ("", ""),
        }
    }

    /// Whether it is about this resource of the core group.
    pub(super) fn is_about(&self, resource: &str, subresource: &str) -> bool {
        self.is_about_of("", resource, subresource)
    }

    /// Whether it is about this resource.
    pub(super) fn is_about_of(&self, group: &str, resource: &str, subresource: &str) -> bool {
        self.object_ref.as_ref().is_some_and(|object| {
            object.api_group == group && object.resource == resource && object.subresource == subresource
        })
    }

    /// Whether what was asked for was done: an upgraded connection included.
    pub(super) fn was_done(&self) -> bool {
        (100..400).contains(&self.response_status.code)
    }

    /// Whether the credentials or the rights did not suffice.
    pub(super) fn was_refused(&self) -> bool {
        matches!(self.response_status.code, 401 | 403)
    }

    /// Whether the authorizers let it through.
    pub(super) fn was_authorized(&self) -> bool {
        self.annotations.decision.as_deref() == Some("allow")
    }

    /// Whether it only asked what a write would do.
    pub(super) fn is_dry_run(&self) -> bool {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        query.split('&').any(|part| part == "dryRun=All")
    }

    /// The path without the query.
    pub(super) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }
}

/// Text of somebody else's, short and without characters that would break a line or a terminal.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST_SHOWN && !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let clean = |character: char| if character.is_control() { '\u{fffd}' } else { character };
    let mut short: String = text.chars().take(LONGEST_SHOWN).map(clean).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        short.push('…');
    }
    Cow::Owned(short)
}

/// `null` means the same as leaving it out.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> serde_json::Result<Event> {
        serde_json::from_str(text)
    }

    #[test]
    fn what_a_detection_reads_is_read_and_bodies_are_not() {
        let event = event(
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a","stage":"ResponseComplete",
            "requestURI":"/api/v1/namespaces/shop/secrets/db?dryRun=All","verb":"update","user":{"username":"eve","uid":"1","groups":["ops"],"extra":{"x":["y"]}},
            "sourceIPs":["1.2.3.4","::ffff:10.0.0.7"],"userAgent":"kubectl/v1","objectRef":{"resource":"secrets","namespace":"shop","name":"db","apiVersion":"v1"},
            "responseStatus":{"metadata":{},"code":200},"requestObject":{"deep":[1,{"a":"b"}]},"responseObject":{"kind":"Secret"},
            "requestReceivedTimestamp":"2026-11-29T10:00:00.000000Z","stageTimestamp":"2026-11-29T10:00:00.010000Z",
            "annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}"#,
        )
        .unwrap();
        assert_eq!(event.who(), "eve");
        assert!(event.is_about("secrets", "") && !event.is_about("secrets", "status"));
        assert!(event.was_done() && event.was_authorized() && !event.was_refused() && event.is_dry_run());
        assert_eq!(
            event.source(),
            Some("10.0.0.7".parse().unwrap()),
            "the client writes the others"
        );
        assert_eq!(
            event.source_shown().unwrap(),
            "::ffff:10.0.0.7 (said to be for 1.2.3.4)"
        );
        assert_eq!(event.path(), "/api/v1/namespaces/shop/secrets/db");
    }

    #[test]
    fn null_is_left_out_and_what_every_event_has_must_be_there() {
        let least = r#""auditID":"a","stage":"Panic","verb":"get","requestReceivedTimestamp":"2026-11-29T10:00:00Z""#;
        let nulls = r#""user":{"username":null,"groups":null},"sourceIPs":null,"objectRef":null,"responseStatus":null,"annotations":null,"userAgent":null"#;
        let event = event(&format!("{{{least},{nulls}}}")).unwrap();
        assert!(event.who().is_empty() && event.source().is_none() && event.source_shown().is_none());
        assert!(!event.was_done() && !event.was_refused());
        for missing in ["auditID", "stage", "verb", "requestReceivedTimestamp"] {
            let renamed = format!("{{{}}}", least.replace(missing, "other"));
            let error = self::event(&renamed).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
        assert!(self::event(&format!("{{{}}}", least.replace("Panic", "Soon"))).is_err());
        assert!(self::event(&format!("{{{}}}", least.replace("2026-11-29", "yesterday"))).is_err());
        assert!(self::event(&format!("{{{least},\"responseStatus\":{{\"code\":70000}}}}")).is_err());
    }

    #[test]
    fn foreign_text_is_short_and_on_one_line() {
        assert_eq!(shown("eve"), "eve");
        assert_eq!(shown("a\nb\u{1b}[2J"), "a\u{fffd}b\u{fffd}[2J");
        let long = shown(&"ü".repeat(1000)).into_owned();
        assert_eq!(long.chars().count(), LONGEST_SHOWN + 1);
    }
}
