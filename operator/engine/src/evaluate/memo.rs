//! Verdicts that are shared by equal pod templates: a thousand identical pods cost one judgement.

use std::collections::HashMap;
use std::sync::Arc;

use super::judge::Judged;
use crate::controls::{ControlId, Parameters};
use crate::model::TemplateHash;

/// Most verdicts in one of the two generations. A cluster of 10,000 pods has a few hundred templates, hence a few ten thousand verdicts at most; templates that
/// are not met again within a generation are forgotten.
const MOST: usize = 65_536;

/// All that a check of a template can depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) template: TemplateHash,
    pub(super) control: ControlId,
    pub(super) parameters: Arc<Parameters>,
    /// Minor version of the API server.
    pub(super) minor: u32,
}

#[derive(Debug)]
pub(super) struct Memo {
    young: HashMap<Key, Arc<Judged>>,
    old: HashMap<Key, Arc<Judged>>,
    /// Most verdicts in a generation.
    most: usize,
}

impl Default for Memo {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Memo {
    /// A memory of so many verdicts in a generation.
    pub(super) fn of(most: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            most,
        }
    }

    /// The verdict for a key. Where nothing is remembered the key is not asked for either.
    pub(super) fn get(&mut self, key: impl FnOnce() -> Key, judge: impl FnOnce() -> Judged) -> Arc<Judged> {
        if self.most == 0 {
            return Arc::new(judge());
        }
        let key = key();
        if let Some(judged) = self.young.get(&key) {
            return Arc::clone(judged);
        }
        let judged = self.old.remove(&key).unwrap_or_else(|| Arc::new(judge()));
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, Arc::clone(&judged));
        judged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::find;

    #[test]
    fn judges_once_and_stays_bounded() {
        let mut memo = Memo::default();
        let control = find("POD-009").unwrap().id;
        let key = |n: usize| Key {
            template: TemplateHash::of(&n.into()),
            control,
            parameters: Arc::default(),
            minor: 37,
        };
        let mut judged = 0;
        for n in [1, 2, 1, 1, 2] {
            memo.get(
                || key(n),
                || {
                    judged += 1;
                    Judged::default()
                },
            );
        }
        assert_eq!(judged, 2);
        let other = Key { minor: 36, ..key(1) };
        memo.get(
            || other,
            || {
                judged += 1;
                Judged::default()
            },
        );
        assert_eq!(judged, 3, "another server version is another question");
        for n in 0..3 * MOST {
            memo.get(|| key(n), Judged::default);
        }
        assert!(memo.young.len() + memo.old.len() <= 2 * MOST);
    }
}
