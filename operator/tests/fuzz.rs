//! Mutated text through the YAML reader, every form of `ironside scan` and `ironside fix`: nothing panics, hangs or takes memory without bound, and what fix writes
//! is what it would write again.
//!
//! Seeds are the controls' own examples and, where it is present (`IRONSIDE_CORPUS`, else `../shared/corpus` beside the repository), the corpus. A fixed small
//! number of cases runs in the tests; `IRONSIDE_FUZZ_MINUTES=60` goes on with new ones for an hour.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test; how much was tried is the point

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser as _;
use ironside::cli::Cli;
use ironside::yaml;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Cases without `IRONSIDE_FUZZ_MINUTES`.
const CASES: u32 = 96;

/// Most memory that the process may have taken at any time, in MiB.
const MOST_MEMORY: u64 = 1024;

/// One change of a text, independent of what it is done to.
#[derive(Clone, Debug)]
enum Change {
    Insert(Index, &'static str),
    Remove(Index, usize),
    Repeat(Index, usize, usize),
    /// A piece of another text.
    Splice(Index, Index, usize),
    /// A line at another place.
    Move(Index, Index),
    /// Every line end as Windows has it.
    CarriageReturns,
    Indent(Index, usize),
    Nest(Index, usize),
    Cut(Index),
}

/// Pieces of YAML that change what the rest means.
const PIECES: &[&str] = &[
    "&a ",
    "*a",
    "<<: *a",
    "---\n",
    "...\n",
    "\t",
    "!!binary ",
    "!!str ",
    "|\n",
    ">-\n",
    "\u{feff}",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "? ",
    "\"",
    "'",
    "#",
    "%YAML 1.2\n",
    "\\",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
    "💥",
    "null",
    "~",
    "0x7fffffffffffffff",
    "1e999",
    ".nan",
    "{{ .Values.x }}",
    "\r",
    "@",
    "`",
    "kind: List\nitems:\n",
    "&a [*a]",
    "x: &x {a: *x}\n",
];

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<Index>();
    prop_oneof![
        6 => (at(), select(PIECES)).prop_map(|(at, piece)| Change::Insert(at, piece)),
        3 => (at(), 1_usize..60).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (at(), 1_usize..200, 1_usize..50).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        3 => (at(), at(), 1_usize..400).prop_map(|(at, from, length)| Change::Splice(at, from, length)),
        2 => (at(), at()).prop_map(|(line, to)| Change::Move(line, to)),
        1 => Just(Change::CarriageReturns),
        1 => (at(), 1_usize..6).prop_map(|(line, by)| Change::Indent(line, by)),
        1 => (at(), 1_usize..600).prop_map(|(at, depth)| Change::Nest(at, depth)),
        1 => at().prop_map(Change::Cut),
    ]
}

fn changed(text: &str, other: &str, change: &Change) -> String {
    let place = |text: &str, at: &Index| {
        let mut at = at.index(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let after = |text: &str, at: usize, length: usize| {
        let mut end = (at + length).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        end
    };
    let insert = |at: usize, what: &str| format!("{}{what}{}", &text[..at], &text[at..]);
    match change {
        Change::Insert(at, piece) => insert(place(text, at), piece),
        Change::Remove(at, length) => {
            let at = place(text, at);
            format!("{}{}", &text[..at], &text[after(text, at, *length)..])
        }
        Change::Repeat(at, length, times) => {
            let at = place(text, at);
            insert(at, &text[at..after(text, at, *length)].repeat(*times))
        }
        Change::Splice(at, from, length) => {
            let from = place(other, from);
            insert(place(text, at), &other[from..after(other, from, *length)])
        }
        Change::Move(line, to) => {
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            if lines.is_empty() {
                return String::new();
            }
            let line = lines.remove(line.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
            lines.concat()
        }
        Change::CarriageReturns => text.replace("\r\n", "\n").replace('\n', "\r\n"),
        Change::Indent(line, by) => {
            let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
            if !lines.is_empty() {
                let line = line.index(lines.len());
                lines[line].insert_str(0, &" ".repeat(*by));
            }
            lines.concat()
        }
        Change::Nest(at, depth) => insert(
            place(text, at),
            &format!("{}x{}", "[".repeat(*depth), "]".repeat(*depth)),
        ),
        Change::Cut(at) => text[..place(text, at)].to_owned(),
    }
}

/// One case: two seeds, the second one's pieces in the first.
type Case = (Index, Index, Vec<Change>, Index);

#[test]
fn mutated_text_is_read_judged_and_fixed() {
    let seeds = seeds();
    let strategy = (any::<Index>(), any::<Index>(), vec(change(), 0..6), any::<Index>());
    let minutes: u64 =
        std::env::var("IRONSIDE_FUZZ_MINUTES").map_or(0, |minutes| minutes.parse().expect("a number of minutes"));
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let folder = std::env::temp_dir().join(format!("ironside-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut runner = TestRunner::new_with_rng(config.clone(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut cases = 0;
    loop {
        match runner.run(&strategy, |case| one(&text(&seeds, &case), case.3, &folder)) {
            Ok(()) => cases += CASES,
            Err(TestError::Fail(why, case)) => panic!("{why}\n{:?}", text(&seeds, &case)),
            Err(error) => panic!("{error}"),
        }
        if Instant::now() >= end {
            break;
        }
        runner = TestRunner::new(config.clone());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    println!(
        "{cases} cases of {} files, at most {:?} MiB",
        seeds.len(),
        peak_memory()
    );
    assert!(
        peak_memory().is_none_or(|peak| peak < MOST_MEMORY),
        "{:?} MiB",
        peak_memory()
    );
}

fn text(seeds: &[String], (first, second, changes, _): &Case) -> String {
    let (first, second) = (&seeds[first.index(seeds.len())], &seeds[second.index(seeds.len())]);
    changes
        .iter()
        .fold(first.clone(), |text, change| changed(&text, second, change))
}

fn seeds() -> Vec<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = std::env::var_os("IRONSIDE_CORPUS").map_or_else(|| here.join("../../shared/corpus"), PathBuf::from);
    if !corpus.is_dir() {
        println!("no corpus at IRONSIDE_CORPUS or ../shared/corpus: the seeds are the controls' examples alone");
    }
    let mut folders = vec![here.join("engine/src/controls"), corpus];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let wanted = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
            if path.is_dir() {
                folders.push(path);
            } else if wanted("yaml") || wanted("yml") || wanted("json") {
                files.push(path);
            }
        }
    }
    files.sort();
    let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let texts: Vec<String> = texts.filter(|text| text.len() < 1 << 14).collect();
    assert!(texts.len() > 100, "the controls' examples are seeds");
    texts
}

fn one(text: &str, form: Index, folder: &Path) -> Result<(), TestCaseError> {
    located(text)?;
    let file = folder.join("case.yaml");
    let file = file.to_str().unwrap();
    std::fs::write(file, text).unwrap();
    let form = form.get(&["table", "json", "sarif", "junit", "github", "html"]);
    let judged = ironside(&["scan", file, "-o", form]);
    prop_assert!(!judged.contains("CheckPanicked"), "{judged}");
    ironside(&["fix", file]);
    prop_assert_eq!(&std::fs::read_to_string(file).unwrap(), text, "a dry run wrote");
    ironside(&["fix", file, "--write"]);
    let once = std::fs::read_to_string(file).unwrap();
    ironside(&["fix", file, "--write"]);
    prop_assert_eq!(&std::fs::read_to_string(file).unwrap(), &once, "fixed twice");
    Ok(())
}

/// Parts are pieces of the text in order, and every node stands inside its part.
fn located(text: &str) -> Result<(), TestCaseError> {
    let mut end = 0;
    for part in yaml::parts(text) {
        prop_assert!(part.offset >= end, "parts overlap");
        end = part.offset + part.text.len();
        prop_assert_eq!(text.get(part.offset..end), Some(part.text));
        if let Ok(Some(document)) = yaml::parse(part.text) {
            let lines = part.text.split(['\n', '\r']).count();
            for pointer in [
                "",
                "/metadata/name",
                "/spec/containers/0/image",
                "/items/0",
                "/spec/template/spec",
            ] {
                let position = yaml::position_of(&document, pointer);
                prop_assert!(position.line <= lines, "{position:?} of {lines} lines");
            }
        }
    }
    Ok(())
}

/// What the command line says; that it fails is an answer, too.
fn ironside(arguments: &[&str]) -> String {
    let cli = Cli::try_parse_from(["ironside"].iter().chain(arguments)).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _ = runtime.block_on(cli.run(&mut out, &mut err));
    String::from_utf8_lossy(&out).into_owned()
}

/// What the process took at most, in MiB, where the system says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}
