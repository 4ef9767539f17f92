//! What a document becomes: an object of the world, a policy or an exception, or something that no control reads.

use ironside_crds::{ClusterHardeningException, ClusterHardeningPolicy, HardeningException, HardeningPolicy};
use ironside_engine::model::misfit::Misfit;
use ironside_engine::model::workload::display_name;
use ironside_engine::model::{Kind, Node, ObjectRef, Workload};
use ironside_engine::world::Object;
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::manifest::{Reading, Source};
use super::shape;

/// What a document is.
#[derive(Debug)]
pub(super) enum Intake {
    /// An object that is judged or looked at, with what names it.
    Object(Source, Box<Object>, ObjectRef),
    /// Pod templates of an object of a kind that is not known.
    Templates(Vec<Self>),
    /// One of Ironside's own.
    Own(Box<Own>),
    /// Of a kind that no control reads.
    Skipped,
    /// It cannot be read as what it says it is: where it stands, the JSON pointer of the field, and what is wrong with it.
    Misread(Source, String, String),
}

/// To be judged and not to be repaired.
impl Reading for Intake {
    /// Where objects live that do not say it.
    type By = Option<String>;

    fn of<'de>(source: Source, object: impl Node<'de>, home: &Option<String>) -> Self {
        Self::read(source, object, home.as_deref()).without_texts()
    }
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
    /// Reads an object; `home` is where objects live that do not say it.
    pub(super) fn read<'de>(source: Source, object: impl Node<'de>, home: Option<&str>) -> Self {
        let text = |key| object.get(key).and_then(Node::as_str).unwrap_or_default();
        let (api_version, kind) = (text("apiVersion"), text("kind"));
        if api_version.starts_with("hardening.ironside.dev/") {
            return own(kind, source, object);
        }
        let Some(kind) = Kind::from_manifest(api_version, kind).filter(|_| is_known_version(api_version)) else {
            return Self::shaped(&source, object, kind, home);
        };
        let mut object = match Object::decode(kind, object) {
            Ok(object) => object,
            Err(error) => return Self::Misread(source, error.pointer().to_owned(), error.to_string()),
        };
        if let Object::Resource(kind, resource) = &mut object
            && kind.configures().is_some()
            && resource.metadata().name.is_empty()
        {
            // A document that configures a component has no name: the place where it stands tells it from others.
            resource.metadata_mut().name = source.to_string();
        }
        let mut reference = object.reference();
        if kind.namespaced() && reference.namespace.is_empty() {
            object.put_in_namespace(home.unwrap_or("default"));
            reference = object.reference();
        }
        Self::Object(source, Box::new(object), reference)
    }

    /// What has the shape of a pod template in an object of a kind that is not known.
    fn shaped<'de, N: Node<'de>>(source: &Source, object: N, kind: &str, home: Option<&str>) -> Self {
        let templates = shape::templates(object);
        let text = |key| {
            object
                .at(&["metadata", key])
                .and_then(N::as_str)
                .filter(|text| !text.is_empty())
        };
        let name = format!("{kind}/{}", text("name").unwrap_or("(without a name)"));
        let is_one = templates.len() == 1;
        let intakes = templates.into_iter().map(|(pointer, template)| {
            let name = if is_one {
                name.clone()
            } else {
                format!("{name}{pointer}")
            };
            let source = Source {
                within: format!("{}{pointer}", source.within),
                ..source.clone()
            };
            match Workload::of_template(name, object, template) {
                Ok(mut workload) => {
                    let namespace = text("namespace").or(home).unwrap_or("default");
                    namespace.clone_into(&mut workload.meta.namespace);
                    let reference = workload.reference();
                    Self::Object(source, Box::new(Object::Workload(Box::new(workload))), reference)
                }
                Err(error) => Self::Misread(source, error.pointer().to_owned(), error.to_string()),
            }
        });
        let intakes: Vec<Self> = intakes.collect();
        if intakes.is_empty() {
            Self::Skipped
        } else {
            Self::Templates(intakes)
        }
    }

    /// Without the texts of templates: who repairs needs them, who judges does not, and they are the most of what is kept of an object.
    fn without_texts(mut self) -> Self {
        if let Self::Templates(templates) = self {
            return Self::Templates(templates.into_iter().map(Self::without_texts).collect());
        }
        if let Self::Object(_, object, _) = &mut self
            && let Object::Workload(workload) | Object::Pod(_, Some(workload)) = object.as_mut()
        {
            workload.template.text = "".into();
        }
        self
    }
}

fn own<'de>(kind: &str, source: Source, object: impl Node<'de>) -> Intake {
    let read = match kind {
        "ClusterHardeningPolicy" => as_own(object, Own::ClusterPolicy),
        "HardeningPolicy" => as_own(object, Own::Policy),
        "HardeningException" => as_own(object, Own::Exception),
        "ClusterHardeningException" => as_own(object, Own::ClusterException),
        _ => Ok(Own::Other),
    };
    match read {
        Ok(own) => Intake::Own(Box::new(own)),
        Err(misfit) => {
            let message = format!("{kind} {}: {}", display_name(object), misfit.said);
            Intake::Misread(source, misfit.pointer, message)
        }
    }
}

fn as_own<'de, T: DeserializeOwned>(object: impl Node<'de>, own: fn(T) -> Own) -> Result<Own, Misfit> {
    let complaint = |object: &Value| T::deserialize(object).err().map(|it| it.to_string());
    T::deserialize(object).map(own).map_err(|error| {
        let whole = Value::deserialize(object).unwrap_or_default();
        Misfit::of(whole, &error.to_string(), complaint)
    })
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
