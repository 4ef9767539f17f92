//! What all trimmed views have in common for the index: metadata, and whether a new version says anything new.

use crate::model::disruption::ResourceQuota;
use crate::model::{
    Ingress, Meta, Namespace, NetworkPolicy, Pod, PodDisruptionBudget, Resource, Service, ServiceAccount, Workload,
};

pub(super) trait View: PartialEq {
    fn meta(&self) -> &Meta;
    fn meta_mut(&mut self) -> &mut Meta;
}

macro_rules! views {
    ($($view:ty),+) => {
        $(impl View for $view {
            fn meta(&self) -> &Meta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.metadata
            }
        })+
    };
}

views!(
    Namespace,
    Pod,
    ServiceAccount,
    Service,
    Ingress,
    NetworkPolicy,
    PodDisruptionBudget,
    ResourceQuota
);

impl View for Resource {
    fn meta(&self) -> &Meta {
        self.metadata()
    }

    fn meta_mut(&mut self) -> &mut Meta {
        self.metadata_mut()
    }
}

impl View for Workload {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
}

/// Whether two versions of an object say the same. The resource version moves with every write, also of fields that no view has, and does not count.
pub(super) fn same<T: View>(old: &T, new: &mut T) -> bool {
    let version = std::mem::replace(
        &mut new.meta_mut().resource_version,
        old.meta().resource_version.clone(),
    );
    let same = old == new;
    new.meta_mut().resource_version = version;
    same
}
