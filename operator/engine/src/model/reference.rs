//! Identity of a Kubernetes object, without its content.

use std::fmt;
use std::sync::Arc;

use super::Kind;

/// Names one object. Cluster-scoped objects have an empty namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Namespace, empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Kind.
    pub kind: Kind,
    /// Name.
    pub name: Arc<str>,
}

impl ObjectRef {
    /// A reference to the named object; the namespace is ignored for cluster-scoped kinds.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self {
            namespace: if kind.namespaced() { namespace.into() } else { "".into() },
            kind,
            name: name.into(),
        }
    }
}

/// `Deployment shop/web`, `Namespace shop`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}
