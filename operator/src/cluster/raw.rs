//! An object as it came over the wire: its identity, and its text, not decoded yet.
//!
//! kube's list and watch decode every object of a page together, so one object that does not fit its type would lose the whole page, for ever. Keeping the
//! text makes decoding a matter of one object, and keeps this type the same for all kinds. Measured with serde_json on pods of 9 kB, it costs one scan of
//! the text (about 7 µs a pod) over decoding at once, against about 60 µs for a detour over `serde_json::Value`.

use std::borrow::Cow;
use std::fmt;

use kube::Resource;
use kube::api::ObjectMeta;
use kube::core::DynamicResourceScope;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Source;

/// One object, as text.
#[derive(Clone, Debug)]
pub struct Raw {
    meta: ObjectMeta,
    text: Box<RawValue>,
}

impl Raw {
    /// The whole object as JSON.
    pub fn text(&self) -> &str {
        self.text.get()
    }

    /// Name; never absent in an object of a server.
    pub fn name(&self) -> &str {
        self.meta.name.as_deref().unwrap_or_default()
    }

    /// Namespace, empty for cluster-scoped objects.
    pub fn namespace(&self) -> &str {
        self.meta.namespace.as_deref().unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        // An object without readable metadata fails when it is decoded, alone.
        let meta = identity(text.get()).unwrap_or_default();
        Ok(Self { meta, text })
    }
}

impl Resource for Raw {
    type DynamicType = Source;
    type Scope = DynamicResourceScope;

    fn kind(source: &Source) -> Cow<'_, str> {
        source.kind().into()
    }

    fn group(source: &Source) -> Cow<'_, str> {
        source.group().into()
    }

    fn version(source: &Source) -> Cow<'_, str> {
        source.version().into()
    }

    fn plural(source: &Source) -> Cow<'_, str> {
        source.plural().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Name, namespace, UID and resource version of an object.
///
/// Stops reading as soon as all four are known: in built-in kinds they stand at the beginning, before the long parts (`managedFields`, `spec`).
fn identity(text: &str) -> Result<ObjectMeta, serde_json::Error> {
    let mut found = Identity::default();
    let outcome =
        Deserializer::deserialize_map(&mut serde_json::Deserializer::from_str(text), FindMetadata(&mut found));
    match outcome {
        // Stopping early leaves the reader in the middle of the object, which it reports as an error.
        Err(error) if !found.read => Err(error),
        _ => Ok(ObjectMeta {
            name: found.name,
            namespace: found.namespace,
            uid: found.uid,
            resource_version: found.resource_version,
            ..ObjectMeta::default()
        }),
    }
}

#[derive(Default)]
struct Identity {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    /// Whether the metadata has been read to its end, or as far as it matters.
    read: bool,
}

impl Identity {
    /// Cluster-scoped objects have no namespace: their metadata is read to its end.
    fn complete(&self) -> bool {
        self.name.is_some() && self.namespace.is_some() && self.uid.is_some() && self.resource_version.is_some()
    }
}

/// Looks for `metadata` among the keys of an object.
struct FindMetadata<'a>(&'a mut Identity);

impl<'de> Visitor<'de> for FindMetadata<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "metadata" {
                map.next_value_seed(ReadIdentity(&mut *self.0))?;
                return Ok(());
            }
            map.next_value::<serde::de::IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Reads the four fields of `metadata`.
struct ReadIdentity<'a>(&'a mut Identity);

impl<'de> serde::de::DeserializeSeed<'de> for ReadIdentity<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadIdentity<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("metadata of a Kubernetes object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let found = self.0;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let field = match key.as_ref() {
                "name" => &mut found.name,
                "namespace" => &mut found.namespace,
                "uid" => &mut found.uid,
                "resourceVersion" => &mut found.resource_version,
                _ => {
                    map.next_value::<serde::de::IgnoredAny>()?;
                    continue;
                }
            };
            *field = map.next_value()?;
            if found.complete() {
                break;
            }
        }
        found.read = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kube::api::{ObjectList, WatchEvent};

    use super::*;

    #[test]
    fn an_object_keeps_its_identity_and_its_text() {
        let text = r#"{"kind":"Pod","metadata":{"name":"web","namespace":"shop","uid":"u","resourceVersion":"7","labels":{"a":"b"}},"spec":5}"#;
        let raw: Raw = serde_json::from_str(text).unwrap();
        assert_eq!((raw.namespace(), raw.name()), ("shop", "web"));
        assert_eq!(raw.meta().resource_version.as_deref(), Some("7"));
        assert_eq!(raw.text(), text);
    }

    #[test]
    fn a_cluster_scoped_object_has_no_namespace() {
        let text =
            r#"{"spec":{},"metadata":{"annotations":{"n":"\u00fc"},"resourceVersion":"9","name":"shop","uid":"u"}}"#;
        let raw: Raw = serde_json::from_str(text).unwrap();
        assert_eq!((raw.namespace(), raw.name()), ("", "shop"));
        assert_eq!(raw.meta().resource_version.as_deref(), Some("9"));
    }

    #[test]
    fn a_page_with_an_object_that_fits_no_type_is_read() {
        let page = r#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"3"},"items":[
            {"metadata":{"name":"a","namespace":"n","uid":"1","resourceVersion":"1"},"spec":"nonsense"},
            {"metadata":[1,2]},
            {"metadata":{"name":"b","namespace":"n","uid":"2","resourceVersion":"2"},"spec":{"containers":[]}}]}"#;
        let list: ObjectList<Raw> = serde_json::from_str(page).unwrap();
        assert_eq!(list.items.iter().map(Raw::name).collect::<Vec<_>>(), ["a", "", "b"]);
    }

    #[test]
    fn a_watch_line_is_read() {
        let line = r#"{"type":"MODIFIED","object":{"metadata":{"name":"a","namespace":"n","uid":"1","resourceVersion":"12"}}}"#;
        let event: WatchEvent<Raw> = serde_json::from_str(line).unwrap();
        assert!(matches!(event, WatchEvent::Modified(raw) if raw.name() == "a"));
    }
}
