//! Every manifest of the corpus that can be fixed is fixed for good, and nothing else in it changes. The corpus is no part of the repository.

#![allow(clippy::print_stdout)] // the counts are the point

use std::collections::BTreeMap;
use std::path::PathBuf;

use ironside_crds::ProfileName;

use super::super::judge::Scanned;
use super::*;
use crate::corpus;
use crate::yaml::Refusal;

fn fixer(text: &str) -> Fixer {
    let mut scanned = Scanned::default();
    scanned.add(Manifests::read(&[PathBuf::from("-")], &mut text.as_bytes()));
    scanned.fixer(ProfileName::NsaCisa, jiff::Timestamp::UNIX_EPOCH)
}

/// Applies every repair. The text after it, how many objects were fixed, and why others were not.
fn fixed(text: &str) -> (String, usize, Vec<Refusal>) {
    let fixer = fixer(text);
    let mut sheet = Sheet::open("-", Some(text)).unwrap();
    let (mut count, mut refused) = (0, Vec::new());
    for (source, target) in fixer.targets() {
        let wanted: Vec<ControlId> = fixer.repairable(target).iter().map(|it| it.control.id).collect();
        let Some(plan) = fixer.plan(target, &wanted).filter(|plan| !plan.changes.is_empty()) else {
            continue;
        };
        match sheet.apply(source, &plan.patch) {
            Ok(()) => count += 1,
            Err(why) => refused.push(why),
        }
    }
    (sheet.text().to_owned(), count, refused)
}

#[test]
fn the_corpus_is_fixed_for_good_and_keeps_its_comments() {
    let Some(files) = corpus::manifests() else {
        return;
    };
    let (mut objects, mut refusals) = (0, BTreeMap::<String, usize>::new());
    for file in &files {
        let Ok(text) = std::fs::read_to_string(file) else {
            continue;
        };
        let (after, count, refused) = fixed(&text);
        objects += count;
        for why in &refused {
            let why = match why {
                Refusal::Alias { .. } => "alias".to_owned(),
                Refusal::NoPlace { .. } => "no place".to_owned(),
                other => other.to_string(),
            };
            *refusals.entry(why).or_default() += 1;
        }
        let (again, count, _) = fixed(&after);
        assert_eq!(
            (count, &again),
            (0, &after),
            "{}: a second run finds more to do",
            file.display()
        );
        let mut rest = after.lines();
        for line in text.lines().filter(|line| line.trim_start().starts_with('#')) {
            assert!(rest.any(|kept| kept == line), "{}: lost {line}", file.display());
        }
    }
    println!(
        "{objects} objects of {} files fixed; not fixed: {refusals:?}",
        files.len()
    );
    assert!(objects > 1_000);
    let refused: usize = refusals.values().sum();
    assert!(refused * 50 < objects, "{refused} of {objects} refused: {refusals:?}");
}

#[test]
fn a_list_and_its_neighbours_are_fixed_item_by_item() {
    let text = "kind: List\napiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: a}\n  spec:\n    containers:\n    - name: x\n      image: i:1\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: [{name: z, image: 'i:1'}]}\n";
    let (after, count, refused) = fixed(text);
    assert_eq!((count, refused), (2, Vec::new()), "{after}");
    assert!(
        fixer(&after)
            .targets()
            .iter()
            .all(|(_, target)| fixer(&after).repairable(target).is_empty()),
        "{after}"
    );
    assert!(
        after.contains("- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\n"),
        "{after}"
    );
}
