//! What the API server has counted (`/metrics`): the proof that something is on, also where flags are hidden in a file or by a provider.
//!
//! Counts move with every request and say nothing by themselves; what is kept is what they prove.

use std::collections::{BTreeMap, BTreeSet};

const TRANSFORMATIONS: &str = "apiserver_storage_transformation_operations_total";
const AUDIT_EVENTS: &str = "apiserver_audit_event_total";
const DECISIONS: &str = "apiserver_authorization_decisions_total";
const ADMISSION: &str = "apiserver_admission_controller_admission_duration_seconds_count";
const DEPRECATED: &str = "apiserver_requested_deprecated_apis";
const CERTIFICATES: &str = "apiserver_client_certificate_expiration_seconds_bucket";

/// Values of one label that are kept at most: authorizers and plugins are few, and who answers must not fill our memory.
const MOST: usize = 256;

/// What the counts prove. Everything is since the server's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Whether an audit event was made; `None` where the server does not say.
    pub audits: Option<bool>,
    /// Types of the authorizers that decided something.
    pub authorizers: BTreeSet<String>,
    /// Admission plugins that looked at something.
    pub plugins: BTreeSet<String>,
    /// What Secrets were written with, such as `kms:v2`; `identity` is clear text.
    pub written_with: BTreeSet<String>,
    /// What Secrets that were read had been written with.
    pub read_with: BTreeSet<String>,
    /// Deprecated APIs that somebody asked for.
    pub deprecated: BTreeSet<DeprecatedApi>,
    /// The client certificates that requests came with: the least time that one of them had left, up to which bound of the histogram; `None` where the
    /// server does not count them.
    pub certificates: Option<Remaining>,
}

/// A deprecated API.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // As the metric's labels name them.
pub struct DeprecatedApi {
    pub group: String,
    pub version: String,
    pub resource: String,
    /// The release that does not have it any more, such as `1.40`; empty where none was named.
    pub removed_release: String,
}

/// How long certificates were still valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Remaining {
    /// No request came with one, or all with one that is valid for longer than any bound.
    #[default]
    Long,
    /// One had at most this many seconds left; 0 where its time was over.
    AtMost(u64),
}

impl Counters {
    /// Takes in a line of the text format. Lines of other metrics, comments and what cannot be read are passed over.
    pub fn take(&mut self, line: &str) {
        let Some((name, labels, count)) = sample(line) else {
            return;
        };
        let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
        let into = match name {
            AUDIT_EVENTS => {
                self.audits = Some(self.audits == Some(true) || count > 0.0);
                return;
            }
            DEPRECATED => {
                let api = DeprecatedApi {
                    group: label("group").to_owned(),
                    version: label("version").to_owned(),
                    resource: label("resource").to_owned(),
                    removed_release: label("removed_release").to_owned(),
                };
                if count > 0.0 && self.deprecated.len() < MOST {
                    self.deprecated.insert(api);
                }
                return;
            }
            CERTIFICATES => {
                let known = self.certificates.get_or_insert_default();
                // Each bucket counts what the smaller ones do; the last one, without a bound, counts everything.
                let bound = label("le")
                    .parse::<f64>()
                    .ok()
                    .filter(|bound| bound.is_finite() && *bound >= 0.0);
                if let Some(bound) = bound.filter(|_| count > 0.0) {
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // finite and not negative
                    let bound = bound.min(1e15) as u64;
                    *known = match *known {
                        Remaining::AtMost(less) if less <= bound => Remaining::AtMost(less),
                        _ => Remaining::AtMost(bound),
                    };
                }
                return;
            }
            DECISIONS => (&mut self.authorizers, label("type")),
            ADMISSION => (&mut self.plugins, label("name")),
            TRANSFORMATIONS if is_secrets(label("resource")) && label("status") == "OK" => {
                let with = match label("transformation_type") {
                    "to_storage" => &mut self.written_with,
                    "from_storage" => &mut self.read_with,
                    _ => return,
                };
                let Some(kind) = kind_of(label("transformer_prefix")) else {
                    return;
                };
                (with, kind)
            }
            _ => return,
        };
        let (set, value) = into;
        if count > 0.0 && set.len() < MOST {
            set.insert(value.to_owned());
        }
    }
}

fn is_secrets(resource: &str) -> bool {
    resource.trim_end_matches('.') == "secrets"
}

/// `k8s:enc:aescbc:v1:` is of the kind `aescbc:v1`; clear text has no prefix where it is written. A provider counts once more for each of its keys, by the
/// name of the key: that is no kind.
fn kind_of(prefix: &str) -> Option<&str> {
    if matches!(prefix, "" | "identity") {
        return Some("identity");
    }
    let kind = prefix.strip_prefix("k8s:enc:")?;
    let end = kind.match_indices(':').nth(1).map_or(kind.len(), |(at, _)| at);
    Some(&kind[..end])
}

/// Name, labels and value of a line such as `name{a="b"} 3`.
fn sample(line: &str) -> Option<(&str, BTreeMap<String, String>, f64)> {
    // Most lines are of other metrics: they are told by their first letters.
    let name = [
        TRANSFORMATIONS,
        AUDIT_EVENTS,
        DECISIONS,
        ADMISSION,
        DEPRECATED,
        CERTIFICATES,
    ]
    .into_iter()
    .find(|name| line.starts_with(name))?;
    let rest = &line[name.len()..];
    let (labels, value) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest.strip_prefix(' ')?),
    };
    let value = value.split_whitespace().next()?.parse().ok()?;
    Some((name, labels, value))
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = rest.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    letter => value.push(letter),
                },
                (_, letter) => value.push(letter),
            }
        };
        labels.insert(name.trim().to_owned(), value);
        text = &rest[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> Counters {
        let mut counters = Counters::default();
        text.lines().for_each(|line| counters.take(line));
        counters
    }

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn what_was_counted_is_kept_as_what_it_proves() {
        let counters = counted(
            r#"# HELP apiserver_audit_event_total [ALPHA] Counter of audit events generated and sent to the audit backend.
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 12
apiserver_authorization_decisions_total{decision="allowed",name="rbac",type="RBAC"} 7
apiserver_authorization_decisions_total{decision="allowed",name="node",type="Node"} 0
apiserver_admission_controller_admission_duration_seconds_count{name="NodeRestriction",operation="CREATE",rejected="false",type="admit"} 3
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",transformation_type="to_storage",transformer_prefix="k8s:enc:aescbc:v1:"} 2
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",transformation_type="to_storage",transformer_prefix="key1:"} 2
apiserver_storage_transformation_operations_total{resource="secrets",status="OK",transformation_type="from_storage",transformer_prefix="identity"} 1
apiserver_storage_transformation_operations_total{resource="secrets",status="Unknown",transformation_type="from_storage",transformer_prefix="k8s:enc:kms:v2:"} 1
apiserver_storage_transformation_operations_total{resource="configmaps",status="OK",transformation_type="to_storage",transformer_prefix="k8s:enc:kms:v2:"} 4
apiserver_request_total{code="200"} 5
apiserver_requested_deprecated_apis{group="flowcontrol.apiserver.k8s.io",removed_release="1.32",resource="flowschemas",subresource="",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1
apiserver_client_certificate_expiration_seconds_bucket{le="0"} 0
apiserver_client_certificate_expiration_seconds_bucket{le="1800"} 0
apiserver_client_certificate_expiration_seconds_bucket{le="604800"} 3
apiserver_client_certificate_expiration_seconds_bucket{le="2.592e+06"} 4
apiserver_client_certificate_expiration_seconds_bucket{le="+Inf"} 9
apiserver_client_certificate_expiration_seconds_count 9
"#,
        );
        assert_eq!(
            counters,
            Counters {
                audits: Some(true),
                authorizers: set(&["RBAC"]),
                plugins: set(&["NodeRestriction"]),
                written_with: set(&["aescbc:v1"]),
                read_with: set(&["identity"]),
                deprecated: [
                    ("", "v1", "endpoints", ""),
                    ("flowcontrol.apiserver.k8s.io", "v1beta3", "flowschemas", "1.32")
                ]
                .into_iter()
                .map(|(group, version, resource, removed_release)| DeprecatedApi {
                    group: group.to_owned(),
                    version: version.to_owned(),
                    resource: resource.to_owned(),
                    removed_release: removed_release.to_owned(),
                })
                .collect(),
                certificates: Some(Remaining::AtMost(604_800)),
            }
        );
        assert_eq!(counted("apiserver_audit_event_total 0").audits, Some(false));
    }

    #[test]
    fn certificates_that_are_valid_for_long_are_told_from_none_that_are_counted() {
        let bucket = |bound: &str, count: u32| {
            format!("apiserver_client_certificate_expiration_seconds_bucket{{le=\"{bound}\"}} {count}")
        };
        assert_eq!(counted("").certificates, None);
        for (lines, expected) in [
            (vec![bucket("0", 0), bucket("+Inf", 7)], Remaining::Long),
            (vec![bucket("0", 1), bucket("1800", 1)], Remaining::AtMost(0)),
            (vec![bucket("1800", 1), bucket("0", 0)], Remaining::AtMost(1800)),
            (
                vec![bucket("-3", 1), bucket("many", 1), bucket("NaN", 1)],
                Remaining::Long,
            ),
        ] {
            assert_eq!(counted(&lines.join("\n")).certificates, Some(expected), "{lines:?}");
        }
    }

    #[test]
    fn nonsense_is_passed_over() {
        for line in [
            "apiserver_audit_event_total",
            "apiserver_audit_event_total many",
            "apiserver_audit_event_total_created 1",
            "apiserver_authorization_decisions_total{type=\"RBAC\" 1",
            "apiserver_authorization_decisions_total{type=\"RBAC",
            "apiserver_authorization_decisions_total{type=} 1",
            "apiserver_authorization_decisions_total{} NaN",
            "\u{0}{\"}",
        ] {
            assert_eq!(counted(line), Counters::default(), "{line}");
        }
        let many: Vec<String> = (0..1000)
            .map(|number| format!("apiserver_authorization_decisions_total{{type=\"{number}\"}} 1"))
            .collect();
        assert_eq!(counted(&many.join("\n")).authorizers.len(), MOST);
    }
}
