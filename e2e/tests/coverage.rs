//! What must be proven has a test that is named after it: promises on the real API server, stories of harm anywhere.
//!
//! `promise_NN_...` and `story_NN_...`; one test may stand for two stories (`story_40_and_44_...`).

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const PROMISES: std::ops::RangeInclusive<u32> = 1..=15;

const STORIES: std::ops::RangeInclusive<u32> = 1..=47;

/// Stories without a test, and why.
const WITHOUT: [(u32, &str); 2] = [
    (
        41,
        "no policy for egress is generated yet, so no credential endpoint can be cut",
    ),
    (42, "no policy for egress is generated yet, so DNS cannot be cut"),
];

/// The numbers in the names of tests below a folder, such as 40 and 44 in `fn story_40_and_44_exposed`.
fn numbers(folder: &str, prefix: &str) -> BTreeSet<u32> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z", folder])
        .current_dir(root)
        .output()
        .unwrap();
    let names = String::from_utf8(list.stdout).unwrap();
    let sources = names
        .split('\0')
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "rs"));
    let mut found = BTreeSet::new();
    for source in sources {
        let text = std::fs::read_to_string(root.join(source)).unwrap_or_default();
        for line in text.lines() {
            let Some((_, name)) = line.split_once(&format!("fn {prefix}_")) else {
                continue;
            };
            let words = name.split(['_', '(']);
            found.extend(
                words
                    .take_while(|word| *word == "and" || is_number(word))
                    .filter_map(|word| word.parse::<u32>().ok()),
            );
        }
    }
    assert!(!found.is_empty(), "no test below {folder} is named {prefix}_...");
    found
}

fn is_number(word: &str) -> bool {
    word.len() == 2 && word.chars().all(|c| c.is_ascii_digit())
}

#[test]
fn every_promise_has_a_test_on_the_real_api_server() {
    let proven = numbers("e2e/tests/e2e", "promise");
    let missing: Vec<u32> = PROMISES.filter(|number| !proven.contains(number)).collect();
    assert!(missing.is_empty(), "no test is named after promise {missing:?}");
}

#[test]
fn every_story_of_harm_has_a_test() {
    let told = numbers(".", "story");
    let missing: Vec<u32> = STORIES
        .filter(|number| !told.contains(number) && !WITHOUT.iter().any(|(other, _)| other == number))
        .collect();
    assert!(missing.is_empty(), "no test is named after story {missing:?}");
    let needless: Vec<u32> = WITHOUT
        .iter()
        .map(|(number, _)| *number)
        .filter(|number| told.contains(number))
        .collect();
    assert!(needless.is_empty(), "story {needless:?} has a test by now");
}
