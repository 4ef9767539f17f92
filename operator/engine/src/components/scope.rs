//! What a check of components may look at.

use super::{Arguments, Asking, Fields, processes};
use crate::controls::{Component, Judgement, ObjectScope, Parameters};
use crate::model::{Configuration, Kind, ObjectRef, Resource};
use crate::world::Snapshot;

/// One object that runs components, or that is or holds documents which configure one.
pub struct ComponentScope<'a> {
    processes: Vec<Arguments<'a>>,
    documents: Vec<Document<'a>>,
    /// Everything that was seen.
    pub world: &'a Snapshot,
    /// Settings.
    pub parameters: &'a Parameters,
}

/// One document.
struct Document<'a> {
    kind: Kind,
    /// JSON pointer of the document in its object: empty, or an entry of a ConfigMap.
    pointer: String,
    configuration: &'a Configuration,
}

impl<'a> ComponentScope<'a> {
    /// What an object shows of these components; `None` where it shows nothing.
    pub fn of(at: &ObjectScope<'a>, components: &[Component]) -> Option<Self> {
        let processes: Vec<Arguments<'a>> = at
            .workload()
            .into_iter()
            .flat_map(|at| processes(&at.workload.template.spec))
            .filter(|process| components.contains(&process.component))
            .collect();
        let documents: Vec<Document<'a>> = documents(at.world, at.target)
            .into_iter()
            .filter(|document| document.kind.configures().is_some_and(|it| components.contains(&it)))
            .collect();
        (!processes.is_empty() || !documents.is_empty()).then_some(Self {
            processes,
            documents,
            world: at.world,
            parameters: at.parameters,
        })
    }

    /// Asks each process of a component.
    pub fn ask(&self, component: Component, judgement: &mut Judgement, ask: impl Fn(&mut Asking<'_, '_>)) {
        for process in self.processes.iter().filter(|process| process.component == component) {
            judgement.enter(process.pointer.clone(), Some(process.container));
            ask(&mut Asking::new(process, judgement));
        }
        judgement.enter(String::new(), None);
    }

    /// Asks each document of a kind.
    pub fn fields(&self, kind: Kind, judgement: &mut Judgement, ask: impl Fn(&mut Fields<'_, '_>)) {
        for document in self.documents.iter().filter(|document| document.kind == kind) {
            judgement.enter(document.pointer.clone(), None);
            ask(&mut Fields::new(document.configuration, judgement));
        }
        judgement.enter(String::new(), None);
    }

    /// The document, if the object is one of this kind.
    pub fn document(&self, kind: Kind) -> Option<&'a Configuration> {
        let found = self.documents.iter().find(|document| document.kind == kind)?;
        Some(found.configuration)
    }
}

/// The components that documents in an object configure.
pub fn configured(world: &Snapshot, target: &ObjectRef) -> Vec<Component> {
    let documents = documents(world, target).into_iter();
    documents.filter_map(|document| document.kind.configures()).collect()
}

fn documents<'a>(world: &'a Snapshot, target: &ObjectRef) -> Vec<Document<'a>> {
    match world.resource(target).map(AsRef::as_ref) {
        Some(Resource::Configuration(configuration)) => vec![Document {
            kind: target.kind,
            pointer: String::new(),
            configuration,
        }],
        Some(Resource::ConfigMap(map)) => map
            .documents
            .iter()
            .map(|document| Document {
                kind: document.kind,
                pointer: document.pointer.clone(),
                configuration: &document.configuration,
            })
            .collect(),
        _ => Vec::new(),
    }
}
