//! How the watches fare, as far as verdicts and conditions depend on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_engine::controls::{Gap, Responsibility};
use ironside_engine::model::Kind;
use jiff::Timestamp;

use crate::cluster::watch::Scope;
use crate::cluster::{Source, Standing};

/// The standing of every watch, by what it watches and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings(Arc<BTreeMap<(Source, Scope), (Standing, Timestamp)>>);

impl Standings {
    /// All watches, none of which has seen anything yet.
    pub fn starting(watches: impl IntoIterator<Item = (Source, Scope)>, now: Timestamp) -> Self {
        let watches = watches.into_iter().map(|watch| (watch, (Standing::Starting, now)));
        Self(Arc::new(watches.collect()))
    }

    /// Notes a standing and returns whether it is news.
    pub fn set(&mut self, source: Source, scope: &Scope, standing: Standing, now: Timestamp) -> bool {
        let key = (source, scope.clone());
        if self.0.get(&key).is_some_and(|(known, _)| *known == standing) {
            return false;
        }
        Arc::make_mut(&mut self.0).insert(key, (standing, now));
        true
    }

    /// Every watch.
    pub fn iter(&self) -> impl Iterator<Item = (Source, &Scope, Standing)> {
        self.since()
            .map(|(source, scope, standing, _)| (source, scope, standing))
    }

    /// Every watch, with the moment from which its standing holds.
    pub fn since(&self) -> impl Iterator<Item = (Source, &Scope, Standing, Timestamp)> {
        self.0
            .iter()
            .map(|((source, scope), (standing, since))| (*source, scope, *standing, *since))
    }

    /// Whether no watch is still waiting for its first answer.
    pub fn settled(&self) -> bool {
        self.iter().all(|(.., standing)| standing != Standing::Starting)
    }

    /// Whether all definitions of our own kinds are served and may be read.
    pub fn own_kinds_work(&self) -> bool {
        self.iter()
            .filter(|(source, ..)| source.is_own())
            .all(|(.., standing)| matches!(standing, Standing::Live | Standing::Interrupted))
    }

    /// Kinds that cannot be read in some scope, with the reason as findings show it.
    pub fn hidden_kinds(&self) -> impl Iterator<Item = (Kind, &Scope, Gap)> {
        self.iter().filter_map(|(source, scope, standing)| match source {
            Source::Cluster(kind) => Some((kind, scope, gap(source, scope, standing)?)),
            _ => None,
        })
    }

    /// Sources that we may not read.
    pub fn denied(&self) -> impl Iterator<Item = (Source, &Scope)> {
        self.iter()
            .filter(|(.., standing)| *standing == Standing::Denied)
            .map(|(source, scope, _)| (source, scope))
    }

    /// Sources whose changes do not arrive at the moment.
    pub fn interrupted(&self) -> impl Iterator<Item = (Source, &Scope)> {
        self.iter()
            .filter(|(.., standing)| *standing == Standing::Interrupted)
            .map(|(source, scope, _)| (source, scope))
    }
}

/// Why a kind cannot be judged, if it cannot. What was seen before an interruption still counts: an API server that restarts must not turn every verdict.
pub fn gap(source: Source, scope: &Scope, standing: Standing) -> Option<Gap> {
    let place = scope
        .as_deref()
        .map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
    let resource = source.resource();
    let (reason, message) = match standing {
        Standing::Live | Standing::Interrupted => return None,
        Standing::Starting => ("NotSeenYet", format!("{resource}{place} have not been read yet")),
        Standing::Denied => (
            "PermissionDenied",
            format!("the operator may not get, list and watch {resource}{place}"),
        ),
        Standing::NotServed => ("NotServed", format!("the API server does not serve {resource}")),
    };
    Some(Gap {
        reason,
        message,
        responsibility: Responsibility::SelfManaged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_hides_nothing_a_refusal_does() {
        let pods = Source::Cluster(Kind::Pod);
        let now = Timestamp::UNIX_EPOCH;
        let mut standings = Standings::starting([(pods, None), (Source::Policy, None)], now);
        assert!(!standings.settled());
        standings.set(pods, &None, Standing::Live, now);
        standings.set(Source::Policy, &None, Standing::Live, now);
        assert!(standings.settled() && standings.own_kinds_work());
        standings.set(pods, &None, Standing::Interrupted, now);
        assert_eq!(standings.hidden_kinds().count(), 0);
        assert!(standings.set(pods, &None, Standing::Denied, now));
        assert!(!standings.set(pods, &None, Standing::Denied, now));
        let (kind, _, gap) = standings.hidden_kinds().next().unwrap();
        assert_eq!((kind, gap.reason), (Kind::Pod, "PermissionDenied"));
        standings.set(Source::Policy, &None, Standing::NotServed, now);
        assert!(!standings.own_kinds_work());
    }
}
