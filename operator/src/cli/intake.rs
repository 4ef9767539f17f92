//! What a document becomes: an object of the world, a policy or an exception, or something that no control reads.

use ironside_crds::{ClusterHardeningException, ClusterHardeningPolicy, HardeningException, HardeningPolicy};
use ironside_engine::model::Kind;
use ironside_engine::world::Object;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::manifest::{Document, Problem, Source};

/// What a document is.
#[derive(Debug)]
pub(super) enum Intake {
    /// An object that is judged or looked at, with the namespace that it lives in.
    Object(Source, Box<Object>, Option<String>),
    /// One of Ironside's own.
    Own(Box<Own>),
    /// Of a kind that no control reads.
    Skipped,
    /// It cannot be read as what it says it is.
    Problem(Problem),
}

/// What is judged by.
#[derive(Debug)]
pub(super) enum Own {
    ClusterPolicy(ClusterHardeningPolicy),
    Policy(HardeningPolicy),
    Exception(HardeningException),
    ClusterException(ClusterHardeningException),
    /// A record of the operator.
    Other,
}

impl Intake {
    /// Reads a document; `home` is where objects live that do not say it.
    pub(super) fn of(document: Document, home: Option<&str>) -> Self {
        let Document { source, mut object } = document;
        let text = |object: &Value, key: &str| object[key].as_str().unwrap_or_default().to_owned();
        let (api_version, kind) = (text(&object, "apiVersion"), text(&object, "kind"));
        if api_version.starts_with("hardening.ironside.dev/") {
            return own(&kind, &source, object);
        }
        let Some(kind) = Kind::from_manifest(&api_version, &kind).filter(|_| is_known_version(&api_version)) else {
            return Self::Skipped;
        };
        if kind.configures().is_some() {
            name_document(&mut object, &source);
        }
        let namespace = kind.namespaced().then(|| put_in_namespace(&mut object, home));
        match Object::decode(kind, object) {
            Ok(object) => Self::Object(source, Box::new(object), namespace),
            Err(error) => Self::Problem(Problem {
                at: source.to_string(),
                message: error.to_string(),
            }),
        }
    }

    /// Without the texts of templates: who repairs needs them, who judges does not, and they are the most of what is kept of an object.
    pub(super) fn without_texts(mut self) -> Self {
        if let Self::Object(_, object, _) = &mut self
            && let Object::Workload(workload) | Object::Pod(_, Some(workload)) = object.as_mut()
        {
            workload.template.text = "".into();
        }
        self
    }
}

/// The namespace of an object, which it has from now on if it had none.
fn put_in_namespace(object: &mut Value, home: Option<&str>) -> String {
    let namespace = object
        .pointer("/metadata/namespace")
        .and_then(Value::as_str)
        .filter(|n| !n.is_empty());
    let namespace = namespace.unwrap_or(home.unwrap_or("default")).to_owned();
    if object.get("metadata").is_none_or(Value::is_null) {
        object["metadata"] = json!({});
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.insert("namespace".to_owned(), json!(namespace));
    }
    namespace
}

fn own(kind: &str, source: &Source, object: Value) -> Intake {
    let read = match kind {
        "ClusterHardeningPolicy" => as_own(object, Own::ClusterPolicy),
        "HardeningPolicy" => as_own(object, Own::Policy),
        "HardeningException" => as_own(object, Own::Exception),
        "ClusterHardeningException" => as_own(object, Own::ClusterException),
        _ => Ok(Own::Other),
    };
    match read {
        Ok(own) => Intake::Own(Box::new(own)),
        Err(error) => Intake::Problem(Problem {
            at: source.to_string(),
            message: format!("{kind}: {error}"),
        }),
    }
}

fn as_own<T: DeserializeOwned>(object: Value, own: fn(T) -> Own) -> Result<Own, serde_json::Error> {
    serde_json::from_value(object).map(own)
}

/// A document that configures a component has no name: the place where it stands tells it from others.
fn name_document(object: &mut Value, source: &Source) {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    if name.is_none_or(str::is_empty) {
        object["metadata"] = json!({"name": source.to_string()});
    }
}

/// Whether the version of an object is one whose fields are known: every kind here is served as `v1`, and its betas had the same fields. `autoscaling/v2` has
/// what is read of `v1`.
fn is_known_version(api_version: &str) -> bool {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let version = match (group, version.strip_prefix("v2")) {
        ("autoscaling", Some(rest)) => return rest.is_empty() || rest.starts_with("alpha") || rest.starts_with("beta"),
        _ => version,
    };
    version == "v1" || version.starts_with("v1alpha") || version.starts_with("v1beta")
}
