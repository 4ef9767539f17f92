//! The custom resource definitions on a real API server: what the offline tests of their package cannot know.

mod explain;
mod gitops;
mod status;
mod validation;

use anyhow::{Result, ensure};
use ironside_e2e::wait::until;
use ironside_e2e::{Cluster, install};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

/// A file or folder of this repository.
fn repository(path: &str) -> String {
    install::repository().join(path).display().to_string()
}

/// Installs the definitions as a user does, once for all tests here.
async fn install_definitions(cluster: &Cluster) -> Result<()> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED
        .get_or_try_init(async || {
            let kubectl = cluster.kubectl()?;
            let definitions = repository("config/crd");
            // Server-side, because other tests may be installing them at the same time.
            kubectl
                .run(&["apply", "--server-side", "--force-conflicts", "-k", &definitions])
                .await?;
            let names = definitions_by_name();
            let established = ["wait", "--for=condition=Established", "--timeout=60s"];
            let names = names.iter().map(String::as_str);
            kubectl
                .run(&established.into_iter().chain(names).collect::<Vec<_>>())
                .await?;
            // Discovery follows a moment later, and kubectl knows short names from there.
            until("kubectl knows all kinds", async || {
                let kinds = kubectl.run(&["api-resources", "--api-group", ironside_crds::GROUP, "--no-headers"]);
                let kinds = kinds.await?;
                ensure!(kinds.lines().count() == 5, "{kinds}");
                Ok(())
            })
            .await
        })
        .await?;
    Ok(())
}

/// The definitions as kubectl names them.
fn definitions_by_name() -> Vec<String> {
    let name = |definition: CustomResourceDefinition| definition.metadata.name.unwrap_or_default();
    let definitions = ironside_crds::definitions().map(name);
    definitions
        .map(|name| format!("customresourcedefinition/{name}"))
        .to_vec()
}

/// The path of a kind's collection in the API.
fn collection(object: &Value, namespace: &str) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    let definition = ironside_crds::definitions()
        .into_iter()
        .find(|definition| definition.spec.names.kind == kind)
        .unwrap_or_else(|| panic!("{kind} is one of ours"));
    let plural = definition.spec.names.plural;
    match definition.spec.scope.as_str() {
        "Namespaced" => format!("/apis/{}/namespaces/{namespace}/{plural}", ironside_crds::API_VERSION),
        _ => format!("/apis/{}/{plural}", ironside_crds::API_VERSION),
    }
}

/// Sends an object with all rights but under somebody's name, so that it also works where the approval guard is installed.
async fn send(client: &Client, method: &str, path: &str, object: &Value, user: &str) -> kube::Result<Value> {
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("Content-Type", "application/json")
        .header("Impersonate-User", user)
        .header("Impersonate-Group", "system:masters")
        .body(object.to_string().into_bytes())
        .expect("a request of constants");
    client.request(request).await
}
