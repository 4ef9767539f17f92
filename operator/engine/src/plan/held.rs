//! Why a repair is shown and not done.

use std::fmt;

/// Reason of a held plan. `Display` is the sentence for people; [`Held::reason`] the CamelCase word for conditions and metrics.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Held {
    /// The object is managed by something that would undo the change: Argo CD, Flux, Helm by server-side apply, another controller.
    OwnedBy {
        /// `ArgoCD`, `Flux`, `Helm`, `Controller`.
        route: &'static str,
        /// Name of the owner: application, release, manager or `Kind/name`.
        owner: String,
    },
    /// A field that would be written, or its parent, is owned by a manager that states it in its own source.
    FieldOwned {
        /// JSON pointer.
        pointer: String,
        /// Field manager.
        manager: String,
    },
    /// The API server refuses the combination.
    RefusedByApiServer {
        /// Container.
        container: String,
        /// The rule, in words.
        rule: String,
    },
    /// Evidence says that the workload would break.
    WouldBreak {
        /// What would break and how that is known.
        evidence: String,
    },
    /// The kind, its update strategy or its state makes a restart unsafe without a human.
    RestartUnsafe {
        /// Why.
        why: String,
    },
    /// Undo could not bring back what would be lost.
    Irreversible {
        /// What would be lost.
        what: String,
    },
    /// Applicability cannot be told (Windows, virtual nodes).
    Unclear {
        /// What is not known.
        what: String,
    },
    /// An exception with effect HoldRepair covers it.
    Exception {
        /// `Kind/name` of the exception.
        name: String,
    },
    /// Two controls want different values at one place.
    Contradiction {
        /// JSON pointer.
        pointer: String,
        /// The controls.
        controls: String,
    },
    /// The control is in mode Preview while others of the same target are enforced: shown, not done.
    PreviewOnly,
    /// The API server calls a Service of the namespace; closing it could stop the cluster.
    CalledByApiServer {
        /// Service.
        service: String,
        /// What makes the API server call it.
        caller: String,
    },
    /// Generated network policies would let through what is refused now.
    WouldOpen {
        /// From where to what.
        edge: String,
    },
    /// An object that is not Ironside's has a name that it needs.
    NameTaken {
        /// Kind and name.
        object: String,
    },
    /// The namespace is not one where repairs are made.
    SystemNamespace,
    /// The server's dry run gave something else than the plan.
    Mutated {
        /// First differing field.
        pointer: String,
    },
    /// The API server or an admission policy refused the patch.
    Denied {
        /// What it said.
        message: String,
    },
    /// Somebody undid a repair of this target.
    Fight {
        /// Field manager that undid it.
        manager: String,
    },
    /// A repair of this target broke it and was rolled back.
    Quarantined {
        /// Controls that are quarantined.
        controls: String,
    },
    /// A human said Hold.
    ByHuman {
        /// Who and why.
        by: String,
    },
    /// A human wrote to the target a short time ago.
    RecentHumanWrite {
        /// Field manager.
        manager: String,
    },
}

impl Held {
    /// One CamelCase word, from a closed set.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::OwnedBy { .. } => "OwnedBy",
            Self::FieldOwned { .. } => "FieldOwned",
            Self::RefusedByApiServer { .. } => "RefusedByApiServer",
            Self::WouldBreak { .. } => "WouldBreak",
            Self::RestartUnsafe { .. } => "RestartUnsafe",
            Self::Irreversible { .. } => "Irreversible",
            Self::Unclear { .. } => "Unclear",
            Self::Exception { .. } => "Exception",
            Self::Contradiction { .. } => "Contradiction",
            Self::PreviewOnly => "PreviewOnly",
            Self::CalledByApiServer { .. } => "CalledByApiServer",
            Self::WouldOpen { .. } => "WouldOpen",
            Self::NameTaken { .. } => "NameTaken",
            Self::SystemNamespace => "SystemNamespace",
            Self::Mutated { .. } => "Mutated",
            Self::Denied { .. } => "Denied",
            Self::Fight { .. } => "Fight",
            Self::Quarantined { .. } => "Quarantined",
            Self::ByHuman { .. } => "ByHuman",
            Self::RecentHumanWrite { .. } => "RecentHumanWrite",
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnedBy { route, owner } => write!(f, "managed by {route} ({owner}): change it there"),
            Self::FieldOwned { pointer, manager } => write!(f, "{pointer} is stated by {manager}: change it there"),
            Self::RefusedByApiServer { container, rule } => write!(f, "container {container}: {rule}"),
            Self::WouldBreak { evidence } => write!(f, "would break: {evidence}"),
            Self::RestartUnsafe { why } => write!(f, "restart is unsafe: {why}"),
            Self::Irreversible { what } => write!(f, "cannot be undone: {what}"),
            Self::Unclear { what } => write!(f, "not clear whether it applies: {what}"),
            Self::Exception { name } => write!(f, "repair withheld by exception {name}"),
            Self::Contradiction { pointer, controls } => {
                write!(f, "{controls} want different values at {pointer}")
            }
            Self::PreviewOnly => f.write_str("its mode is Preview"),
            Self::CalledByApiServer { service, caller } => write!(
                f,
                "the API server calls service {service} ({caller}) from an address that no policy can name: closing this namespace could stop the cluster"
            ),
            Self::WouldOpen { edge } => write!(f, "would let through what is refused now: {edge}"),
            Self::NameTaken { object } => write!(f, "{object} is not Ironside's: rename or remove it"),
            Self::SystemNamespace => f.write_str("system namespaces are never repaired"),
            Self::Mutated { pointer } => {
                write!(f, "the API server would store something else at {pointer} than planned")
            }
            Self::Denied { message } => write!(f, "refused: {message}"),
            Self::Fight { manager } => write!(f, "{manager} undid an earlier repair"),
            Self::Quarantined { controls } => write!(
                f,
                "an earlier repair ({controls}) broke the workload and was rolled back"
            ),
            Self::ByHuman { by } => write!(f, "held by {by}"),
            Self::RecentHumanWrite { manager } => write!(f, "{manager} changed it less than 24 h ago"),
        }
    }
}
