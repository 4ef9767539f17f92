//! Texts of secret scanners: not manifests, but what they hold can stand in a variable or a ConfigMap. Line by line, and as a whole for what takes several lines.

use ironside_engine::model::literal::{assigned, credential};

use super::cases;

/// Lowest share of labels that are agreed with. What is left is the disorder of a value under a name that says nothing: hashes, digests and ids have it, too.
const FLOOR: f64 = 0.9;

#[test]
fn credentials_are_found_in_the_texts_of_secret_scanners() {
    let Some(corpus) = cases::corpus() else {
        println!("skipped: no corpus at IRONSIDE_CORPUS or ../shared/corpus");
        return;
    };
    let all = cases::all(&corpus);
    let of_scanners = all.iter().filter(|case| case.check == "secret-scan");
    let (mut agreed, mut differ) = (0_u32, Vec::new());
    for case in of_scanners {
        let text = std::fs::read_to_string(corpus.join(&case.path)).expect("readable");
        let in_lines = || {
            text.lines()
                .find_map(|line| credential(line).map(str::to_owned).or_else(|| assigned(line)))
        };
        let found = credential(&text).map(str::to_owned).or_else(in_lines);
        if found.is_some() == (case.expect == "fail") {
            agreed += 1;
        } else {
            differ.push(format!("expects {} of {}, found {found:?}", case.expect, case.path));
        }
    }
    let share = f64::from(agreed) / f64::from(agreed + u32::try_from(differ.len()).unwrap_or(u32::MAX));
    println!("texts of secret scanners: {agreed} agreed ({share:.3}), {differ:#?}");
    assert!(share >= FLOOR, "{differ:#?}");
}
