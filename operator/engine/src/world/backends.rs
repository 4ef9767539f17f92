//! Which Services the API server itself calls: behind admission webhooks, aggregated APIs and CRD conversion.

use serde::Deserialize;

use crate::model::network::ApiServerBackend;
use crate::model::{Kind, Meta, Node, null_as_default};

/// Name of the object and the Services it makes the API server call, sorted, without repetition.
pub(super) fn decode<'de>(
    kind: Kind,
    object: impl Node<'de>,
) -> Result<(String, Vec<ApiServerBackend>), serde_json::Error> {
    let (name, services) = match kind {
        Kind::ApiService => {
            let api = ApiService::deserialize(object)?;
            (api.metadata.name, vec![api.spec.service])
        }
        Kind::CustomResourceDefinition => {
            let crd = CustomResourceDefinition::deserialize(object)?;
            let webhook = crd.spec.conversion.webhook.unwrap_or_default();
            (crd.metadata.name, vec![webhook.client_config.service])
        }
        _ => {
            let configuration = WebhookConfiguration::deserialize(object)?;
            let services = configuration.webhooks.into_iter().map(|w| w.client_config.service);
            (configuration.metadata.name, services.collect())
        }
    };
    let caller = format!("{kind} {name}");
    let mut backends: Vec<_> = services
        .into_iter()
        .flatten()
        .map(|service| ApiServerBackend {
            namespace: service.namespace,
            service: service.name,
            caller: caller.clone(),
        })
        .collect();
    backends.sort();
    backends.dedup();
    Ok((name, backends))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WebhookConfiguration {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(deserialize_with = "null_as_default")]
    webhooks: Vec<Webhook>,
}

/// An admission webhook or a CRD's conversion webhook.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Webhook {
    #[serde(deserialize_with = "null_as_default")]
    client_config: ClientConfig,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientConfig {
    /// Absent where a URL is called.
    service: Option<ServiceReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceReference {
    #[serde(deserialize_with = "null_as_default")]
    namespace: String,
    #[serde(deserialize_with = "null_as_default")]
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiService {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(deserialize_with = "null_as_default")]
    spec: ApiServiceSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceSpec {
    /// Absent for APIs that the API server serves itself.
    service: Option<ServiceReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomResourceDefinition {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(deserialize_with = "null_as_default")]
    spec: CustomResourceDefinitionSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomResourceDefinitionSpec {
    #[serde(deserialize_with = "null_as_default")]
    conversion: Conversion,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conversion {
    webhook: Option<Webhook>,
}
