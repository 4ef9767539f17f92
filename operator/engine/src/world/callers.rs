//! What makes the API server call Services: webhook configurations, APIServices and definitions of kinds that are converted.

use std::sync::Arc;

use super::{Caller, World};
use crate::model::ObjectRef;
use crate::model::extension::Extension;
use crate::model::network::ApiServerBackend;

impl World {
    pub(super) fn put_caller(&mut self, reference: &ObjectRef, caller: Caller) {
        self.put_extension(reference, caller.extension);
        let backends = caller.backends;
        let old = self.callers.remove(reference).unwrap_or_default();
        if old == backends {
            if !old.is_empty() {
                self.callers.insert(reference.clone(), old);
            }
            return;
        }
        for backend in old.iter().filter(|backend| !backends.contains(backend)) {
            self.mark_namespace(&backend.namespace);
        }
        for backend in backends.iter().filter(|backend| !old.contains(backend)) {
            self.mark_namespace(&backend.namespace);
        }
        if !backends.is_empty() {
            self.callers.insert(reference.clone(), backends);
        }
        let mut all: Vec<ApiServerBackend> = self.callers.values().flatten().cloned().collect();
        all.sort();
        self.snapshot_mut().api_server_backends = Arc::new(all);
    }

    fn put_extension(&mut self, reference: &ObjectRef, extension: Extension) {
        let old = self.current.extensions.get(reference);
        if old.is_some_and(|old| *old == extension) || (old.is_none() && extension == Extension::default()) {
            return;
        }
        let extensions = Arc::make_mut(&mut self.snapshot_mut().extensions);
        if extension == Extension::default() {
            extensions.remove(reference);
        } else {
            extensions.insert(reference.clone(), extension);
        }
        self.mark_components();
    }
}
