//! How everything else learns what changed: the latest view, and per subscriber the set of what changed since it looked last.
//!
//! The writer never waits for a subscriber, and a slow subscriber loses nothing: changes of one object collapse into one entry of its set.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use ironside_engine::model::ObjectRef;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::View;
use super::declared::Key;

/// What changed since a subscriber looked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Objects that were judged anew, or are gone: topmost workloads, bare pods and Namespaces. Something about them, their pods or what they use changed,
    /// even where the findings are the same.
    pub targets: BTreeSet<ObjectRef>,
    /// Remediations, by namespace and name.
    pub remediations: BTreeSet<Key>,
}

impl Dirty {
    /// Whether nothing changed that a repair could depend on.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.remediations.is_empty()
    }
}

/// The publishing end; belongs to the writer.
#[derive(Debug)]
pub struct Feed {
    shared: Arc<Shared>,
    published: watch::Sender<u64>,
}

/// Where to read and subscribe. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Views {
    shared: Arc<Shared>,
    published: watch::Receiver<u64>,
}

/// One subscriber's end.
#[derive(Debug)]
pub struct Subscription {
    views: Views,
    dirty: Arc<Mutex<Dirty>>,
}

#[derive(Debug, Default)]
struct Shared {
    latest: ArcSwap<View>,
    subscribers: Mutex<Vec<Weak<Mutex<Dirty>>>>,
    /// Targets whose repair is being taken back by this process.
    undoing: Mutex<BTreeSet<ObjectRef>>,
}

impl Feed {
    /// A feed that starts with an empty view.
    pub fn new() -> (Self, Views) {
        let (sender, published) = watch::channel(0);
        let shared = Arc::<Shared>::default();
        let feed = Self {
            shared: Arc::clone(&shared),
            published: sender,
        };
        (feed, Views { shared, published })
    }

    /// Publishes a view and what changed with it.
    pub fn publish(&self, view: Arc<View>, dirty: &Dirty) {
        // The view is there before anybody can see that something changed: a subscriber may find a change twice, but never without the view that has it.
        self.shared.latest.store(view);
        let mut subscribers = self.shared.subscribers.lock();
        subscribers.retain(|subscriber| subscriber.strong_count() > 0);
        for subscriber in subscribers.iter().filter_map(Weak::upgrade) {
            let mut pending = subscriber.lock();
            pending.targets.extend(dirty.targets.iter().cloned());
            pending.remediations.extend(dirty.remediations.iter().cloned());
        }
        self.published.send_modify(|count| *count += 1);
    }

    /// Whether a change of this target that opens what was closed is our own undo, not somebody's drift.
    pub fn is_being_undone(&self, target: &ObjectRef) -> bool {
        self.shared.undoing.lock().contains(target)
    }
}

impl Views {
    /// The latest view.
    pub fn latest(&self) -> Arc<View> {
        self.shared.latest.load_full()
    }

    /// Says before the request is sent that the repair of this target is being taken back, and later that it was. The field managers cannot tell:
    /// a field that was removed has none.
    pub fn undoing(&self, target: &ObjectRef, under_way: bool) {
        let mut undoing = self.shared.undoing.lock();
        if under_way {
            undoing.insert(target.clone());
        } else {
            undoing.remove(target);
        }
    }

    /// A new subscription. The first change comes at once, with an empty set: start from the view as a whole.
    pub fn subscribe(&self) -> Subscription {
        let dirty = Arc::default();
        self.shared.subscribers.lock().push(Arc::downgrade(&dirty));
        let mut views = self.clone();
        views.published.mark_changed();
        Subscription { views, dirty }
    }
}

impl Subscription {
    /// Waits for the next view; gives it with what changed since the last call. `None` when the writer is gone. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<(Arc<View>, Dirty)> {
        self.views.published.changed().await.ok()?;
        let dirty = std::mem::take(&mut *self.dirty.lock());
        Some((self.views.latest(), dirty))
    }
}

#[cfg(test)]
mod tests {
    use ironside_engine::model::Kind;

    use super::*;

    fn dirty(name: &str) -> Dirty {
        Dirty {
            targets: BTreeSet::from([ObjectRef::new(Kind::Deployment, "shop", name)]),
            ..Dirty::default()
        }
    }

    #[tokio::test]
    async fn a_slow_subscriber_gets_everything_at_once() {
        let (feed, views) = Feed::new();
        let mut subscription = views.subscribe();
        let (_, first) = subscription.changed().await.unwrap();
        assert!(first.is_empty());
        for name in ["a", "b", "a"] {
            feed.publish(Arc::default(), &dirty(name));
        }
        let (_, changed) = subscription.changed().await.unwrap();
        assert_eq!(changed.targets.len(), 2);
        drop(feed);
        assert!(subscription.changed().await.is_none());
    }

    #[tokio::test]
    async fn a_subscriber_that_left_costs_nothing() {
        let (feed, views) = Feed::new();
        drop(views.subscribe());
        feed.publish(Arc::default(), &dirty("a"));
        assert!(feed.shared.subscribers.lock().is_empty());
    }
}
