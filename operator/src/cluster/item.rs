//! From text to the views that the rest works with. One object that cannot be read costs that object, never the stream.

use ironside_crds::names::PAUSE_UNTIL_ANNOTATION;
use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, HardeningException, HardeningPolicy, HardeningRemediation,
};
use ironside_engine::model::{Kind, Pod};
use ironside_engine::world::Object;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Raw, Source};

/// One decoded object.
#[derive(Clone, Debug)]
pub enum Item {
    /// An object of a kind that the engine knows.
    Object(Box<Object>),
    /// `HardeningPolicy`.
    Policy(Box<HardeningPolicy>),
    /// `ClusterHardeningPolicy`.
    ClusterPolicy(Box<ClusterHardeningPolicy>),
    /// `HardeningRemediation`.
    Remediation(Box<HardeningRemediation>),
    /// `HardeningException`.
    Exception(Box<HardeningException>),
    /// `ClusterHardeningException`.
    ClusterException(Box<ClusterHardeningException>),
    /// The pause switch: until when, as written; nothing where the pause was taken back.
    PauseSwitch(Option<String>),
    /// The policy that guards approvals, or its binding, is there; whether it still does what it should.
    ApprovalGuard(bool),
}

/// An object that exists and cannot be read as its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Item {
    /// Decodes an object that a watch of `source` saw.
    pub fn decode(source: Source, raw: &Raw) -> Result<Self, Unreadable> {
        let text = raw.text();
        let item = match source {
            Source::Cluster(kind) => object(kind, text).map(Box::new).map(Self::Object),
            Source::Policy => own(text).map(Self::Policy),
            Source::ClusterPolicy => own(text).map(Self::ClusterPolicy),
            Source::Remediation => own(text).map(Self::Remediation),
            Source::Exception => own(text).map(Self::Exception),
            Source::ClusterException => own(text).map(Self::ClusterException),
            Source::PauseSwitch => pause_switch(text).map(Self::PauseSwitch),
            Source::ApprovalPolicy => approval_policy(text).map(Self::ApprovalGuard),
            Source::ApprovalBinding => approval_binding(text).map(Self::ApprovalGuard),
        };
        item.map_err(|reason| Unreadable {
            namespace: raw.namespace().to_owned(),
            name: raw.name().to_owned(),
            reason,
        })
    }
}

fn object(kind: Kind, text: &str) -> Result<Object, String> {
    if kind == Kind::Pod
        && let Some(pod) = pod_of_a_workload(text)
    {
        return Ok(pod);
    }
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut object = Object::decode(kind, &value).map_err(|error| error.to_string())?;
    forget_writers(&mut object);
    Ok(object)
}

/// Field ownership is half of an object's bytes. It is read of what may be repaired, and of Namespaces and NetworkPolicies; nobody asks who wrote a Service.
fn forget_writers(object: &mut Object) {
    let meta = match object {
        Object::ServiceAccount(object) => &mut object.metadata,
        Object::Service(object) => &mut object.metadata,
        Object::Ingress(object) => &mut object.metadata,
        Object::PodDisruptionBudget(object) => &mut object.metadata,
        Object::ResourceQuota(object) => &mut object.metadata,
        _ => return,
    };
    meta.managed_fields = Vec::new();
}

/// Most objects of a cluster are pods that a controller made from its template. Their spec is judged through the template, so it need not be read; decoding
/// the view from the text directly takes a sixth of the time of the way over a tree of values. Everything else goes that way, also what looks odd.
fn pod_of_a_workload(text: &str) -> Option<Object> {
    let mut pod: Pod = serde_json::from_str(text).ok()?;
    let owner = pod.metadata.controller()?;
    let kind = Kind::from_manifest(&owner.api_version, &owner.kind)?;
    let made_from_template = matches!(
        kind,
        Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job | Kind::ReplicationController
    );
    pod.metadata.managed_fields = Vec::new();
    made_from_template.then_some(Object::Pod(pod, None))
}

/// Our own kinds, without what nobody reads: the field ownership of a policy can be longer than the policy.
fn own<T: DeserializeOwned + kube::Resource>(text: &str) -> Result<Box<T>, String> {
    let mut object: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.retain(|name, _| name.starts_with(ironside_crds::GROUP));
    }
    Ok(Box::new(object))
}

#[derive(Deserialize)]
struct Annotated {
    metadata: Annotations,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

fn pause_switch(text: &str) -> Result<Option<String>, String> {
    let object: Annotated = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(object
        .metadata
        .annotations
        .and_then(|mut annotations| annotations.remove(PAUSE_UNTIL_ANNOTATION)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApprovalPolicy {
    spec: ApprovalPolicySpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ApprovalPolicySpec {
    failure_policy: Option<String>,
    match_conditions: Option<Vec<serde::de::IgnoredAny>>,
    validations: Vec<Validation>,
}

#[derive(Deserialize)]
struct Validation {
    expression: String,
}

/// Whether the policy fails closed, exempts nobody and still asks for the verb `approve` and for the requesting user's name.
fn approval_policy(text: &str) -> Result<bool, String> {
    let policy: ApprovalPolicy = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let ApprovalPolicySpec {
        failure_policy,
        match_conditions,
        validations,
    } = policy.spec;
    let says = |needle: &str| {
        validations
            .iter()
            .any(|validation| validation.expression.contains(needle))
    };
    Ok(failure_policy.as_deref().unwrap_or("Fail") == "Fail"
        && match_conditions.is_none_or(|conditions| conditions.is_empty())
        && says("check('approve').allowed()")
        && says("request.userInfo.username"))
}

#[derive(Deserialize)]
struct ApprovalBinding {
    spec: ApprovalBindingSpec,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ApprovalBindingSpec {
    policy_name: String,
    validation_actions: Vec<String>,
    match_resources: Option<serde_json::Value>,
}

/// Whether the binding puts the policy in force, everywhere.
fn approval_binding(text: &str) -> Result<bool, String> {
    let binding: ApprovalBinding = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let ApprovalBindingSpec {
        policy_name,
        validation_actions,
        match_resources,
    } = binding.spec;
    Ok(policy_name == super::source::APPROVAL_GUARD
        && validation_actions.iter().any(|action| action == "Deny")
        && match_resources.is_none_or(|limits| selects_everything(&limits)))
}

/// The API server fills in empty selectors and `matchPolicy`; anything else limits what is guarded.
fn selects_everything(limits: &serde_json::Value) -> bool {
    let empty = |value: &serde_json::Value| match value {
        serde_json::Value::Null => true,
        serde_json::Value::Object(map) => map.is_empty(),
        serde_json::Value::Array(list) => list.is_empty(),
        _ => false,
    };
    limits
        .as_object()
        .is_none_or(|limits| limits.iter().all(|(key, value)| key == "matchPolicy" || empty(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(source: Source, text: &str) -> Result<Item, Unreadable> {
        Item::decode(source, &serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_pod_of_a_workload_is_read_without_its_spec() {
        let text = r#"{"metadata":{"name":"web-1","namespace":"shop","ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",
            "name":"web","uid":"u","controller":true}]},"spec":{"volumes":"nonsense"}}"#;
        let item = decode(Source::Cluster(Kind::Pod), text).unwrap();
        assert!(matches!(item, Item::Object(object) if matches!(*object, Object::Pod(_, None))));
    }

    #[test]
    fn a_bare_pod_is_a_workload() {
        let text =
            r#"{"metadata":{"name":"debug","namespace":"shop"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;
        let item = decode(Source::Cluster(Kind::Pod), text).unwrap();
        assert!(matches!(item, Item::Object(object) if matches!(*object, Object::Pod(_, Some(_)))));
    }

    #[test]
    fn an_object_of_the_wrong_shape_is_named_with_its_reason() {
        let text =
            r#"{"metadata":{"name":"web","namespace":"shop"},"spec":{"template":{"spec":{"containers":"nonsense"}}}}"#;
        let unreadable = decode(Source::Cluster(Kind::Deployment), text).unwrap_err();
        assert_eq!(
            (unreadable.namespace.as_str(), unreadable.name.as_str()),
            ("shop", "web")
        );
        assert!(!unreadable.reason.is_empty());
    }

    #[test]
    fn a_guard_that_was_opened_guards_nothing() {
        let policy = |failure: &str, expression: &str| {
            let text = format!(
                r#"{{"metadata":{{"name":"ironside-approval"}},"spec":{{"failurePolicy":"{failure}","validations":[
                {{"expression":"{expression}"}},{{"expression":"x == request.userInfo.username"}}]}}}}"#
            );
            matches!(
                decode(Source::ApprovalPolicy, &text).unwrap(),
                Item::ApprovalGuard(true)
            )
        };
        let asks = "authorizer.requestResource.check('approve').allowed()";
        assert!(policy("Fail", asks));
        assert!(!policy("Ignore", asks));
        assert!(!policy("Fail", "true"));
        let binding = |spec: &str| {
            let text = format!(r#"{{"metadata":{{"name":"ironside-approval"}},"spec":{spec}}}"#);
            matches!(
                decode(Source::ApprovalBinding, &text).unwrap(),
                Item::ApprovalGuard(true)
            )
        };
        assert!(binding(
            r#"{"policyName":"ironside-approval","validationActions":["Deny"]}"#
        ));
        assert!(binding(
            r#"{"policyName":"ironside-approval","validationActions":["Deny"],
                "matchResources":{"matchPolicy":"Equivalent","namespaceSelector":{},"objectSelector":{}}}"#
        ));
        assert!(!binding(
            r#"{"policyName":"ironside-approval","validationActions":["Warn"]}"#
        ));
        assert!(!binding(
            r#"{"policyName":"ironside-approval","validationActions":["Deny"],"matchResources":{"namespaceSelector":{"matchLabels":{"a":"b"}}}}"#
        ));
    }

    #[test]
    fn the_pause_switch_says_until_when() {
        let text = r#"{"metadata":{"name":"ironside-pause","annotations":{"hardening.ironside.dev/pause-until":"2027-01-01T00:00:00Z"}}}"#;
        assert!(
            matches!(decode(Source::PauseSwitch, text).unwrap(), Item::PauseSwitch(Some(until)) if until.starts_with("2027"))
        );
        let text = r#"{"metadata":{"name":"ironside-pause"}}"#;
        assert!(matches!(
            decode(Source::PauseSwitch, text).unwrap(),
            Item::PauseSwitch(None)
        ));
    }
}
