//! What decides over requests before they are stored: webhook configurations, admission policies and their bindings. Kept small: who fails how, and a digest of
//! everything else, so that a change shows without being kept.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Kind, Meta, Node};

/// Trimmed webhook configuration, admission policy or binding of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Admission {
    /// Metadata.
    pub metadata: Meta,
    /// Webhooks by name; one without a name for a policy.
    pub hooks: BTreeMap<String, Hook>,
    /// `validationActions` of a binding, sorted.
    pub actions: Vec<String>,
}

/// One webhook, or what stands for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `failurePolicy`: what becomes of a request that cannot be judged. Absent means `Fail` in every `v1` kind.
    pub failure_policy: String,
    /// Of everything but the failure policy, the actions and the CA bundle, which is renewed without meaning anything.
    pub digest: [u8; 16],
}

impl Admission {
    /// Whether an object of this kind is one.
    pub const fn holds(kind: Kind) -> bool {
        matches!(
            kind,
            Kind::ValidatingWebhookConfiguration
                | Kind::MutatingWebhookConfiguration
                | Kind::ValidatingAdmissionPolicy
                | Kind::ValidatingAdmissionPolicyBinding
                | Kind::MutatingAdmissionPolicy
                | Kind::MutatingAdmissionPolicyBinding
        )
    }

    /// `failurePolicy` of a policy, which is one for all of it.
    pub fn failure_policy(&self) -> &str {
        self.hooks.values().next().map_or("Fail", |hook| &hook.failure_policy)
    }

    /// Decodes an object of such a kind. Never fails on a part that has an odd shape: it goes into the digest as it is.
    ///
    /// # Errors
    /// The metadata has a field of the wrong type.
    pub fn decode<'de>(object: impl Node<'de>) -> Result<Self, serde_json::Error> {
        let mut object = Value::deserialize(object)?;
        let metadata = match object.get_mut("metadata").map(Value::take) {
            None | Some(Value::Null) => Meta::default(),
            Some(metadata) => Meta::without_writers(metadata)?,
        };
        let hooks = match object.get_mut("webhooks") {
            Some(Value::Array(webhooks)) => webhooks.iter_mut().map(hook).collect(),
            _ => object.get_mut("spec").map(hook).into_iter().collect(),
        };
        let actions = object.pointer("/spec/validationActions").and_then(Value::as_array);
        let mut actions: Vec<String> = actions
            .into_iter()
            .flatten()
            .filter_map(|action| action.as_str().map(str::to_owned))
            .collect();
        actions.sort();
        Ok(Self {
            metadata,
            hooks,
            actions,
        })
    }
}

/// A webhook, or the spec of a policy or binding, with its name.
fn hook(value: &mut Value) -> (String, Hook) {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let name = text(value, "name").unwrap_or_default();
    let failure_policy = text(value, "failurePolicy").unwrap_or_else(|| "Fail".to_owned());
    if let Some(client) = value.get_mut("clientConfig").and_then(Value::as_object_mut) {
        client.remove("caBundle");
    }
    let mut rest = value.clone();
    if let Some(rest) = rest.as_object_mut() {
        rest.remove("failurePolicy");
        rest.remove("validationActions");
    }
    // Keys are sorted, so the text is canonical.
    let digest = Sha256::digest(rest.to_string().as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    let hook = Hook {
        failure_policy,
        digest: short,
    };
    (name, hook)
}
