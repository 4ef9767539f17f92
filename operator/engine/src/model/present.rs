//! Fields of which it is only asked whether they are there.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Names of the fields of a map that have a value, in order; `null` counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present(Box<[Box<str>]>);

impl Present {
    /// Whether the field is there.
    pub fn contains(&self, name: &str) -> bool {
        self.0.binary_search_by(|field| (**field).cmp(name)).is_ok()
    }

    /// The names, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }
}

impl From<Vec<Box<str>>> for Present {
    fn from(mut names: Vec<Box<str>>) -> Self {
        names.sort_unstable();
        Self(names.into())
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
        let mut names = Vec::new();
        while let Some((name, value)) = map.next_entry::<Box<str>, Option<IgnoredAny>>()? {
            if value.is_some() {
                names.push(name);
            }
        }
        Ok(names.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_is_absent() {
        let present = Present::deserialize(json!({"memory": "1Gi", "cpu": 1, "nvidia.com/gpu": null})).unwrap();
        assert_eq!(present.iter().collect::<Vec<_>>(), ["cpu", "memory"]);
        assert!(present.contains("cpu") && !present.contains("nvidia.com/gpu"));
    }
}
