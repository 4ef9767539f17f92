//! What this account may do, asked of the API server (`SelfSubjectRulesReview`), for writes that nobody has tried yet.
//!
//! Reading needs no asking: the watches show it. One review per namespace answers for all verbs; where the authorizer cannot list its rules
//! (`incomplete`), each missing right is asked for by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SelfSubjectRulesReview,
    SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::timeout;

/// Time to answer one review.
const ANSWER: Duration = Duration::from_secs(10);

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right {
    /// Verb.
    pub verb: &'static str,
    /// API group.
    pub group: &'static str,
    /// Resource, plural.
    pub resource: &'static str,
}

/// `patch deployments.apps`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.group {
            "" => write!(f, "{} {}", self.verb, self.resource),
            group => write!(f, "{} {}.{group}", self.verb, self.resource),
        }
    }
}

/// Rights that are missing, by namespace.
pub type Missing = BTreeMap<String, BTreeSet<Right>>;

/// Asks which of the needed rights are missing in each namespace. Fails when the API server cannot be asked; what is known then stays as it was.
pub async fn missing(client: &Client, needed: &BTreeMap<String, BTreeSet<Right>>) -> kube::Result<Missing> {
    let mut missing = Missing::new();
    for (namespace, rights) in needed {
        let of_namespace = missing_in(client, namespace, rights).await?;
        if !of_namespace.is_empty() {
            missing.insert(namespace.clone(), of_namespace);
        }
    }
    Ok(missing)
}

async fn missing_in(client: &Client, namespace: &str, needed: &BTreeSet<Right>) -> kube::Result<BTreeSet<Right>> {
    let rules = rules(client, namespace).await?;
    let mut missing: BTreeSet<Right> = needed.iter().filter(|right| !granted(&rules, right)).copied().collect();
    if rules.incomplete {
        for right in missing.clone() {
            if allowed(client, namespace, &right).await? {
                missing.remove(&right);
            }
        }
    }
    Ok(missing)
}

async fn rules(client: &Client, namespace: &str) -> kube::Result<SubjectRulesReviewStatus> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec {
            namespace: Some(namespace.to_owned()),
        },
        ..SelfSubjectRulesReview::default()
    };
    let api = Api::<SelfSubjectRulesReview>::all(client.clone());
    Ok(answered(api.create(&PostParams::default(), &review))
        .await?
        .status
        .unwrap_or_default())
}

async fn allowed(client: &Client, namespace: &str, right: &Right) -> kube::Result<bool> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                verb: Some(right.verb.to_owned()),
                group: Some(right.group.to_owned()),
                resource: Some(right.resource.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api = Api::<SelfSubjectAccessReview>::all(client.clone());
    let answer = answered(api.create(&PostParams::default(), &review)).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn answered<T>(request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    timeout(ANSWER, request)
        .await
        .unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())))
}

fn granted(rules: &SubjectRulesReviewStatus, right: &Right) -> bool {
    let covers = |values: &Option<Vec<String>>, value: &str| {
        values
            .iter()
            .flatten()
            .any(|granted| granted == "*" || granted == value)
    };
    rules.resource_rules.iter().any(|rule: &ResourceRule| {
        covers(&Some(rule.verbs.clone()), right.verb)
            && covers(&rule.api_groups, right.group)
            && covers(&rule.resources, right.resource)
            && rule.resource_names.as_ref().is_none_or(Vec::is_empty)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: Right = Right {
        verb: "patch",
        group: "apps",
        resource: "deployments",
    };

    fn rule(verbs: &[&str], groups: &[&str], resources: &[&str], names: &[&str]) -> SubjectRulesReviewStatus {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        SubjectRulesReviewStatus {
            resource_rules: vec![ResourceRule {
                verbs: list(verbs),
                api_groups: Some(list(groups)),
                resources: Some(list(resources)),
                resource_names: Some(list(names)),
            }],
            ..SubjectRulesReviewStatus::default()
        }
    }

    #[test]
    fn a_rule_covers_what_it_names() {
        assert!(granted(
            &rule(&["get", "patch"], &["apps"], &["deployments"], &[]),
            &PATCH
        ));
        assert!(granted(&rule(&["*"], &["*"], &["*"], &[]), &PATCH));
        assert!(!granted(&rule(&["get"], &["apps"], &["deployments"], &[]), &PATCH));
        assert!(!granted(&rule(&["patch"], &["batch"], &["deployments"], &[]), &PATCH));
        assert!(
            !granted(&rule(&["patch"], &["apps"], &["deployments"], &["web"]), &PATCH),
            "one object is not all"
        );
        assert_eq!(PATCH.to_string(), "patch deployments.apps");
    }
}
