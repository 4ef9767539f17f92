//! What a check of components may look at.

use jiff::Timestamp;

use super::cluster::{seen, silent, unseen};
use super::{
    Anonymous, Arguments, Asking, Corefile, Counters, Distribution, Fields, Flags, Malformed, Observed, Server,
    Version, processes,
};
use crate::controls::{Component, Gap, Judgement, ObjectScope, Parameters, Responsibility};
use crate::model::config::COREFILE;
use crate::model::extension::Extension;
use crate::model::literal::escape;
use crate::model::{ClusterNode, Configuration, Kind, ObjectRef, Resource};
use crate::world::{Reading, Snapshot};

/// One object that runs components, or that is or holds documents which configure one; or a component of the cluster as a whole.
pub struct ComponentScope<'a> {
    processes: Vec<Arguments<'a>>,
    documents: Vec<Document<'a>>,
    corefiles: Vec<Zonefile<'a>>,
    /// The object, if it is a Node.
    node: Option<&'a ClusterNode>,
    /// What components say themselves; of a cluster only.
    observed: Option<&'a Observed>,
    /// Everything that was seen.
    pub world: &'a Snapshot,
    /// When it is judged; see [`ObjectScope::now`].
    pub now: Option<Timestamp>,
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

/// What some nodes say.
pub struct OfNodes<'a, T> {
    /// What it is.
    pub said: T,
    /// The first of them by name.
    pub node: &'a ClusterNode,
    more: usize,
    in_cluster: bool,
}

impl<T> OfNodes<'_, T> {
    /// Where they say it: a JSON pointer below the nodes of the cluster, or in the Node that is judged on its own.
    pub fn place(&self, field: &str) -> String {
        let name = escape(&self.node.metadata.name);
        match (self.in_cluster, self.more) {
            (false, _) => field.to_owned(),
            (true, 0) => format!("/nodes/{name}{field}"),
            (true, more) => format!("/nodes/{name} and {more} more{field}"),
        }
    }
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
        let node = match at.resource() {
            Some(Resource::Node(node)) => Some(node),
            _ => None,
        };
        let shows_settings = !(processes.is_empty() && documents.is_empty() && corefiles.is_empty());
        (shows_settings || node.is_some()).then_some(Self {
            processes,
            documents,
            corefiles,
            node,
            observed: None,
            world: at.world,
            now: at.now,
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
            node: None,
            observed: Some(observed),
            world: at.world,
            now: at.now,
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

    /// What nodes say, once for all of them that say the same. Of a cluster whose Nodes cannot be read it is Unknown.
    pub fn nodes<T: PartialEq>(
        &self,
        judgement: &mut Judgement,
        said: impl Fn(&'a ClusterNode) -> T,
    ) -> Vec<OfNodes<'a, T>> {
        let mut groups: Vec<OfNodes<'a, T>> = Vec::new();
        if self.is_cluster()
            && let Reading::Unavailable(gap) = self.world.reading(Kind::Node, "")
        {
            judgement.unknown(gap.clone());
        }
        let shard = self.world.shard("").filter(|_| self.is_cluster());
        let all = shard.into_iter().flat_map(|shard| shard.resources_of(Kind::Node));
        let all = all.filter_map(|(_, resource)| match &**resource {
            Resource::Node(node) => Some(node),
            _ => None,
        });
        for node in all.chain(self.node) {
            let said = said(node);
            match groups.iter_mut().find(|group| group.said == said) {
                Some(group) => group.more += 1,
                None => groups.push(OfNodes {
                    said,
                    node,
                    more: 0,
                    in_cluster: self.is_cluster(),
                }),
            }
        }
        groups
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

    /// Whose Kubernetes it is; none recognised where no cluster is looked at.
    pub fn distribution(&self) -> Distribution {
        let by_version = self.observed.map(|observed| observed.distribution).unwrap_or_default();
        Distribution::of_cluster(by_version, self.world)
    }

    /// The version of the API server, if it said so.
    pub fn version(&self) -> Option<&'a Version> {
        self.observed?.version.as_ref()
    }

    /// The flags that the API server runs with, if it said so.
    pub fn flags(&self) -> Option<&'a Flags> {
        self.observed?.flags.said()
    }

    /// What the API server has counted, if it said so.
    pub fn counters(&self) -> Option<&'a Counters> {
        self.observed?.counters.said()
    }

    /// Why it did not say what it has counted; `None` where it did, and where no cluster is looked at.
    pub fn uncounted(&self) -> Option<&'a Gap> {
        self.observed?.counters.gap()
    }

    /// The objects of a kind that extend the API server. Of a kind that cannot be read it is Unknown.
    pub fn extensions(
        &self,
        kind: Kind,
        judgement: &mut Judgement,
    ) -> impl Iterator<Item = (&'a ObjectRef, &'a Extension)> + use<'a> {
        if self.is_cluster()
            && let Reading::Unavailable(gap) = self.world.reading(kind, "")
        {
            judgement.unknown(gap.clone());
        }
        let in_cluster = self.is_cluster();
        let all = self.world.extensions.iter();
        all.filter(move |(reference, _)| in_cluster && reference.kind == kind)
    }

    /// An object of the cluster that is in no namespace. Of a kind that cannot be read it is Unknown whether there is one.
    pub fn cluster_object(&self, kind: Kind, name: &str, judgement: &mut Judgement) -> Option<&'a Resource> {
        if let Reading::Unavailable(gap) = self.world.reading(kind, "") {
            judgement.unknown(gap.clone());
        }
        self.world
            .resource(&ObjectRef::new(kind, "", name))
            .map(|resource| &**resource)
    }

    /// How the API server answers a request without credentials, if it was tried.
    pub fn anonymous(&self) -> Option<Anonymous> {
        self.observed?.anonymous.said().copied()
    }

    /// Says what a check could not look at: of a component of a cluster of which nothing, or nothing that the check asks for, can be seen.
    pub(crate) fn tell_unseen(&self, component: Component, judgement: &mut Judgement) {
        let Some(observed) = self.observed else { return };
        if judgement.is_witnessed() {
            return;
        }
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

/// The components that documents in an object configure, or of which a Node says something.
pub fn configured(world: &Snapshot, target: &ObjectRef) -> Vec<Component> {
    let documents = documents(world, target).into_iter();
    let dns = corefile(world, target).map(|_| Component::ClusterDns);
    let of_node: &[Component] = match target.kind {
        Kind::Node => &[Component::Kubelet, Component::ContainerRuntime],
        _ => &[],
    };
    documents
        .filter_map(|document| document.kind.configures())
        .chain(dns)
        .chain(of_node.iter().copied())
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
