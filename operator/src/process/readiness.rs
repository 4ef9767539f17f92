//! Ready means: the definitions are there, and everything was looked at once. A follower is ready, too: it can take over at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cluster::Standing;
use crate::http::Readiness;
use crate::reconcile::{View, Views};

/// Readiness as the latest view shows it.
pub(super) fn of(views: Views, old_definitions: Arc<AtomicBool>) -> Readiness {
    Arc::new(move || {
        if old_definitions.load(Ordering::Relaxed) {
            return Err("the custom resource definitions are older than this operator: apply config/crd".to_owned());
        }
        ready(&views.latest())
    })
}

fn ready(view: &View) -> Result<(), String> {
    let own: Vec<String> = view
        .standings
        .iter()
        .filter(|(source, _, standing)| source.is_own() && matches!(standing, Standing::NotServed | Standing::Denied))
        .map(|(source, _, standing)| match standing {
            Standing::Denied => format!("{} may not be read", source.resource()),
            _ => format!("{} is not served: apply config/crd", source.resource()),
        })
        .collect();
    if !own.is_empty() {
        return Err(own.join("\n"));
    }
    if view.complete {
        return Ok(());
    }
    let waiting: Vec<String> = view
        .standings
        .iter()
        .filter(|(.., standing)| *standing == Standing::Starting)
        .map(|(source, ..)| source.resource().into_owned())
        .collect();
    Err(if waiting.is_empty() {
        "starting".to_owned()
    } else {
        format!("not read yet: {}", waiting.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::cluster::Source;
    use crate::reconcile::Standings;

    #[test]
    fn missing_definitions_are_named() {
        let now = Timestamp::UNIX_EPOCH;
        let mut view = View {
            standings: Standings::starting(Source::OWN.map(|source| (source, None)), now),
            ..View::default()
        };
        assert!(ready(&view).unwrap_err().starts_with("not read yet: hardeningpolicies"));
        for source in Source::OWN {
            view.standings.set(source, &None, Standing::Live, now);
        }
        view.complete = true;
        assert_eq!(ready(&view), Ok(()));
        view.standings.set(Source::Policy, &None, Standing::NotServed, now);
        assert!(ready(&view).unwrap_err().contains("config/crd"));
    }
}
