//! The CustomResourceDefinitions of all five kinds, as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use crate::{
    ClusterHardeningException, ClusterHardeningPolicy, HardeningException, HardeningPolicy, HardeningRemediation,
};

/// The definitions in the order in which the kinds are introduced to a reader. `crds/yaml` holds the same as files, and a test compares them.
pub fn definitions() -> [CustomResourceDefinition; 5] {
    [
        HardeningPolicy::crd(),
        ClusterHardeningPolicy::crd(),
        HardeningRemediation::crd(),
        HardeningException::crd(),
        ClusterHardeningException::crd(),
    ]
    .map(cleaned)
}

/// The definition without what the derive adds around spec and status: a title that repeats the kind, and a status that may be null.
fn cleaned(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let schemas = definition
        .spec
        .versions
        .iter_mut()
        .filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        schema.title = None;
        if let Some(status) = schema
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut("status"))
        {
            status.nullable = None;
        }
    }
    definition
}
