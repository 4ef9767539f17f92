//! D-16: what decides over requests changes. The API server's own admission is not asked about these kinds, so a watch is the only witness beside the audit log.

use super::Detection;
use super::change::Change;
use crate::model::{Admission, Resource};

pub(super) fn put(change: &mut Change<'_>, new: &Admission) {
    let known = change.before.resource(&change.reference).cloned();
    let Some(Resource::Admission(old)) = known.as_deref() else {
        return change.saw(Detection::D16, "is new");
    };
    let news = news(old, new);
    if !news.is_empty() {
        change.saw(Detection::D16, news.join(", "));
    }
}

/// Differences, the telling ones first.
fn news(old: &Admission, new: &Admission) -> Vec<String> {
    let mut news = Vec::new();
    if old.actions != new.actions {
        let list = |actions: &[String]| actions.join("+");
        news.push(format!(
            "validationActions changed from {} to {}",
            list(&old.actions),
            list(&new.actions)
        ));
    }
    let named = |name: &str| match name {
        "" => String::new(),
        name => format!("webhook {name}: "),
    };
    for (name, hook) in &old.hooks {
        let named = named(name);
        match new.hooks.get(name) {
            None => news.push(format!("{named}is gone")),
            Some(now) => {
                if now.failure_policy != hook.failure_policy {
                    let (was, is) = (&hook.failure_policy, &now.failure_policy);
                    news.push(format!("{named}failurePolicy changed from {was} to {is}"));
                }
                if now.digest != hook.digest {
                    news.push(format!("{named}what it decides over, or how, changed"));
                }
            }
        }
    }
    for name in new.hooks.keys().filter(|name| !old.hooks.contains_key(*name)) {
        news.push(format!("{}is new", named(name)));
    }
    news
}
