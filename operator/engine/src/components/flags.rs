//! The flags that a running process says it has: `/flagz` of the API server (Kubernetes 1.32, on by default since 1.36).
//!
//! Every flag is there, with the value in effect: defaults too, and what the process filled in itself. Values are as Go's flag package prints them: `[a,b]`
//! for a list, `1m0s` for a minute, nothing for what was never set.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::arguments::boolean;
use super::seconds;

/// What a flag's value is printed as where it is secret.
const CLASSIFIED: &str = "CLASSIFIED";

/// Certificate and key that the API server makes for itself in `--cert-dir` where it is given none, and then shows as if it had been given them.
const MADE_ITSELF: [(&str, &str); 2] = [
    ("tls-cert-file", "apiserver.crt"),
    ("tls-private-key-file", "apiserver.key"),
];

/// Flags by name, without those that are not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(BTreeMap<String, String>);

#[derive(Deserialize)]
struct Flagz {
    kind: String,
    #[serde(default)]
    flags: BTreeMap<String, String>,
}

impl Flags {
    /// Reads the structured form (`config.k8s.io`, kind `Flagz`). `None` for anything else, and where there is no flag: every process has some.
    pub fn decode(text: &[u8]) -> Option<Self> {
        let Flagz { kind, flags } = serde_json::from_slice(text).ok()?;
        (kind == "Flagz" && !flags.is_empty()).then(|| Self::of(flags))
    }

    /// Of names and values as the process prints them.
    pub fn of(mut flags: BTreeMap<String, String>) -> Self {
        let folder = flags.get("cert-dir").cloned().unwrap_or_default();
        for (flag, file) in MADE_ITSELF {
            let own = format!("{}/{file}", folder.trim_end_matches('/'));
            if !folder.is_empty() && flags.get(flag) == Some(&own) {
                flags.remove(flag);
            }
        }
        let flags = flags
            .into_iter()
            .map(|(name, value)| (name, unlisted(&value).to_owned()))
            .filter(|(_, value)| !value.is_empty());
        Self(flags.collect())
    }

    /// Every flag with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether the process runs with another value than `written`; `None` where that cannot be told.
    pub fn differs(&self, name: &str, written: &str) -> Option<bool> {
        let running = self.value(name).unwrap_or_default();
        (running != CLASSIFIED).then(|| !means_the_same(running, unlisted(written)))
    }
}

/// A list without the brackets around it.
fn unlisted(value: &str) -> &str {
    value
        .strip_prefix('[')
        .and_then(|inner| inner.strip_suffix(']'))
        .unwrap_or(value)
}

/// Whether two spellings of a value mean the same: `1m` and `1m0s`, `true` and `T`, lists in another order, gates with the name of their component before
/// them.
fn means_the_same(one: &str, other: &str) -> bool {
    let items = |text: &str| -> BTreeSet<String> {
        let items = text.split(',').map(|item| {
            let item = item.trim().trim_matches('"');
            item.strip_prefix("kube:").unwrap_or(item).to_owned()
        });
        items.filter(|item| !item.is_empty()).collect()
    };
    one == other
        || matches!((boolean(one), boolean(other)), (Some(one), Some(other)) if one == other)
        || matches!((seconds(one), seconds(other)), (Some(one), Some(other)) if one == other)
        || items(one) == items(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(pairs: &[(&str, &str)]) -> Flags {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Flags::of(pairs.collect())
    }

    #[test]
    fn the_structured_form_is_read_and_nothing_else() {
        let text = br#"{"kind":"Flagz","apiVersion":"config.k8s.io/v1beta1","metadata":{"name":"kube-apiserver"},
            "flags":{"anonymous-auth":"true","authorization-mode":"[Node,RBAC]","token-auth-file":"","tls-cipher-suites":"[]"}}"#;
        let read = Flags::decode(text).unwrap();
        let shown: Vec<(&str, &str)> = read.iter().collect();
        assert_eq!(shown, [("anonymous-auth", "true"), ("authorization-mode", "Node,RBAC")]);
        for other in [
            &b""[..],
            b"kube-apiserver flagz\nWarning: This endpoint is not meant to be machine parseable",
            br#"{"kind":"Status","status":"Failure"}"#,
            br#"{"kind":"Flagz","flags":{}}"#,
            br#"{"kind":"Flagz","flags":{"v":2}}"#,
        ] {
            assert_eq!(Flags::decode(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn a_certificate_that_the_server_made_itself_was_not_given() {
        let made = flags(&[
            ("cert-dir", "/var/run/kubernetes"),
            ("tls-cert-file", "/var/run/kubernetes/apiserver.crt"),
            ("tls-private-key-file", "/var/run/kubernetes/apiserver.key"),
        ]);
        assert_eq!(made.iter().count(), 1);
        let given = flags(&[
            ("cert-dir", "/var/run/kubernetes"),
            ("tls-cert-file", "/pki/apiserver.crt"),
        ]);
        assert_eq!(given.iter().count(), 2);
    }

    #[test]
    fn spellings_of_one_value_do_not_differ() {
        let running = flags(&[
            ("request-timeout", "1m0s"),
            ("profiling", "false"),
            ("enable-admission-plugins", "[NodeRestriction,EventRateLimit]"),
            ("feature-gates", "kube:A=true,kube:B=false"),
            ("etcd-keyfile", "CLASSIFIED"),
        ]);
        for (flag, written, differs) in [
            ("request-timeout", "60s", Some(false)),
            ("request-timeout", "2m", Some(true)),
            ("profiling", "F", Some(false)),
            ("profiling", "true", Some(true)),
            (
                "enable-admission-plugins",
                "EventRateLimit,NodeRestriction",
                Some(false),
            ),
            ("enable-admission-plugins", "NodeRestriction", Some(true)),
            ("feature-gates", "B=false,A=true", Some(false)),
            ("token-auth-file", "/tokens", Some(true)),
            ("token-auth-file", "", Some(false)),
            ("etcd-keyfile", "/key", None),
        ] {
            assert_eq!(running.differs(flag, written), differs, "{flag}={written}");
        }
    }
}
