//! Reaching the cluster that a person means: kubeconfig, context, namespace, as kubectl takes them.

use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::ClusterArgs;

/// A way into a cluster.
pub(super) struct Connection {
    pub(super) client: Client,
    /// How the client reaches it.
    pub(super) config: Config,
    /// The namespace that was asked for, else that of the context.
    pub(super) namespace: String,
}

/// Connects as kubectl would.
pub(super) async fn connect(args: &ClusterArgs) -> anyhow::Result<Connection> {
    let options = KubeConfigOptions {
        context: args.context.clone(),
        ..KubeConfigOptions::default()
    };
    let config = match &args.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).with_context(|| format!("--kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await
        }
        None => Config::from_kubeconfig(&options).await,
    };
    let config = config.context("no cluster to talk to: set KUBECONFIG or give --kubeconfig")?;
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let client = Client::try_from(config.clone()).context("the kubeconfig cannot be used")?;
    Ok(Connection {
        client,
        config,
        namespace,
    })
}

/// The user name under which the API server knows this client. A decision must carry it.
pub(super) async fn user_name(client: &Client) -> anyhow::Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .context("ask who I am")?;
    review
        .status
        .and_then(|status| status.user_info)
        .and_then(|user| user.username)
        .context("the API server does not say who I am")
}
