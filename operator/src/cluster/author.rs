//! Who wrote an object last, read from its text: field ownership is half of an object's bytes and not kept of most kinds.

use ironside_engine::detect::{Writer, concerns};
use ironside_engine::model::{Kind, ManagedFields};
use serde::Deserialize;
use serde_json::Value;

use super::{Raw, Source};

/// The latest writer of an object that a watch saw, where a change of it can be a sighting and its view does not keep field ownership itself.
pub(super) fn of(source: Source, raw: &Raw) -> Option<Writer> {
    let Source::Cluster(kind) = source else { return None };
    is_worth_reading(kind, raw.namespace()).then(|| last(raw.text()))?
}

/// Pods and ConfigMaps change all the time, and only those of the cluster itself can be sightings.
fn is_worth_reading(kind: Kind, namespace: &str) -> bool {
    match kind {
        Kind::Pod | Kind::ConfigMap => namespace.starts_with("kube-"),
        Kind::Namespace | Kind::NetworkPolicy | Kind::ReplicaSet => false,
        kind => concerns(kind) && !kind.is_workload(),
    }
}

fn last(text: &str) -> Option<Writer> {
    let object: Object = serde_json::from_str(text).ok()?;
    let entries = object.metadata.managed_fields.into_iter().map(ManagedFields::from);
    Writer::last(&entries.collect::<Vec<_>>())
}

#[derive(Deserialize)]
struct Object {
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

    fn raw(namespace: &str) -> Raw {
        let text = format!(
            r#"{{"metadata":{{"name":"a","namespace":"{namespace}","managedFields":[
            {{"manager":"kubectl-edit","operation":"Update","time":"2026-11-29T00:00:02Z","fieldsV1":{{"f:spec":{{}}}}}},
            {{"manager":"kubectl-create","operation":"Update","time":"2026-11-29T00:00:01Z"}},
            {{"manager":"kubelet","operation":"Update","time":"2026-11-29T00:00:09Z","subresource":"status"}}]}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn the_latest_writer_is_read_where_it_can_matter() {
        let of = |kind, namespace: &str| of(Source::Cluster(kind), &raw(namespace)).map(|writer| writer.manager);
        assert_eq!(of(Kind::Role, "shop").as_deref(), Some("kubectl-edit"));
        assert_eq!(of(Kind::Pod, "kube-system").as_deref(), Some("kubectl-edit"));
        assert_eq!(of(Kind::Pod, "shop"), None);
        assert_eq!(of(Kind::PodDisruptionBudget, "shop"), None);
    }
}
