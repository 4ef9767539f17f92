//! Where each object was given.

use std::collections::BTreeMap;

use ironside_engine::model::ObjectRef;

use super::manifest::Source;

/// Where each object was given, in the order in which they were.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    given: Vec<(Source, ObjectRef)>,
    /// Where each stands among them. A later definition of an object takes the place of an earlier one.
    places: BTreeMap<ObjectRef, usize>,
    /// Places of definitions that a later one replaced.
    replaced: Vec<usize>,
}

impl Sources {
    /// Notes where an object was given; returns where it was given before, if it was, and where it is given again.
    pub(super) fn note(&mut self, source: Source, object: ObjectRef) -> Option<[&Source; 2]> {
        let now = self.given.len();
        let before = self.places.insert(object.clone(), now);
        self.given.push((source, object));
        let before = before?;
        self.replaced.push(before);
        Some([before, now].map(|place| &self.given[place].0))
    }

    /// Whether nothing was given.
    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    /// Whether the object was given.
    pub(super) fn contains(&self, object: &ObjectRef) -> bool {
        self.places.contains_key(object)
    }

    /// Those that are wanted and some others, in the order of the sources.
    pub(super) fn in_order(
        mut self,
        others: impl Iterator<Item = (Source, ObjectRef)>,
        wanted: impl Fn(&ObjectRef) -> bool,
    ) -> Vec<(Source, ObjectRef)> {
        self.drop_replaced();
        self.given.retain(|(_, object)| wanted(object));
        self.given.extend(others);
        // Files are read in order, so that this is mostly the case already.
        if !self.given.is_sorted() {
            self.given.sort();
        }
        self.given
    }

    /// By object.
    pub(super) fn into_map(mut self) -> BTreeMap<ObjectRef, Source> {
        self.drop_replaced();
        self.given
            .into_iter()
            .map(|(source, object)| (object, source))
            .collect()
    }

    fn drop_replaced(&mut self) {
        self.replaced.sort_unstable();
        let mut replaced = self.replaced.iter().peekable();
        let mut place = 0;
        self.given.retain(|_| {
            let goes = replaced.next_if_eq(&&place).is_some();
            place += 1;
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use ironside_engine::model::Kind;

    use super::*;

    fn at(file: &str) -> Source {
        Source {
            file: file.into(),
            line: 1,
            within: String::new(),
        }
    }

    #[test]
    fn the_later_of_two_definitions_counts() {
        let object = |name: &str| ObjectRef::new(Kind::Service, "shop", name);
        let mut sources = Sources::default();
        assert_eq!(sources.note(at("b"), object("web")), None);
        assert_eq!(sources.note(at("c"), object("api")), None);
        assert_eq!(sources.note(at("d"), object("web")), Some([&at("b"), &at("d")]));
        assert_eq!(sources.note(at("a"), object("web")), Some([&at("d"), &at("a")]));
        assert!(sources.contains(&object("web")) && !sources.contains(&object("db")));
        let all = [(at("a"), object("web")), (at("c"), object("api"))];
        assert_eq!(sources.clone().into_map().len(), 2);
        assert_eq!(sources.clone().in_order(std::iter::empty(), |_| true), all);
        let more = [(at("b"), object("db"))].into_iter();
        let some = sources.in_order(more, |wanted| *wanted.name != *"api");
        assert_eq!(some, [(at("a"), object("web")), (at("b"), object("db"))]);
    }
}
