//! Who owns a workload and would undo a change, or break on one: Argo CD, Flux, Helm, an applier, another controller.
//!
//! Sources: Argo CD, "Resource tracking"; Flux, "Kustomization" and "HelmRelease"; Helm, annotations `meta.helm.sh`; Kubernetes, "Server-Side Apply".

use jiff::SignedDuration;

use super::Held;
use crate::model::{ManagedFields, OwnerReference, Workload};
use crate::policy::{OwnerRoutes, Route};

/// Something that keeps the object as its own source says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub kind: OwnerKind,
    /// `Application shop`, `Kustomization flux-system/apps`, `release web`, `manager kubectl`, `Kafka events`.
    pub name: String,
}

/// Kinds of owners; those that come first explain those that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OwnerKind {
    ArgoCd,
    Flux,
    Controller,
    Helm,
    /// Helm 4: server-side apply without force. Its next upgrade fails with a conflict if a chart sets a field that we wrote.
    HelmApply,
    /// Anything else that applies server-side without force, such as `kubectl apply --server-side`: the same conflict.
    Applier,
}

impl Owner {
    /// Word for reasons and metrics.
    pub(super) const fn route_name(&self) -> &'static str {
        match self.kind {
            OwnerKind::ArgoCd => "ArgoCD",
            OwnerKind::Flux => "Flux",
            OwnerKind::Helm | OwnerKind::HelmApply => "Helm",
            OwnerKind::Applier => "ServerSideApply",
            OwnerKind::Controller => "Controller",
        }
    }

    /// What the policy says about objects of such an owner.
    pub(super) fn route(&self, routes: OwnerRoutes) -> Route {
        match self.kind {
            OwnerKind::ArgoCd => routes.argo_cd,
            OwnerKind::Flux => routes.flux,
            OwnerKind::Helm => routes.helm,
            OwnerKind::Controller => routes.controller,
            OwnerKind::HelmApply | OwnerKind::Applier => Route::Propose,
        }
    }

    pub(super) fn held(&self) -> Held {
        Held::OwnedBy {
            route: self.route_name(),
            owner: self.name.clone(),
        }
    }

    fn new(kind: OwnerKind, name: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
        }
    }
}

/// Field managers of our own.
const OURS: &str = "ironside/";

/// Tools that write what a person tells them, and controllers that write on a person's order. None comes back to undo a change.
const BY_HAND: [&str; 12] = [
    "kubectl",
    "oc",
    "k9s",
    "Lens",
    "OpenLens",
    "Mozilla",
    "dashboard",
    "rancher",
    "headlamp",
    "Reloader",
    "keel",
    "kube-controller-manager",
];

/// Deployment tools that have no release object in the cluster but state every field in a source of their own.
const FROM_SOURCE: [&str; 5] = ["Terraform", "terraform", "HashiCorp", "OpenTofu", "pulumi"];

/// Progressive delivery: a change of the template starts a canary run, or hits a source that is scaled to zero while its copy serves.
/// Sources: Flagger, "Canary" (`targetRef`); Argo Rollouts, "Migrating" (`workloadRef`); OpenKruise Rollout.
const PROGRESSIVE: [&str; 4] = ["flagger", "rollouts-controller", "argo-rollouts", "kruise-rollout"];

/// A manager whose fields changed this long after creation wrote more than once. The creating request and its immediate follow-ups are one deployment.
const ONE_DEPLOYMENT: SignedDuration = SignedDuration::from_secs(60);

/// Everything that owns the workload, the most telling first. `unseen` is a controlling owner that is no workload, as evaluation found it.
pub(super) fn owners_of(workload: &Workload, unseen: Option<&OwnerReference>) -> Vec<Owner> {
    let mut owners = Vec::new();
    owners.extend(argo_cd(workload));
    owners.extend(flux(workload));
    owners.extend(referenced(workload, unseen));
    owners.extend(progressive(workload));
    owners.extend(lifecycle_manager(workload));
    owners.extend(helm(workload));
    if owners.is_empty() {
        owners.extend(writers(workload));
    }
    owners.sort();
    owners.dedup();
    owners
}

/// What the workload is deployed together with: Argo CD Applications, Flux Kustomizations and HelmReleases, Helm releases, where they can be told apart.
pub(crate) fn releases_of(workload: &Workload) -> Vec<String> {
    [argo_cd(workload), flux(workload), helm(workload)]
        .into_iter()
        .flatten()
        .map(|owner| owner.name)
        .filter(|name| !name.starts_with("a ") && !name.starts_with("an "))
        .collect()
}

fn managers(workload: &Workload) -> impl Iterator<Item = &ManagedFields> {
    workload
        .meta
        .managed_fields
        .iter()
        .filter(|entry| !entry.manager.starts_with(OURS))
}

/// Managers of something in the pod spec; the status subresource and scaling do not count.
fn template_managers(workload: &Workload) -> impl Iterator<Item = &ManagedFields> {
    let path: Vec<&str> = Workload::template_pointer(workload.kind)
        .split('/')
        .filter(|step| !step.is_empty())
        .chain(["spec"])
        .collect();
    managers(workload).filter(move |entry| entry.subresource.is_empty() && entry.owns(&path))
}

/// Argo CD tracks by annotation (`APP:GROUP/KIND:NAMESPACE/NAME`), by a label of its own, or by a label that others use too; then its field manager tells.
fn argo_cd(workload: &Workload) -> Option<Owner> {
    let meta = &workload.meta;
    let tracked = meta
        .annotations
        .get("argocd.argoproj.io/tracking-id")
        .map(|id| id.split(':').next().unwrap_or_default());
    let labelled = meta.labels.get("argocd.argoproj.io/instance");
    let by_manager = || {
        managers(workload)
            .any(|entry| entry.manager.starts_with("argocd"))
            .then(|| meta.labels.get("app.kubernetes.io/instance").unwrap_or_default())
    };
    let application = tracked.or(labelled).or_else(by_manager)?;
    Some(Owner::new(
        OwnerKind::ArgoCd,
        if application.is_empty() {
            "an Application".to_owned()
        } else {
            format!("Application {application}")
        },
    ))
}

/// Flux labels what it applies. Objects that it was told to leave alone after creation are not its any more.
fn flux(workload: &Workload) -> Option<Owner> {
    let meta = &workload.meta;
    let annotation = |key: &str| meta.annotations.get(key).map(String::as_str);
    let left_alone = annotation("kustomize.toolkit.fluxcd.io/reconcile") == Some("disabled")
        || matches!(
            annotation("kustomize.toolkit.fluxcd.io/ssa"),
            Some("Ignore" | "IfNotPresent")
        );
    if left_alone {
        return None;
    }
    let labelled = |group: &str, kind: &str| {
        let name = meta.labels.get(&format!("{group}/name"))?;
        let namespace = meta.labels.get(&format!("{group}/namespace"));
        Some(format!("{kind} {}/{name}", namespace.unwrap_or(&meta.namespace)))
    };
    let by_manager = |manager: &str, kind: &str| {
        managers(workload)
            .any(|entry| entry.manager == manager)
            .then(|| kind.to_owned())
    };
    let name = labelled("helm.toolkit.fluxcd.io", "HelmRelease")
        .or_else(|| labelled("kustomize.toolkit.fluxcd.io", "Kustomization"))
        .or_else(|| by_manager("kustomize-controller", "a Kustomization"))
        .or_else(|| by_manager("helm-controller", "a HelmRelease"))?;
    Some(Owner::new(OwnerKind::Flux, name))
}

/// Owner references of a topmost workload name what generated it, whether or not they are marked as its controller: operators often leave that out.
fn referenced(workload: &Workload, unseen: Option<&OwnerReference>) -> Vec<Owner> {
    workload
        .meta
        .owner_references
        .iter()
        .chain(unseen)
        .map(|owner| Owner::new(OwnerKind::Controller, format!("{} {}", owner.kind, owner.name)))
        .collect()
}

/// Operator Lifecycle Manager labels what it installs; its ownerReferences do not reach across namespaces.
fn lifecycle_manager(workload: &Workload) -> Option<Owner> {
    let labels = &workload.meta.labels;
    let name = labels.get("olm.owner")?;
    let kind = labels.get("olm.owner.kind").unwrap_or("ClusterServiceVersion");
    Some(Owner::new(OwnerKind::Controller, format!("{kind} {name}")))
}

fn progressive(workload: &Workload) -> Option<Owner> {
    managers(workload)
        .map(|entry| &entry.manager)
        .find(|manager| PROGRESSIVE.iter().any(|known| manager.starts_with(known)))
        .map(|manager| Owner::new(OwnerKind::Controller, manager))
}

fn helm(workload: &Workload) -> Option<Owner> {
    let entries = || managers(workload).filter(|entry| entry.manager == "helm");
    let release = workload.meta.annotations.get("meta.helm.sh/release-name");
    if release.is_none() && entries().next().is_none() {
        return None;
    }
    let name = release.map_or_else(|| "a release".to_owned(), |name| format!("release {name}"));
    let kind = if entries().any(ManagedFields::is_apply) {
        OwnerKind::HelmApply
    } else {
        OwnerKind::Helm
    };
    Some(Owner::new(kind, name))
}

/// Owners that leave nothing but their traces in `managedFields`: appliers without force, and whoever keeps writing the pod spec.
fn writers(workload: &Workload) -> Vec<Owner> {
    template_managers(workload)
        .filter_map(|entry| {
            let manager = entry.manager.as_str();
            let name = match manager {
                "" => "a writer without a name".to_owned(),
                _ => format!("manager {manager}"),
            };
            if entry.is_apply() {
                return Some(Owner::new(OwnerKind::Applier, name));
            }
            let from_source = FROM_SOURCE.iter().any(|known| manager.starts_with(known));
            (from_source || (!by_hand(manager) && keeps_writing(workload, entry)))
                .then(|| Owner::new(OwnerKind::Controller, name))
        })
        .collect()
}

fn by_hand(manager: &str) -> bool {
    BY_HAND.iter().any(|tool| {
        manager
            .strip_prefix(tool)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '/', '.']))
    })
}

/// `managedFields` keeps one time for each manager: that of its last change. One well after creation belongs to a writer that came back.
fn keeps_writing(workload: &Workload, entry: &ManagedFields) -> bool {
    match (entry.time, workload.meta.creation_timestamp) {
        (Some(time), Some(created)) => time.duration_since(created) > ONE_DEPLOYMENT,
        _ => false,
    }
}
