//! Fields of which it is only asked whether they are there.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Names of the fields of a map, in order, and whether each has a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present(Box<[(Box<str>, bool)]>);

impl Present {
    /// Whether the field has a value.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name) == Some(true)
    }

    /// Whether the field is written as `null`. For most fields the API server takes that for absent; a quantity it takes for zero.
    pub fn is_null(&self, name: &str) -> bool {
        self.get(name) == Some(false)
    }

    /// Names of the fields that have a value, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let with_value = self.0.iter().filter(|(_, has_value)| *has_value);
        with_value.map(|(name, _)| &**name)
    }

    fn get(&self, name: &str) -> Option<bool> {
        let at = self.0.binary_search_by(|(field, _)| (**field).cmp(name)).ok()?;
        Some(self.0[at].1)
    }
}

/// In any order; the names differ.
impl From<Vec<(Box<str>, bool)>> for Present {
    fn from(mut fields: Vec<(Box<str>, bool)>) -> Self {
        fields.sort_unstable();
        Self(fields.into())
    }
}

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Present;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Present, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<Box<str>, Option<IgnoredAny>>()? {
            fields.push((name, value.is_some()));
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_no_value_and_can_be_told_from_absence() {
        let present = Present::deserialize(json!({"memory": "1Gi", "cpu": 1, "nvidia.com/gpu": null})).unwrap();
        assert_eq!(present.iter().collect::<Vec<_>>(), ["cpu", "memory"]);
        assert!(present.contains("cpu") && !present.is_null("cpu"));
        assert!(!present.contains("nvidia.com/gpu") && present.is_null("nvidia.com/gpu"));
        assert!(!present.contains("disk") && !present.is_null("disk"));
    }
}
