//! What is asked, as a person writes it and as a SubjectAccessReview does.

use anyhow::{Context as _, bail};
use ironside_engine::model::Kind;
use ironside_engine::rbac::{Asked, Identity, Request};
use serde::Deserialize;
use serde_json::Value;

/// One question.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) who: Identity,
    pub(super) verb: String,
    what: What,
    /// Everywhere where it is `None`.
    pub(super) namespace: Option<String>,
}

#[derive(Debug)]
enum What {
    Resource {
        group: String,
        /// With its subresource.
        resource: String,
        name: Option<String>,
    },
    Path(String),
}

impl Question {
    pub(super) fn new(
        who: Identity,
        verb: &str,
        resource: &str,
        name: Option<&str>,
        namespace: Option<&str>,
    ) -> anyhow::Result<Self> {
        if resource.starts_with('/') && (name.is_some() || namespace.is_some()) {
            bail!("{resource} is a path: it has no --name and lies in no --namespace");
        }
        Ok(Self {
            who,
            verb: verb.to_owned(),
            what: if resource.starts_with('/') {
                What::Path(resource.to_owned())
            } else {
                let (group, resource) = resource_of(resource);
                What::Resource {
                    group,
                    resource,
                    name: name.map(str::to_owned),
                }
            },
            namespace: namespace.map(str::to_owned),
        })
    }

    /// A SubjectAccessReview names every group itself.
    pub(super) fn of_review(object: &Value) -> anyhow::Result<Self> {
        if object["kind"] != "SubjectAccessReview" {
            bail!("not a SubjectAccessReview but {}", object["kind"]);
        }
        let spec = object.get("spec").context("spec is missing")?;
        let spec = ReviewSpec::deserialize(spec).context("spec")?;
        let who = Identity::exactly(&spec.user, spec.groups);
        match (spec.resource_attributes, spec.non_resource_attributes) {
            (Some(asked), None) => Ok(Self {
                who,
                verb: asked.verb,
                what: What::Resource {
                    group: asked.group,
                    resource: match asked.subresource.as_str() {
                        "" => asked.resource,
                        subresource => format!("{}/{subresource}", asked.resource),
                    },
                    name: Some(asked.name).filter(|name| !name.is_empty()),
                },
                namespace: Some(asked.namespace).filter(|namespace| !namespace.is_empty()),
            }),
            (None, Some(asked)) => Ok(Self {
                who,
                verb: asked.verb,
                what: What::Path(asked.path),
                namespace: None,
            }),
            _ => bail!("spec: write either resourceAttributes or nonResourceAttributes"),
        }
    }

    pub(super) fn asked(&self) -> Asked<'_> {
        match &self.what {
            What::Resource { group, resource, name } => Asked::Resource(Request {
                verb: &self.verb,
                group,
                resource,
                name: name.as_deref(),
            }),
            What::Path(path) => Asked::Path { verb: &self.verb, path },
        }
    }

    /// `pods/exec`, `deployments.apps web`, `/metrics`.
    pub(super) fn object(&self) -> String {
        match &self.what {
            What::Path(path) => path.clone(),
            What::Resource { group, resource, name } => {
                let (kind, subresource) = resource
                    .split_once('/')
                    .map_or((resource.as_str(), ""), |(kind, sub)| (kind, sub));
                let group = if group.is_empty() {
                    String::new()
                } else {
                    format!(".{group}")
                };
                let subresource = if subresource.is_empty() {
                    String::new()
                } else {
                    format!("/{subresource}")
                };
                let name = name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
                format!("{kind}{group}{subresource}{name}")
            }
        }
    }

    /// `in shop`, `everywhere`; nothing for a path, which lies nowhere.
    pub(super) fn place(&self) -> String {
        match (&self.what, &self.namespace) {
            (What::Path(_), _) => String::new(),
            (_, Some(namespace)) => format!(" in {namespace}"),
            (_, None) => " everywhere".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewSpec {
    #[serde(default)]
    user: String,
    #[serde(default)]
    groups: Vec<String>,
    resource_attributes: Option<ResourceAttributes>,
    non_resource_attributes: Option<PathAttributes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResourceAttributes {
    namespace: String,
    verb: String,
    group: String,
    resource: String,
    subresource: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PathAttributes {
    path: String,
    verb: String,
}

/// `alice`, `serviceaccount/shop/web`, `system:serviceaccount:shop:web`, `group/ops`.
pub(super) fn identity(text: &str, groups: &[String]) -> anyhow::Result<Identity> {
    let further = groups.iter().cloned();
    let steps: Vec<&str> = text.splitn(3, '/').collect();
    match steps[..] {
        ["serviceaccount" | "sa", namespace, name] if !namespace.is_empty() && !name.is_empty() => Ok(
            Identity::of_user(&format!("system:serviceaccount:{namespace}:{name}"), further),
        ),
        ["serviceaccount" | "sa", ..] => bail!("{text}: write serviceaccount/NAMESPACE/NAME"),
        ["group", ..] => {
            let name = &text["group/".len()..];
            Ok(Identity::exactly("", further.chain([name.to_owned()])))
        }
        ["user", ..] if steps.len() > 1 => Ok(Identity::of_user(&text["user/".len()..], further)),
        _ if text.is_empty() => {
            bail!("nobody is asked about: write a user, serviceaccount/NAMESPACE/NAME or group/NAME")
        }
        _ => Ok(Identity::of_user(text, further)),
    }
}

/// Group and resource of `pods/exec`, `deployments.apps/scale`, `deployment`, `widgets.example.com`. A kind that is known needs no group; a dot at the end says that
/// it is of the core group.
fn resource_of(text: &str) -> (String, String) {
    let (resource, subresource) = match text.split_once('/') {
        Some((resource, subresource)) => (resource, format!("/{subresource}")),
        None => (text, String::new()),
    };
    let (name, group) = match resource.split_once('.') {
        Some((name, group)) => (name, Some(group)),
        None => (resource, None),
    };
    let known = Kind::ALL.into_iter().find(|kind| {
        (name.eq_ignore_ascii_case(kind.plural()) || name.eq_ignore_ascii_case(kind.name()))
            && group.is_none_or(|group| group == kind.group())
    });
    let name: &str = match known {
        Some(kind) => kind.plural(),
        None => name,
    };
    let group = group.or(known.map(Kind::group)).unwrap_or_default();
    (group.to_owned(), format!("{name}{subresource}"))
}
