//! What a check of components may look at.

use super::cluster::{seen, silent, unseen};
use super::{Anonymous, Arguments, Asking, Corefile, Counters, Fields, Flags, Malformed, Observed, Server, processes};
use crate::controls::{Component, Gap, Judgement, ObjectScope, Parameters, Responsibility};
use crate::model::config::COREFILE;
use crate::model::{Configuration, Kind, ObjectRef, Resource};
use crate::world::Snapshot;

/// One object that runs components, or that is or holds documents which configure one; or a component of the cluster as a whole.
pub struct ComponentScope<'a> {
    processes: Vec<Arguments<'a>>,
    documents: Vec<Document<'a>>,
    corefiles: Vec<Zonefile<'a>>,
    /// What components say themselves; of a cluster only.
    observed: Option<&'a Observed>,
    /// Everything that was seen.
    pub world: &'a Snapshot,
    /// Settings.
    pub parameters: &'a Parameters,
}

/// One document.
pub(super) struct Document<'a> {
    pub(super) kind: Kind,
    /// JSON pointer of the document in its object: empty, or an entry of a ConfigMap.
    pub(super) pointer: String,
    pub(super) configuration: &'a Configuration,
}

/// What configures CoreDNS: a JSON pointer in its object, and the file.
pub(super) type Zonefile<'a> = (String, &'a Result<Corefile, Malformed>);

impl<'a> ComponentScope<'a> {
    /// What an object shows of these components; `None` where it shows nothing.
    pub fn of(at: &ObjectScope<'a>, components: &[Component]) -> Option<Self> {
        let processes: Vec<Arguments<'a>> = at
            .workload()
            .into_iter()
            .flat_map(|at| processes(&at.workload.template.spec).map(move |process| process.of_workload(at.workload)))
            .filter(|process| components.contains(&process.component))
            .collect();
        let documents: Vec<Document<'a>> = documents(at.world, at.target)
            .into_iter()
            .filter(|document| document.kind.configures().is_some_and(|it| components.contains(&it)))
            .collect();
        let is_dns = components.contains(&Component::ClusterDns);
        let corefiles: Vec<Zonefile<'a>> = corefile(at.world, at.target).filter(|_| is_dns).into_iter().collect();
        let shows = !(processes.is_empty() && documents.is_empty() && corefiles.is_empty());
        shows.then_some(Self {
            processes,
            documents,
            corefiles,
            observed: None,
            world: at.world,
            parameters: at.parameters,
        })
    }

    /// What there is to see of these components in the cluster; `None` where no cluster was looked at.
    pub fn of_cluster(at: &ObjectScope<'a>, components: &[Component]) -> Option<Self> {
        let observed: &'a Observed = at.world.observed.as_deref()?;
        let seen = seen(at.world, observed, components);
        Some(Self {
            processes: seen.processes,
            documents: seen.documents,
            corefiles: seen.corefiles,
            observed: Some(observed),
            world: at.world,
            parameters: at.parameters,
        })
    }

    /// Asks each process of a component.
    pub fn ask(&self, component: Component, judgement: &mut Judgement, ask: impl Fn(&mut Asking<'_, '_>)) {
        for process in self.processes(component) {
            judgement.enter(process.pointer.clone(), process.container);
            ask(&mut Asking::new(process, judgement));
        }
        judgement.enter(String::new(), None);
    }

    /// The processes of a component.
    pub fn processes(&self, component: Component) -> impl Iterator<Item = &Arguments<'a>> {
        self.processes
            .iter()
            .filter(move |process| process.component == component)
    }

    /// Asks each document of a kind.
    pub fn fields(&self, kind: Kind, judgement: &mut Judgement, ask: impl Fn(&mut Fields<'_, '_>)) {
        for document in self.documents.iter().filter(|document| document.kind == kind) {
            judgement.enter(document.pointer.clone(), None);
            ask(&mut Fields::new(document.configuration, judgement));
        }
        judgement.enter(String::new(), None);
    }

    /// Asks each configuration of CoreDNS. One that cannot be read is Unknown.
    pub fn servers(&self, judgement: &mut Judgement, ask: impl Fn(&Server, &mut Judgement)) {
        for (pointer, corefile) in &self.corefiles {
            judgement.enter(pointer.clone(), None);
            match corefile {
                Ok(corefile) => corefile.servers.iter().for_each(|server| ask(server, judgement)),
                Err(malformed) => judgement.unknown(Gap {
                    reason: "Malformed",
                    message: format!("the Corefile cannot be read, {malformed}"),
                    responsibility: Responsibility::SelfManaged,
                }),
            }
        }
        judgement.enter(String::new(), None);
    }

    /// The document, if the object is one of this kind.
    pub fn document(&self, kind: Kind) -> Option<&'a Configuration> {
        let found = self.documents.iter().find(|document| document.kind == kind)?;
        Some(found.configuration)
    }

    /// Whether this is a component of a cluster, and not one object.
    pub const fn is_cluster(&self) -> bool {
        self.observed.is_some()
    }

    /// The flags that the API server runs with, if it said so.
    pub fn flags(&self) -> Option<&'a Flags> {
        self.observed?.flags.said()
    }

    /// What the API server has counted, if it said so.
    pub fn counters(&self) -> Option<&'a Counters> {
        self.observed?.counters.said()
    }

    /// How the API server answers a request without credentials, if it was tried.
    pub fn anonymous(&self) -> Option<Anonymous> {
        self.observed?.anonymous.said().copied()
    }

    /// Says what a check could not look at: of a component of a cluster of which nothing, or nothing that the check asks for, can be seen.
    pub(crate) fn tell_unseen(&self, component: Component, judgement: &mut Judgement) {
        let Some(observed) = self.observed else { return };
        let runs = self.processes(component).next().is_some();
        let of_it = |document: &Document<'_>| document.kind.configures() == Some(component);
        let is_told =
            component == Component::KubeApiserver && (self.counters().is_some() || self.anonymous().is_some());
        let is_dns = component == Component::ClusterDns && !self.corefiles.is_empty();
        let configured = is_dns || self.documents.iter().any(of_it);
        let kubelets = observed.kubelets.said().filter(|_| component == Component::Kubelet);
        if let Some(gap) = kubelets.and_then(silent) {
            judgement.unknown(gap);
        } else if !(runs || configured || is_told) || judgement.says_nothing() {
            judgement.unknown(unseen(self.world, observed, component));
        } else if component == Component::Kubelet && kubelets.is_none() && !runs {
            judgement.unknown(Gap {
                reason: "IntentOnly",
                message: "a ConfigMap shows what kubelets are given when they join, not what they run with".to_owned(),
                responsibility: Responsibility::SelfManaged,
            });
        }
    }
}

/// The components that documents in an object configure.
pub fn configured(world: &Snapshot, target: &ObjectRef) -> Vec<Component> {
    let documents = documents(world, target).into_iter();
    let dns = corefile(world, target).map(|_| Component::ClusterDns);
    documents
        .filter_map(|document| document.kind.configures())
        .chain(dns)
        .collect()
}

pub(super) fn corefile<'a>(world: &'a Snapshot, target: &ObjectRef) -> Option<Zonefile<'a>> {
    match world.resource(target).map(AsRef::as_ref) {
        Some(Resource::ConfigMap(map)) => Some((format!("/data/{COREFILE}"), map.corefile.as_deref()?)),
        _ => None,
    }
}

pub(super) fn documents<'a>(world: &'a Snapshot, target: &ObjectRef) -> Vec<Document<'a>> {
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
