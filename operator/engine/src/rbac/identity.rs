//! Who asks: a user name and groups, as an authenticator hands them to the authorizer.

use std::collections::BTreeSet;
use std::fmt;

use crate::model::rbac::Subject;

/// A user with its groups. A service account is a user, too: `system:serviceaccount:NAMESPACE:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The user name; empty where a group as such is meant.
    pub user: String,
    /// Every group that it is in.
    pub groups: BTreeSet<String>,
}

/// What a subject of a binding says, as the API server compares it with who asks. A service account is the user that it is known as.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Name {
    User(String),
    Group(String),
}

impl Name {
    /// A group.
    pub(super) fn group(name: &str) -> Self {
        Self::Group(name.to_owned())
    }

    /// What a subject says; `None` where it can be nobody. `place` is the namespace of the binding, where accounts live that name none.
    pub(super) fn of(subject: &Subject, place: Option<&str>) -> Option<Self> {
        match subject.kind.as_str() {
            "Group" => Some(Self::group(&subject.name)),
            "User" => (!subject.name.is_empty()).then(|| Self::User(subject.name.clone())),
            "ServiceAccount" => {
                let namespace = match subject.namespace.as_str() {
                    "" => place.unwrap_or_default(),
                    namespace => namespace,
                };
                let user = format!("{ACCOUNT}{namespace}:{}", subject.name);
                (account(&user) == Some((namespace, &subject.name))).then_some(Self::User(user))
            }
            _ => None,
        }
    }

    /// Namespace and name, if it is a service account.
    pub(super) fn account(&self) -> Option<(&str, &str)> {
        match self {
            Self::User(user) => account(user),
            Self::Group(_) => None,
        }
    }

    /// The namespace, if it is the group of all service accounts of one.
    pub(super) fn accounts_of(&self) -> Option<&str> {
        match self {
            Self::Group(group) => group.strip_prefix("system:serviceaccounts:"),
            Self::User(_) => None,
        }
    }
}

const ACCOUNT: &str = "system:serviceaccount:";
const ANONYMOUS: &str = "system:anonymous";

impl Identity {
    /// A user with exactly these groups: what a SubjectAccessReview asks about.
    pub fn exactly(user: &str, groups: impl IntoIterator<Item = String>) -> Self {
        Self {
            user: user.to_owned(),
            groups: groups.into_iter().collect(),
        }
    }

    /// A user with the groups that its name brings, and further ones that only its identity provider knows.
    pub fn of_user(name: &str, further: impl IntoIterator<Item = String>) -> Self {
        let mut groups: BTreeSet<String> = further.into_iter().collect();
        if name == ANONYMOUS {
            groups.insert("system:unauthenticated".to_owned());
        } else {
            groups.insert("system:authenticated".to_owned());
        }
        if let Some((namespace, _)) = account(name) {
            groups.insert("system:serviceaccounts".to_owned());
            groups.insert(format!("system:serviceaccounts:{namespace}"));
        }
        Self {
            user: name.to_owned(),
            groups,
        }
    }

    /// A service account.
    pub fn of_account(namespace: &str, name: &str) -> Self {
        Self::of_user(&format!("{ACCOUNT}{namespace}:{name}"), [])
    }

    /// Whom a binding names. A group has no members that anybody here knows: it is asked about as such.
    pub fn of(subject: &Subject) -> Self {
        match subject.kind.as_str() {
            "Group" => Self::exactly("", [subject.name.clone()]),
            "ServiceAccount" => Self::of_account(&subject.namespace, &subject.name),
            _ => Self::of_user(&subject.name, []),
        }
    }

    /// What the subjects of bindings are compared with.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        let user = (!self.user.is_empty()).then(|| Name::User(self.user.clone()));
        user.into_iter()
            .chain(self.groups.iter().map(|group| Name::group(group)))
    }

    /// Whether the API server lets it do everything without asking RBAC.
    pub fn is_master(&self) -> bool {
        self.groups.contains("system:masters")
    }
}

/// Namespace and name of the service account that a user is.
fn account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix(ACCOUNT)?.split_once(':')?;
    (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
}

/// `ServiceAccount shop/web`, `User alice`, `Group ops`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.user.is_empty() {
            let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
            return write!(f, "Group {}", groups.join(", "));
        }
        match account(&self.user) {
            Some((namespace, name)) => write!(f, "ServiceAccount {namespace}/{name}"),
            None => write!(f, "User {}", self.user),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(kind: &str, namespace: &str, name: &str) -> Subject {
        Subject {
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    fn is(identity: &Identity, named: &Subject, place: Option<&str>) -> bool {
        Name::of(named, place).is_some_and(|named| identity.names().any(|name| name == named))
    }

    #[test]
    fn an_account_is_named_in_four_ways() {
        let web = Identity::of_account("shop", "web");
        for (named, place, expected) in [
            (subject("ServiceAccount", "shop", "web"), None, true),
            (subject("ServiceAccount", "", "web"), Some("shop"), true),
            (subject("ServiceAccount", "", "web"), None, false),
            (subject("ServiceAccount", "bank", "web"), Some("shop"), false),
            (subject("User", "", "system:serviceaccount:shop:web"), None, true),
            (subject("User", "", "web"), None, false),
            (subject("Group", "", "system:serviceaccounts:shop"), None, true),
            (subject("Group", "", "system:serviceaccounts:bank"), None, false),
            (subject("Group", "", "system:authenticated"), None, true),
            (subject("Robot", "shop", "web"), None, false),
        ] {
            assert_eq!(is(&web, &named, place), expected, "{named:?}");
        }
        assert_eq!(web.to_string(), "ServiceAccount shop/web");
    }

    #[test]
    fn nobody_is_in_no_group_but_one() {
        let nobody = Identity::of_user(ANONYMOUS, []);
        assert!(is(&nobody, &subject("Group", "", "system:unauthenticated"), None));
        assert!(!is(&nobody, &subject("Group", "", "system:authenticated"), None));
        let group = Identity::of(&subject("Group", "", "ops"));
        assert!(is(&group, &subject("Group", "", "ops"), None));
        assert!(
            !is(&group, &subject("User", "", ""), None),
            "a group has no name of a user"
        );
    }
}
