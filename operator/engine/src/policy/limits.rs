//! What bounds a repair. Where several policies vote Enforce, the strictest of each setting counts.

use std::time::Duration;

use ironside_crds::policy::{self as wire, RepairSettings};

use super::Windows;
use crate::controls::Risk;

/// The highest risk that is repaired without a human. There is no High.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AutoApprove {
    /// Every repair needs a human.
    #[default]
    None,
    /// Low risk does not.
    Low,
    /// Low and medium risk do not.
    Medium,
}

impl AutoApprove {
    /// Whether a repair of this risk may start without a human.
    pub fn covers(self, risk: Risk) -> bool {
        match risk {
            Risk::Low => self >= Self::Low,
            Risk::Medium => self >= Self::Medium,
            Risk::High => false,
        }
    }
}

impl From<wire::AutoApprove> for AutoApprove {
    fn from(value: wire::AutoApprove) -> Self {
        match value {
            wire::AutoApprove::None => Self::None,
            wire::AutoApprove::Low => Self::Low,
            wire::AutoApprove::Medium => Self::Medium,
        }
    }
}

/// What is done with an object that something else owns. The order is by permissiveness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// The repair is shown, nothing is changed.
    #[default]
    Propose,
    /// Fields that the owner does not set are changed.
    Cooperate,
}

impl From<wire::OwnerRoute> for Route {
    fn from(value: wire::OwnerRoute) -> Self {
        match value {
            wire::OwnerRoute::Propose => Self::Propose,
            wire::OwnerRoute::Cooperate => Self::Cooperate,
        }
    }
}

/// Routes by kind of owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OwnerRoutes {
    /// Objects that Argo CD tracks.
    pub argo_cd: Route,
    /// Objects that Flux applies.
    pub flux: Route,
    /// Objects of a Helm release. Helm by server-side apply counts as Propose whatever stands here.
    pub helm: Route,
    /// Objects that another controller writes.
    pub controller: Route,
}

impl Default for OwnerRoutes {
    fn default() -> Self {
        wire::OwnerRoutes::default().into()
    }
}

impl From<wire::OwnerRoutes> for OwnerRoutes {
    fn from(routes: wire::OwnerRoutes) -> Self {
        Self {
            argo_cd: routes.argo_cd.into(),
            flux: routes.flux.into(),
            helm: routes.helm.into(),
            controller: routes.controller.into(),
        }
    }
}

/// So many rollbacks within so long stop all repairs until a human clears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StopAfter {
    /// Number of rollbacks.
    pub rollbacks: u32,
    /// Span in which they are counted.
    pub within: Duration,
}

/// Bounds of repairs in one namespace. [`Limits::default`] is what a policy without settings gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// The highest risk that is repaired without a human.
    pub auto_approve: AutoApprove,
    /// What is done with objects that something else owns.
    pub owners: OwnerRoutes,
    /// How long an object must be unchanged, rolled out and healthy before it is touched.
    pub settle: Duration,
    /// Repairs in flight in the cluster at once.
    pub max_concurrent: u32,
    /// Repairs in flight in the namespace at once.
    pub max_concurrent_per_namespace: u32,
    /// When repairs may start.
    pub windows: Windows,
    /// How long all expected pods of a repaired template must be ready without a break.
    pub soak: Duration,
    /// The least time a rollout gets before it counts as failed.
    pub min_deadline: Duration,
    /// How long a verified repair is still watched and undone when it fails late.
    pub probation: Duration,
    /// When repairs stop altogether.
    pub stop_after: StopAfter,
}

impl Limits {
    /// The limits that one policy states. `windows` are its windows, already parsed.
    pub(super) fn of(settings: &RepairSettings, windows: Windows) -> Self {
        // Without `..`: a setting that is added to the resource must not be forgotten here.
        let RepairSettings {
            namespace_selector: _, // decides where Enforce acts, not how
            auto_approve,
            owners,
            settle,
            max_concurrent: _, // read through its default
            max_concurrent_per_namespace,
            windows: _, // parsed by the caller
            verify,
            stop_after,
        } = settings;
        Self {
            auto_approve: (*auto_approve).into(),
            owners: (*owners).into(),
            settle: settle.to_std(),
            max_concurrent: settings.max_concurrent(),
            max_concurrent_per_namespace: *max_concurrent_per_namespace,
            windows,
            soak: verify.soak.to_std(),
            min_deadline: verify.min_deadline.to_std(),
            probation: verify.probation.to_std(),
            stop_after: StopAfter {
                rollbacks: stop_after.rollbacks,
                within: stop_after.within.to_std(),
            },
        }
    }

    /// The stricter of each setting.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            auto_approve: self.auto_approve.min(other.auto_approve),
            owners: OwnerRoutes {
                argo_cd: self.owners.argo_cd.min(other.owners.argo_cd),
                flux: self.owners.flux.min(other.owners.flux),
                helm: self.owners.helm.min(other.owners.helm),
                controller: self.owners.controller.min(other.owners.controller),
            },
            settle: self.settle.max(other.settle),
            max_concurrent: self.max_concurrent.min(other.max_concurrent),
            max_concurrent_per_namespace: self
                .max_concurrent_per_namespace
                .min(other.max_concurrent_per_namespace),
            windows: self.windows.and(other.windows),
            soak: self.soak.max(other.soak),
            min_deadline: self.min_deadline.max(other.min_deadline),
            probation: self.probation.max(other.probation),
            stop_after: StopAfter {
                rollbacks: self.stop_after.rollbacks.min(other.stop_after.rollbacks),
                within: self.stop_after.within.max(other.stop_after.within),
            },
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::of(&RepairSettings::default(), Windows::default())
    }
}

#[cfg(test)]
mod tests {
    use ironside_crds::Duration as Span;

    use super::*;

    #[test]
    fn the_strictest_of_each_setting_counts() {
        let loose = RepairSettings {
            auto_approve: wire::AutoApprove::Medium,
            owners: wire::OwnerRoutes {
                argo_cd: wire::OwnerRoute::Cooperate,
                ..wire::OwnerRoutes::default()
            },
            settle: Span::from_mins(1),
            max_concurrent: Some(9),
            max_concurrent_per_namespace: 4,
            ..RepairSettings::default()
        };
        let strict = RepairSettings {
            auto_approve: wire::AutoApprove::Low,
            settle: Span::from_mins(30),
            max_concurrent: Some(2),
            stop_after: wire::StopAfter {
                rollbacks: 1,
                within: Span::from_hours(1),
            },
            ..RepairSettings::default()
        };
        let [a, b] = [loose, strict].map(|settings| Limits::of(&settings, Windows::default()));
        let both = a.clone().strictest(b.clone());
        assert_eq!(
            both,
            b.clone().strictest(a.clone()),
            "the order of policies does not matter"
        );
        assert_eq!(both.auto_approve, AutoApprove::Low);
        assert_eq!(both.owners.argo_cd, Route::Propose);
        assert_eq!(both.owners.helm, Route::Cooperate);
        assert_eq!(both.settle, Duration::from_mins(30));
        assert_eq!((both.max_concurrent, both.max_concurrent_per_namespace), (2, 1));
        assert_eq!(both.stop_after.rollbacks, 1);
        assert_eq!(
            both.stop_after.within,
            Duration::from_hours(24),
            "the longer memory is stricter"
        );
        assert_eq!(a.clone().strictest(a.clone()), a);
    }

    #[test]
    fn high_risk_always_needs_a_human() {
        assert!(!AutoApprove::Medium.covers(Risk::High));
        assert!(AutoApprove::Medium.covers(Risk::Medium));
        assert!(!AutoApprove::Low.covers(Risk::Medium));
        assert!(!AutoApprove::None.covers(Risk::Low));
    }
}
