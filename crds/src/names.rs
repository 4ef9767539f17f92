//! Names that are part of Ironside's public contract: group, annotations, labels. Chosen once, never renamed: others select and script by them.

/// API group of every kind.
pub const GROUP: &str = "hardening.ironside.dev";

/// API version of every kind.
pub const VERSION: &str = "v1alpha1";

/// `apiVersion` of every kind.
pub const API_VERSION: &str = "hardening.ironside.dev/v1alpha1";

/// Category of every kind, as in `kubectl get hardening -A`. Never `all`: nobody asks for policies with `kubectl get all`.
pub const CATEGORY: &str = "hardening";

/// Annotation on a repaired object, written in the same patch as the repair: plan hash and undo list, at most 8 KiB of JSON.
pub const APPLIED_ANNOTATION: &str = "hardening.ironside.dev/applied";

/// Annotation on a policy, a namespace or an object that stops repairs from starting until the RFC 3339 time it holds. Malformed counts as paused.
pub const PAUSE_UNTIL_ANNOTATION: &str = "hardening.ironside.dev/pause-until";

/// Label on generated objects: the policy they were generated for.
pub const POLICY_LABEL: &str = "hardening.ironside.dev/policy";

/// Label on generated objects: the control they serve.
pub const CONTROL_LABEL: &str = "hardening.ironside.dev/control";

/// The only well-known label on generated objects. `app.kubernetes.io/instance` is never set: Argo CD tracks by it and would prune them.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Value of [`MANAGED_BY_LABEL`].
pub const MANAGED_BY: &str = "ironside";
