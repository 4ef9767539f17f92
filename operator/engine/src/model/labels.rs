//! Labels, as objects carry them and as selectors ask for them.

use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::MOST_FORESEEN;

/// Labels by key, in the order of the keys. A cluster has many of them with two or three entries each, so they lie in one piece of memory, which clones
/// share: a map of the standard library takes over 500 bytes for two of them.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Labels {
    /// The value of a label.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(label, _)| (**label).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether there is a label with this key, whatever its value.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether there is a label with this key and this value.
    pub fn has(&self, key: &str, value: &str) -> bool {
        self.get(key) == Some(value)
    }

    /// Whether all of these are among them.
    pub fn contain(&self, others: &Self) -> bool {
        others.iter().all(|(key, value)| self.has(key, value))
    }

    /// Keys and values, in the order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// Keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &str> + Clone {
        self.iter().map(|(_, value)| value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// These and one more, which replaces one of the same key.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        self.iter().chain([(key, value)]).collect()
    }

    /// Takes the memory of others that say the same instead of its own.
    pub(crate) fn share_with(&mut self, others: &Self) {
        if self == others {
            *self = others.clone();
        }
    }

    /// Whether both lie in the same piece of memory.
    #[cfg(test)]
    pub(crate) fn is_shared_with(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.0, &others.0)
    }

    fn of(mut labels: Vec<(Box<str>, Box<str>)>) -> Self {
        if labels.is_empty() {
            return Self::default();
        }
        // Of two with the same key the later one counts.
        labels.reverse();
        labels.sort_by(|(a, _), (b, _)| a.cmp(b));
        labels.dedup_by(|(later, _), (kept, _)| later == kept);
        Self(labels.into())
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(labels: I) -> Self {
        Self::of(
            labels
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>, const N: usize> From<[(K, V); N]> for Labels {
    fn from(labels: [(K, V); N]) -> Self {
        labels.into_iter().collect()
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut labels = Vec::with_capacity(map.size_hint().unwrap_or_default().min(MOST_FORESEEN));
        while let Some(label) = map.next_entry()? {
            labels.push(label);
        }
        Ok(Labels::of(labels))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn they_are_as_a_map_has_them(written in proptest::collection::vec(("[a-d]{0,2}", "[xy]?"), 0..8), asked in "[a-d]{0,2}") {
            let map: BTreeMap<String, String> = written.iter().cloned().collect();
            let labels: Labels = written.into_iter().collect();
            prop_assert_eq!(labels.get(&asked), map.get(&asked).map(String::as_str));
            prop_assert_eq!(json!(labels), json!(map));
            prop_assert_eq!(format!("{labels:?}"), format!("{map:?}"));
            let read: Labels = serde_json::from_value(json!(map)).unwrap();
            prop_assert_eq!(read, labels);
        }
    }

    #[test]
    fn one_more_replaces_one_of_its_key() {
        let labels = Labels::from([("b", "1"), ("a", "2")]).with("b", "3").with("c", "4");
        assert_eq!(json!(labels), json!({"a": "2", "b": "3", "c": "4"}));
        assert_eq!(json!(Labels::default()), json!({}));
        assert!(labels.contain(&Labels::from([("a", "2")])) && !labels.contain(&Labels::from([("a", "3")])));
    }
}
