//! When a status has to be written: at once, with the next counts, or not at all.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ironside_crds::{ConditionStatus, ExceptionStatus, PolicyStatus};
use kube::api::ObjectMeta;

use super::patch::WriteError;

/// Least time between two writes of counts.
pub(super) const COUNTS: Duration = Duration::from_secs(30);

/// Least time between two writes of anything to one object.
const URGENT: Duration = Duration::from_secs(1);

/// Pause after a failed write to an object.
pub(super) const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// What was written to one object last.
pub(super) struct Written<S> {
    uid: Option<String>,
    version: Option<String>,
    status: Option<S>,
    /// When it was written, or tried.
    at: Instant,
    failed: bool,
}

/// How soon a difference has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    None,
    Counts,
    Urgent,
}

impl<S> Written<S> {
    /// After an attempt to write.
    pub(super) fn of(meta: &ObjectMeta, outcome: Result<Option<String>, WriteError>, status: S) -> Self {
        let failed = outcome.is_err();
        Self {
            uid: meta.uid.clone(),
            status: (!failed).then_some(status),
            version: outcome.ok().flatten(),
            at: Instant::now(),
            failed,
        }
    }
}

/// The status as stored: what the watch saw, unless we wrote something newer that has not come back yet.
pub(super) fn newest<'a, S>(written: Option<&'a Written<S>>, meta: &ObjectMeta, seen: Option<&'a S>) -> Option<&'a S> {
    let number = |version: Option<&String>| version.and_then(|version| version.parse::<u64>().ok());
    match written {
        Some(written)
            if written.uid == meta.uid
                && written.status.is_some()
                && number(written.version.as_ref()) > number(meta.resource_version.as_ref()) =>
        {
            written.status.as_ref()
        }
        _ => seen,
    }
}

/// How long a difference still has to wait; `None` if there is none.
pub(super) fn due<S>(written: Option<&Written<S>>, urgency: Urgency) -> Option<Duration> {
    let least = match urgency {
        Urgency::None => return None,
        Urgency::Counts => COUNTS,
        Urgency::Urgent => URGENT,
    };
    let Some(written) = written else {
        return Some(Duration::ZERO);
    };
    let least = if written.failed { AFTER_FAILURE } else { least };
    Some(least.saturating_sub(written.at.elapsed()))
}

/// Of the status of a policy.
pub(super) fn urgency_of_policy(known: Option<&PolicyStatus>, desired: &PolicyStatus) -> Urgency {
    let Some(known) = known else { return Urgency::Urgent };
    if known == desired {
        return Urgency::None;
    }
    let says = |status: &PolicyStatus| -> BTreeSet<(String, ConditionStatus, String)> {
        let conditions = status.conditions.iter();
        conditions
            .map(|condition| (condition.type_.clone(), condition.status, condition.reason.clone()))
            .collect()
    };
    if known.observed_generation != desired.observed_generation || says(known) != says(desired) {
        Urgency::Urgent
    } else {
        Urgency::Counts
    }
}

/// Of the status of an exception.
pub(super) fn urgency_of_exception(known: Option<&ExceptionStatus>, desired: &ExceptionStatus) -> Urgency {
    match known {
        Some(known) if known == desired => Urgency::None,
        Some(known) if known.conditions == desired.conditions => Urgency::Counts,
        _ => Urgency::Urgent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ago: Duration, version: &str) -> Written<PolicyStatus> {
        Written {
            uid: None,
            version: Some(version.to_owned()),
            status: Some(PolicyStatus {
                score_percent: Some(50),
                ..PolicyStatus::default()
            }),
            at: Instant::now().checked_sub(ago).unwrap(),
            failed: false,
        }
    }

    #[test]
    fn the_first_write_does_not_wait_the_next_counts_do() {
        assert_eq!(due::<PolicyStatus>(None, Urgency::Counts), Some(Duration::ZERO));
        let just_now = written(Duration::from_secs(2), "1");
        assert!(due(Some(&just_now), Urgency::Counts).unwrap() > Duration::from_secs(20));
        assert_eq!(due(Some(&just_now), Urgency::Urgent), Some(Duration::ZERO));
        assert_eq!(due(Some(&just_now), Urgency::None), None);
        assert_eq!(due(Some(&written(COUNTS, "1")), Urgency::Counts), Some(Duration::ZERO));
    }

    #[test]
    fn counts_alone_are_not_urgent() {
        let known = PolicyStatus {
            score_percent: Some(50),
            ..PolicyStatus::default()
        };
        let mut desired = known.clone();
        assert_eq!(urgency_of_policy(Some(&known), &desired), Urgency::None);
        desired.score_percent = Some(60);
        assert_eq!(urgency_of_policy(Some(&known), &desired), Urgency::Counts);
        desired.observed_generation = Some(2);
        assert_eq!(urgency_of_policy(Some(&known), &desired), Urgency::Urgent);
    }

    #[test]
    fn our_own_write_counts_until_the_watch_has_seen_it() {
        let written = written(Duration::ZERO, "20");
        let seen = PolicyStatus::default();
        let meta = |version: &str| ObjectMeta {
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        assert_eq!(
            newest(Some(&written), &meta("19"), Some(&seen)).unwrap().score_percent,
            Some(50)
        );
        assert_eq!(newest(Some(&written), &meta("20"), Some(&seen)), Some(&seen));
        assert_eq!(newest(Some(&written), &meta("21"), None), None);
    }
}
