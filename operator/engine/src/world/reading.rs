//! How completely each kind was read: the difference between "there is none" and "nobody looked".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::controls::Gap;
use crate::model::Kind;

/// How completely a kind was read in some namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Never listed: objects may have been seen one by one (files), their absence means nothing.
    #[default]
    Partial,
    /// Listed and watched: what was not seen does not exist.
    Complete,
    /// Could not be read, or not any more.
    Unavailable(Gap),
}

/// [`Reading`] of every kind and namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Readings(BTreeMap<Kind, PerNamespace>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PerNamespace {
    everywhere: Reading,
    namespaces: BTreeMap<Arc<str>, Reading>,
}

impl Readings {
    /// How completely `kind` was read in `namespace` (empty for cluster-scoped kinds).
    pub(super) fn get(&self, kind: Kind, namespace: &str) -> &Reading {
        const NEVER: &Reading = &Reading::Partial;
        let Some(of_kind) = self.0.get(&kind) else { return NEVER };
        match of_kind.namespaces.get(namespace) {
            Some(reading) if of_kind.everywhere == Reading::Partial || *reading != Reading::Partial => reading,
            _ => &of_kind.everywhere,
        }
    }

    /// Notes a reading and returns whether it is news. One of the whole cluster replaces those of single namespaces.
    pub(super) fn set(&mut self, kind: Kind, namespace: Option<&str>, reading: Reading) -> bool {
        let of_kind = self.0.entry(kind).or_default();
        if let Some(namespace) = namespace {
            return of_kind.namespaces.insert(namespace.into(), reading.clone()) != Some(reading);
        }
        let news = of_kind.everywhere != reading || !of_kind.namespaces.is_empty();
        *of_kind = PerNamespace {
            everywhere: reading,
            namespaces: BTreeMap::new(),
        };
        news
    }
}
