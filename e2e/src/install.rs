//! Ironside in a cluster: what a user applies, from this repository's own manifests, and a place for one test's operator.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::cluster::Cluster;
use crate::controlplane;
use crate::pki::write_kubeconfig;

/// Namespace of the operator's one account; the admission fences name it.
pub const SYSTEM_NAMESPACE: &str = "ironside-system";
/// Name of that account.
pub const SERVICE_ACCOUNT: &str = "ironside";
/// The audit log's name for it.
pub const OPERATOR_USER: &str = "system:serviceaccount:ironside-system:ironside";

/// What `config/overlays/remediate` installs, without the operator's own Deployment: tests run the operator as a process,
/// and a simulated one beside it would only be looked at by all others.
const PARTS: [&[&str]; 5] = [
    &["-f", "config/manager/namespace.yaml"],
    &["-k", "config/crd"],
    &["-k", "config/rbac"],
    &["-k", "config/admission/approval"],
    &["-k", "config/admission/fence"],
];
const REMEDIATE: [&str; 2] = [
    "config/overlays/remediate/role.yaml",
    "config/overlays/remediate/binding.yaml",
];
const OWN_NAMESPACE: &str = "config/rbac/own_namespace.yaml";

/// The group of Ironside's own kinds.
const GROUP: &str = ".hardening.ironside.dev";

/// Longer than any test, so that no test has to renew its token.
const TOKEN_SECONDS: i64 = 6 * 60 * 60;

/// Applies the custom resource definitions, the roles and both admission policies.
///
/// # Errors
/// The API server refuses something.
pub async fn apply(cluster: &Cluster) -> Result<()> {
    let kubectl = cluster.kubectl()?;
    let run = async |source: &[&str]| {
        let mut arguments = vec!["apply", "--server-side", "--force-conflicts"];
        let absolute = repository().join(source[1]).display().to_string();
        arguments.extend([source[0], &absolute]);
        kubectl.run(&arguments).await.map(drop)
    };
    for part in PARTS {
        run(part).await?;
    }
    for file in REMEDIATE {
        run(&["-f", file]).await?;
    }
    let definitions = kubectl.run(&["get", "customresourcedefinitions", "-o", "name"]).await?;
    let mut arguments = vec!["wait", "--for=condition=Established"];
    arguments.extend(definitions.lines().filter(|name| name.ends_with(GROUP)));
    kubectl.run(&arguments).await?;
    Ok(())
}

/// Makes a namespace for one operator's lease and pause switch, with the role that `config/rbac` gives it in its own.
///
/// # Errors
/// The API server refuses something.
pub async fn operator_namespace(cluster: &Cluster, client: &Client, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..Default::default()
        },
        ..Default::default()
    };
    match namespaces.create(&PostParams::default(), &namespace).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => return Ok(()),
        other => other.map(drop).with_context(|| format!("create namespace {name}"))?,
    }
    let path = repository().join(OWN_NAMESPACE);
    let role = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    // The subject stays the one account; only the place moves.
    let from = format!("  namespace: {SYSTEM_NAMESPACE}\n");
    cluster
        .kubectl()?
        .apply(&role.replace(&from, &format!("  namespace: {name}\n")))
        .await
        .map(drop)
}

/// A ServiceAccount's token in a kubeconfig, and what tells its requests from those of all other tokens.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The kubeconfig, pointing at `server` as given.
    pub kubeconfig: PathBuf,
    /// The credential's id as the audit log spells it (`JTI=...`): the same account serves many operators at once.
    pub id: String,
}

/// Mints a token of a ServiceAccount, given as namespace and name, and writes a kubeconfig that uses it against `server`
/// (a proxy), or against the API server itself.
///
/// # Errors
/// The account does not exist, or the file cannot be written.
pub async fn credential(
    cluster: &Cluster,
    client: &Client,
    (namespace, name): (&str, &str),
    server: Option<&str>,
    path: &Path,
) -> Result<Credential> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request = TokenRequest {
        spec: Some(TokenRequestSpec {
            expiration_seconds: Some(TOKEN_SECONDS),
            ..Default::default()
        }),
        ..Default::default()
    };
    let request = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await;
    let token = request
        .with_context(|| format!("mint a token for {namespace}/{name}"))?
        .status
        .context("a token request has a status")?
        .token;
    let user = json!({ "token": token });

    let (direct, authority) = cluster.server().await?;
    let authority_file = path.with_extension("ca.crt");
    std::fs::write(&authority_file, authority).context("write the CA's certificate")?;
    write_kubeconfig(path, &direct, Some(&authority_file), &user)?;
    let id = credential_id(&controlplane::client(path).await?).await?;
    if let Some(server) = server {
        write_kubeconfig(path, server, None, &user)?;
    }
    Ok(Credential {
        kubeconfig: path.to_owned(),
        id,
    })
}

/// Asks the API server who we are; it says which token it was.
async fn credential_id(client: &Client) -> Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .context("ask who we are")?;
    let user = review
        .status
        .and_then(|status| status.user_info)
        .context("a review names a user")?;
    let ids = user
        .extra
        .and_then(|mut extra| extra.remove("authentication.kubernetes.io/credential-id"));
    ids.and_then(|ids| ids.into_iter().next())
        .context("the API server names no credential")
}

/// The root of the repository, where `config` lies.
pub fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}
