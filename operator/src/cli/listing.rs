//! One listing of a cluster, page by page, for the verbs that look once and do not watch.

use ironside_engine::controls::{Gap, Responsibility};
use ironside_engine::model::Kind;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::{Api, Client};
use serde_json::Value;

use super::judge::Scanned;
use super::manifest::{Document, Manifests, Problem, Source};

/// Objects per request: what kubectl asks for.
const PAGE: u32 = 500;

/// Ironside's own kinds that change a verdict, with their plural and whether they are namespaced.
const OWN: [(&str, &str, bool); 4] = [
    ("ClusterHardeningPolicy", "clusterhardeningpolicies", false),
    ("HardeningPolicy", "hardeningpolicies", true),
    ("ClusterHardeningException", "clusterhardeningexceptions", false),
    ("HardeningException", "hardeningexceptions", true),
];

/// Reads every kind that some control reads; of namespaced kinds only one namespace if one is given. What cannot be read becomes a problem.
pub(super) async fn read(client: &Client, namespace: Option<&str>, into: &mut Scanned) {
    let judged = Kind::watched().filter(|kind| !kind.tells_changes_only());
    read_kinds(client, judged, namespace, into).await;
}

/// Reads some kinds; of namespaced ones only one namespace if one is given. What cannot be read becomes a problem.
pub(super) async fn read_kinds(
    client: &Client,
    kinds: impl IntoIterator<Item = Kind>,
    namespace: Option<&str>,
    into: &mut Scanned,
) {
    for kind in kinds {
        let resource = resource(kind.group(), "v1", kind.name(), kind.plural());
        let scope = if kind.namespaced() { namespace } else { None };
        match list(client, &resource, scope).await {
            Ok(mut objects) => match namespace.filter(|_| kind == Kind::Namespace) {
                Some(only) => {
                    objects.retain(|object| object.pointer("/metadata/name").and_then(Value::as_str) == Some(only));
                    into.add(documents(objects));
                }
                None => into.add_all(kind, scope, documents(objects).documents),
            },
            Err(error) => {
                let problem = problem(kind.plural(), &error);
                let reason = match &error {
                    kube::Error::Api(status) if status.is_forbidden() => "PermissionDenied",
                    kube::Error::Api(status) if status.is_not_found() => "NotServed",
                    _ => "NotRead",
                };
                let gap = Gap {
                    reason,
                    message: problem.message.clone(),
                    responsibility: Responsibility::SelfManaged,
                };
                into.could_not_read(kind, scope, gap);
                into.problems.push(problem);
            }
        }
    }
}

/// Reads Ironside's own policies and exceptions.
pub(super) async fn read_policies(client: &Client, into: &mut Scanned) {
    for (kind, plural, _) in OWN {
        let resource = resource(ironside_crds::GROUP, ironside_crds::VERSION, kind, plural);
        match list(client, &resource, None).await {
            Ok(objects) => into.add(documents(objects)),
            Err(error) => into.problems.push(problem(plural, &error)),
        }
    }
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

async fn list(client: &Client, resource: &ApiResource, namespace: Option<&str>) -> kube::Result<Vec<Value>> {
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let mut params = ListParams::default().limit(PAGE);
    let mut objects = Vec::new();
    loop {
        let page = api.list(&params).await?;
        for mut object in page.items {
            // Items of a list carry neither.
            object.types = Some(kube::core::TypeMeta {
                api_version: resource.api_version.clone(),
                kind: resource.kind.clone(),
            });
            if let Ok(object) = serde_json::to_value(object) {
                objects.push(object);
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(objects),
        }
    }
}

fn documents(objects: Vec<Value>) -> Manifests {
    let source = Source::cluster();
    let documents = objects
        .into_iter()
        .map(|object| Document {
            source: source.clone(),
            object,
        })
        .collect();
    Manifests {
        documents,
        ..Manifests::default()
    }
}

fn problem(plural: &str, error: &kube::Error) -> Problem {
    let message = match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            format!("you may not list {plural}: verdicts that need them are Unknown")
        }
        kube::Error::Api(status) if status.is_not_found() => format!("{plural} are not served here"),
        error => error.to_string(),
    };
    Problem {
        at: "cluster".to_owned(),
        message,
    }
}
