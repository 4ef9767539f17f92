//! Who wrote an object last, read from its text: field ownership is half of an object's bytes and not kept of most kinds.

use ironside_engine::detect::{Writer, concerns};
use ironside_engine::model::{Kind, ManagedFields, Resource};
use ironside_engine::world::Object;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::item::{Item, Unreadable};
use super::{Raw, Source};

/// A write that a watch tells is seconds old. One that is older was not this change, which took something away: nobody owns what is not there. Clocks differ.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// Who wrote an object that a watch saw just now, where a change of it can be a sighting and its view does not keep field ownership itself.
pub(super) fn of(source: Source, raw: &Raw, item: &Result<Item, Unreadable>, now: Timestamp) -> Option<Writer> {
    let Source::Cluster(kind) = source else { return None };
    let writer = is_worth_reading(kind, raw.namespace(), item).then(|| last(raw.text()))??;
    let is_old = writer.at.is_some_and(|at| now.duration_since(at) > FRESH);
    (!is_old).then_some(writer)
}

/// Pods and ConfigMaps change all the time, and only those of the cluster itself, and ConfigMaps with a credential, can be sightings.
fn is_worth_reading(kind: Kind, namespace: &str, item: &Result<Item, Unreadable>) -> bool {
    match kind {
        Kind::ConfigMap => namespace.starts_with("kube-") || holds_credential(item),
        Kind::Pod => namespace.starts_with("kube-"),
        Kind::Namespace | Kind::NetworkPolicy | Kind::ReplicaSet => false,
        kind => concerns(kind) && !kind.is_workload(),
    }
}

fn holds_credential(item: &Result<Item, Unreadable>) -> bool {
    let Ok(Item::Object(object)) = item else { return false };
    matches!(&**object, Object::Resource(_, Resource::ConfigMap(map)) if !map.suspicious.is_empty())
}

fn last(text: &str) -> Option<Writer> {
    let object: Written = serde_json::from_str(text).ok()?;
    let entries = object.metadata.managed_fields.into_iter().map(ManagedFields::from);
    Writer::last(&entries.collect::<Vec<_>>())
}

#[derive(Deserialize)]
struct Written {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    managed_fields: Vec<Entry>,
}

/// An entry without its fields, which are what is long.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    manager: String,
    subresource: String,
    time: Option<jiff::Timestamp>,
}

impl From<Entry> for ManagedFields {
    fn from(entry: Entry) -> Self {
        Self {
            manager: entry.manager,
            operation: String::new(),
            subresource: entry.subresource,
            time: entry.time,
            fields: Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(namespace: &str, data: &str) -> Raw {
        let text = format!(
            r#"{{"metadata":{{"name":"a","namespace":"{namespace}","managedFields":[
            {{"manager":"kubectl-edit","operation":"Update","time":"2026-11-29T00:00:02Z","fieldsV1":{{"f:spec":{{}}}}}},
            {{"manager":"kubectl-create","operation":"Update","time":"2026-11-29T00:00:01Z"}},
            {{"manager":"kubelet","operation":"Update","time":"2026-11-29T00:00:09Z","subresource":"status"}}]}},"data":{data}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn writer(kind: Kind, raw: &Raw, now: &str) -> Option<String> {
        let source = Source::Cluster(kind);
        let writer = of(source, raw, &Item::decode(source, raw), now.parse().unwrap());
        writer.map(|writer| writer.manager)
    }

    const SOON: &str = "2026-11-29T00:00:10Z";

    #[test]
    fn the_latest_writer_is_read_where_it_can_matter() {
        let of = |kind, namespace: &str| writer(kind, &raw(namespace, "{}"), SOON);
        assert_eq!(of(Kind::Role, "shop").as_deref(), Some("kubectl-edit"));
        assert_eq!(of(Kind::Pod, "kube-system").as_deref(), Some("kubectl-edit"));
        assert_eq!(of(Kind::Pod, "shop"), None);
        assert_eq!(of(Kind::PodDisruptionBudget, "shop"), None);
        let with_password = raw("shop", r#"{"DB_PASSWORD":"hunter2-Xy7"}"#);
        assert_eq!(of(Kind::ConfigMap, "shop"), None);
        assert_eq!(
            writer(Kind::ConfigMap, &with_password, SOON).as_deref(),
            Some("kubectl-edit")
        );
    }

    #[test]
    fn who_wrote_long_before_the_change_did_not_make_it() {
        let role = raw("shop", "{}");
        assert_eq!(writer(Kind::Role, &role, "2026-11-29T00:05:00Z"), None);
        assert!(
            writer(Kind::Role, &role, "2026-11-28T23:59:00Z").is_some(),
            "clocks differ"
        );
    }
}
