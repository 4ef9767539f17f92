//! What the API server has counted (`/metrics`): the proof that something is on, also where flags are hidden in a file or by a provider.
//!
//! Counts move with every request and say nothing by themselves; what is kept is what they prove.

use std::collections::{BTreeMap, BTreeSet};

const TRANSFORMATIONS: &str = "apiserver_storage_transformation_operations_total";
const AUDIT_EVENTS: &str = "apiserver_audit_event_total";
const DECISIONS: &str = "apiserver_authorization_decisions_total";
const ADMISSION: &str = "apiserver_admission_controller_admission_duration_seconds_count";

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
    let name = [TRANSFORMATIONS, AUDIT_EVENTS, DECISIONS, ADMISSION]
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
            }
        );
        assert_eq!(counted("apiserver_audit_event_total 0").audits, Some(false));
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
