//! What extends the API server: which Services it calls for it (behind admission webhooks, aggregated APIs and CRD conversion), and what of that is judged.

use serde::Deserialize;

use crate::model::extension::{Bundle, Extension, Hook};
use crate::model::network::ApiServerBackend;
use crate::model::{Kind, Meta, Node, null_as_default};

/// What one object adds to the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The Services that it makes the API server call, sorted, without repetition.
    pub backends: Vec<ApiServerBackend>,
    /// What is judged of it.
    pub extension: Extension,
}

/// Name of the object, and what it adds.
pub(super) fn decode<'de>(kind: Kind, object: impl Node<'de>) -> Result<(String, Caller), serde_json::Error> {
    let (name, services, extension) = match kind {
        Kind::ApiService => ApiService::deserialize(object)?.parts(),
        Kind::CustomResourceDefinition => CustomResourceDefinition::deserialize(object)?.parts(),
        _ => WebhookConfiguration::deserialize(object)?.parts(),
    };
    let caller = format!("{kind} {name}");
    let mut backends: Vec<_> = services
        .into_iter()
        .map(|service| ApiServerBackend {
            namespace: service.namespace,
            service: service.name,
            caller: caller.clone(),
        })
        .collect();
    backends.sort();
    backends.dedup();
    Ok((name, Caller { backends, extension }))
}

type Parts = (String, Vec<ServiceReference>, Extension);

#[derive(Default, Deserialize)]
#[serde(default)]
struct WebhookConfiguration {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(deserialize_with = "null_as_default")]
    webhooks: Vec<Webhook>,
}

impl WebhookConfiguration {
    fn parts(self) -> Parts {
        let bundles = self.webhooks.iter().enumerate().filter_map(|(index, webhook)| {
            let pointer = format!("/webhooks/{index}/clientConfig/caBundle");
            Bundle::of(pointer, webhook.client_config.ca_bundle.as_deref())
        });
        let extension = Extension {
            bundles: bundles.collect(),
            hooks: self.webhooks.iter().enumerate().filter_map(Webhook::judged).collect(),
            ..Extension::default()
        };
        let services = self.webhooks.into_iter().filter_map(|w| w.client_config.service);
        (self.metadata.name, services.collect(), extension)
    }
}

/// An admission webhook or a CRD's conversion webhook.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Webhook {
    #[serde(deserialize_with = "null_as_default")]
    client_config: ClientConfig,
    failure_policy: Option<Box<str>>,
    #[serde(deserialize_with = "null_as_default")]
    rules: Vec<HookRule>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HookRule {
    #[serde(deserialize_with = "null_as_default")]
    api_groups: Vec<Box<str>>,
    #[serde(deserialize_with = "null_as_default")]
    resources: Vec<Box<str>>,
}

impl Webhook {
    /// What is judged of an admission webhook; nothing of most.
    fn judged((index, hook): (usize, &Self)) -> Option<Hook> {
        let any = |items: &[Box<str>]| items.iter().any(|item| matches!(&**item, "*" | "*/*"));
        let rules = || hook.rules.iter().enumerate();
        let mut all = rules().filter(|(_, rule)| any(&rule.api_groups) && any(&rule.resources));
        let hook = Hook {
            pointer: format!("/webhooks/{index}"),
            url: hook.client_config.url.clone(),
            fails_open: hook.failure_policy.as_deref() == Some("Ignore"),
            everything: all.next().map(|(rule, _)| format!("/rules/{rule}").into()),
        };
        let is_judged = hook.url.is_some() || hook.fails_open || hook.everything.is_some();
        is_judged.then_some(hook)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClientConfig {
    /// Absent where a URL is called.
    service: Option<ServiceReference>,
    url: Option<Box<str>>,
    ca_bundle: Option<String>,
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
    #[serde(deserialize_with = "null_as_default")]
    status: ApiServiceStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ApiServiceSpec {
    /// Absent for APIs that the API server serves itself.
    service: Option<ServiceReference>,
    ca_bundle: Option<String>,
    #[serde(rename = "insecureSkipTLSVerify", deserialize_with = "null_as_default")]
    insecure_skip_tls_verify: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceStatus {
    #[serde(deserialize_with = "null_as_default")]
    conditions: Vec<ApiServiceCondition>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceCondition {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    kind: String,
    #[serde(deserialize_with = "null_as_default")]
    status: String,
}

impl ApiService {
    fn parts(self) -> Parts {
        // Most are the API server's own and are always there.
        let is_aggregated = self.spec.service.is_some();
        let mut conditions = self.status.conditions.iter();
        let available = conditions.find(|condition| condition.kind == "Available");
        let bundle = Bundle::of("/spec/caBundle".to_owned(), self.spec.ca_bundle.as_deref());
        let extension = Extension {
            bundles: bundle.into_iter().collect(),
            unverified: self.spec.insecure_skip_tls_verify,
            available: available
                .filter(|_| is_aggregated)
                .map(|condition| condition.status == "True"),
            ..Extension::default()
        };
        (self.metadata.name, self.spec.service.into_iter().collect(), extension)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomResourceDefinition {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(deserialize_with = "null_as_default")]
    spec: CustomResourceDefinitionSpec,
    #[serde(deserialize_with = "null_as_default")]
    status: CustomResourceDefinitionStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CustomResourceDefinitionSpec {
    #[serde(deserialize_with = "null_as_default")]
    conversion: Conversion,
    #[serde(deserialize_with = "null_as_default")]
    versions: Vec<ServedVersion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServedVersion {
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    served: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CustomResourceDefinitionStatus {
    #[serde(deserialize_with = "null_as_default")]
    stored_versions: Vec<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Conversion {
    webhook: Option<Webhook>,
}

impl CustomResourceDefinition {
    fn parts(self) -> Parts {
        let client = self.spec.conversion.webhook.unwrap_or_default().client_config;
        let pointer = "/spec/conversion/webhook/clientConfig/caBundle".to_owned();
        let versions = &self.spec.versions;
        let is_served = |name: &str| versions.iter().any(|version| version.name == name && version.served);
        let mut unserved = self.status.stored_versions;
        unserved.retain(|version| !versions.is_empty() && !is_served(version));
        let extension = Extension {
            bundles: Bundle::of(pointer, client.ca_bundle.as_deref()).into_iter().collect(),
            unserved: unserved.into(),
            ..Extension::default()
        };
        (self.metadata.name, client.service.into_iter().collect(), extension)
    }
}
