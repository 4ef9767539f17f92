//! Label selectors with the JSON shape of `metav1.LabelSelector`. Ironside's own type because every list and string in a custom resource is bounded
//! here, which keeps validation rules within the API server's cost limit.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1 as meta;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Selects objects by their labels. All requirements must hold; an empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must be present with exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements on the values of labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub match_expressions: Vec<LabelSelectorRequirement>,
}

/// One requirement on a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)")
        .message("operators In and NotIn need values; Exists and DoesNotExist take none")
        .field_path(".values")
)]
pub struct LabelSelectorRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label is compared with the values: In, NotIn, Exists or DoesNotExist. NotIn also selects objects without the label.
    pub operator: LabelOperator,
    /// Values to compare with; only for In and NotIn.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub values: BTreeSet<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    #[default]
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelOperator {
    /// The operator as Kubernetes spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "In",
            Self::NotIn => "NotIn",
            Self::Exists => "Exists",
            Self::DoesNotExist => "DoesNotExist",
        }
    }
}

impl LabelSelector {
    /// Whether this selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

impl From<&LabelSelector> for meta::LabelSelector {
    fn from(selector: &LabelSelector) -> Self {
        let LabelSelector {
            match_labels,
            match_expressions,
        } = selector;
        Self {
            match_labels: (!match_labels.is_empty()).then(|| match_labels.clone()),
            match_expressions: (!match_expressions.is_empty())
                .then(|| match_expressions.iter().map(requirement).collect()),
        }
    }
}

/// The same requirement as the type that kube's selectors are made from.
fn requirement(requirement: &LabelSelectorRequirement) -> meta::LabelSelectorRequirement {
    let LabelSelectorRequirement { key, operator, values } = requirement;
    meta::LabelSelectorRequirement {
        key: key.clone(),
        operator: operator.as_str().to_owned(),
        values: (!values.is_empty()).then(|| values.iter().cloned().collect()),
    }
}
