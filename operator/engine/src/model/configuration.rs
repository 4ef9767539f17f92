//! Documents that configure a component of the cluster: files on a node in the form of Kubernetes objects.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Meta;

/// Keys below which such documents hold passwords, tokens and keys. Their values are forgotten while they are read.
const SECRETS: [&str; 3] = ["secret", "token", "password"];

/// A document, whole but for its secrets: they are few, short, and come from files only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// Metadata; most have none.
    pub metadata: Meta,
    /// The document.
    pub document: Value,
}

impl<'de> Deserialize<'de> for Configuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut document = Value::deserialize(deserializer)?;
        let metadata = match document.get("metadata") {
            Some(metadata) if !metadata.is_null() => Meta::deserialize(metadata).map_err(serde::de::Error::custom)?,
            _ => Meta::default(),
        };
        forget_secrets(&mut document);
        Ok(Self { metadata, document })
    }
}

fn forget_secrets(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget_secrets),
        Value::Object(fields) => {
            for (name, field) in fields {
                if SECRETS.contains(&name.as_str()) && field.is_string() {
                    *field = Value::Null;
                } else {
                    forget_secrets(field);
                }
            }
        }
        _ => {}
    }
}

impl Configuration {
    /// A field, by its dotted path.
    pub fn field(&self, path: &str) -> Option<&Value> {
        let found = path
            .split('.')
            .try_fold(&self.document, |value, step| value.get(step))?;
        (!found.is_null()).then_some(found)
    }

    /// The items of a list, by its dotted path.
    pub fn items(&self, path: &str) -> &[Value] {
        let list = self.field(path).and_then(Value::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_forgotten() {
        let text = json!({"resources": [{"providers": [{"aescbc": {"keys": [{"name": "a", "secret": "c2VjcmV0"}]}}]}]});
        let configuration: Configuration = serde_json::from_value(text).unwrap();
        assert!(!configuration.document.to_string().contains("c2VjcmV0"));
        assert_eq!(configuration.items("resources").len(), 1);
        assert_eq!(configuration.field("resources.0"), None);
    }
}
