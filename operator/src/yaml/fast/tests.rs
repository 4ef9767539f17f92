//! What is read here has the value and the positions that the reader of all of YAML gives.

use proptest::prelude::*;
use serde::Deserialize as _;
use serde_json::Value;

use super::{Lines, read};
use crate::{corpus, yaml};

/// Compares the two readers on a text; whether this one read it.
pub(super) fn agrees(text: &str) -> bool {
    let Some(tree) = read(text) else { return false };
    let value = Value::deserialize(tree.root(text)).unwrap();
    let expected: Value = match serde_saphyr::from_str(text) {
        Ok(expected) => expected,
        Err(error) => panic!("read, and is no YAML ({error}):\n{text}"),
    };
    assert_eq!(value, expected, "{text}");
    let node = yaml::parse(text).unwrap().unwrap();
    let lines = Lines::of(text);
    let mut pointers = vec![String::new()];
    below(&value, "", &mut pointers);
    for pointer in pointers {
        let here = tree.position_of(text, &lines, &pointer);
        assert_eq!(here, yaml::position_of(&node, &pointer), "{pointer} in\n{text}");
        let absent = format!("{pointer}/nothing/of/it");
        assert_eq!(
            tree.position_of(text, &lines, &absent),
            yaml::position_of(&node, &absent),
            "{absent} in\n{text}"
        );
    }
    true
}

fn below(value: &Value, pointer: &str, all: &mut Vec<String>) {
    let mut add = |step: &str, child: &Value| {
        let pointer = format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
        below(child, &pointer, all);
        all.push(pointer);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, child)| add(key, child)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, child)| add(&at.to_string(), child)),
        _ => {}
    }
}

#[test]
fn plain_manifests_are_read() {
    for text in [
        "a: 1\n",
        "a: b",
        "a:\n  b: c\n",
        "a:\n- b\n- c\nd: e\n",
        "a:\n  - b: 1\n    c: 2\n  - b: 3\n",
        "a:\n- - b\n  - c\n- - d\n",
        "# comment\n\na: b # more\n\n# end\n",
        "a: |\n  one\n  two\n\nb: 2\n",
        "a: |-\n  one\n\n   two\n",
        "a: |+\n  one\n\n\n",
        "- |\n # x\n",
        "- |\n  #!/bin/sh\n  exec x\n",
        "- |\n  - x\n",
        "- |\n  one\n- |-\n  two\n\n- three\n",
        "a:\n- |\r\n  one\r\n  two\r\n- |+\n\n    three\nb: c\n",
        "a: 'it''s'\nb: \"x\\n\\u00e9\"\n",
        "a: {b: 1, c: [d, 'e']}\nf: []\ng: {}\n",
        "{\n  \"a\": [1, true, null],\n  \"b\": {\"c\": \"d\"}\n}\n",
        "a: one\n  two\n  three\n\n  four\nb: c\n",
        "a:\nb:\n  c:\nd: e\n",
        "a: 500m\nb: 1.2.3\nc: -5\nd: 10.0.0.1\ne: 0\n",
        "a: b\r\nc:\r\n- d\r\n- e: |\r\n    one\r\n    two\r\n",
        "- a\n- b: c\n",
        "a: --listen=:8080\nb: x:y\nc: http://x/#y\n",
        "\"a b\": c\n'd': e\n",
        "a:\n  one\n  two\nb: 1\n",
        "a: caf\u{e9} \u{2013} \u{4e2d}\nb: c\n",
        " # comment\na: b\n",
        "a:\n- --flag\n- \"x: y\"\n- 'z'\n- -verbose\n",
        "a:\n- {b: c}\n- [d]\n- e: f\n  g:\n  - h\n",
        "a: # b\n  c: d\ne: # f\ng: # h\n- # i\n  j: k\n- l\n",
        "a: &b c\nd: *b\n",
        "a: &b\n  c: 1\n  d: [e]\nf: *b\ng:\n- h: *b # again\n  i: j\n- k\n",
        "a: &b # named\n- c\n- d: e\nf: *b",
        "a: &b-1 {c: d}\ne: *b-1\r\nf: &g |\n  h\ni: *g\n",
        "a:\n  b: &c 'd'\ne:\n  f: *c\n\n  g: &h 5\ni: *h\n",
    ] {
        assert!(agrees(text), "not read:\n{text}");
    }
}

#[test]
fn lists_take_no_more_room_than_they_need() {
    for (text, length) in [("- 1\n- 2\n- 3\n- 4\n- 5\n", 5), ("- {a: b}\n", 1), ("[]\n", 0)] {
        let tree = read(text).unwrap();
        let list = Vec::<Value>::deserialize(tree.root(text)).unwrap();
        assert_eq!((list.len(), list.capacity()), (length, length), "{text}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_other_reader() {
    for text in [
        "",
        "# nothing\n",
        "a: *b\n",
        "a: &b\nc: d\n",
        "a: &b ~\nc: *b\n",
        "a: &b c\nd: &b e\nf: *b\n",
        "a: &b\n  c: *b\n",
        "a: &b\n  c: d\ne: &f\n  g: *b\nh: *f\n",
        "a: &b c\nd: [*b]\n",
        "a: &b c\n*b : d\n",
        "- &a b\n- *a\n",
        "a: &b c\nd: *b e\n",
        "a: &b c\nd: *b\n  e\n",
        "&a b: c\n",
        "a: &b &c d\n",
        "a: &b *b\n",
        "a: &b\n  c: d\ne:\n  <<: *b\n",
        "a: !!str 1\n",
        "a: >\n  b\n",
        "a: yes\n",
        "a: 0x1f\n",
        "a: 012\n",
        "a: 1e3\n",
        "a: 1.5\n",
        "a: b\na: c\n",
        "<<: {a: b}\n",
        "a:\tb\n",
        "a: b: c\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: [b\n",
        "a: \"b\n",
        "- a\nb: c\n",
        "a: |2\n   b\n",
        "? a\n: b\n",
        "a: [b: c]\n",
        "a: \"\\x41\"\n",
        "a: 1_000\n",
        "a: .inf\n",
        "a: 12:30:45\n",
        "a: b\n c\nd\n",
        "a: {b}\n",
        "%YAML 1.2\n---\na: b\n",
        "a: -\n",
        "a: - b\n",
        "1: a\n",
        "true: a\n",
        "a: @b\n",
        "a: `b\n",
        "a\n",
        "\"a\"\n",
        "a: 'b' c\n",
        "a: {b: c} d\n",
        "a: \u{85}b\n",
    ] {
        assert!(read(text).is_none(), "read:\n{text}");
    }
}

#[test]
#[allow(clippy::print_stdout)] // the count is the point
fn manifests_of_other_projects_are_read_alike_and_most_of_them_are_read() {
    let Some(files) = corpus::manifests() else {
        return;
    };
    let (mut documents, mut plain) = (0, 0);
    for text in files.iter().filter_map(|file| std::fs::read_to_string(file).ok()) {
        for part in yaml::parts(text.trim_start_matches('\u{feff}')) {
            documents += 1;
            plain += usize::from(agrees(part.text));
        }
    }
    println!("{plain} of {documents} documents of {} files are plain", files.len());
    assert!(plain * 10 > documents * 8, "{plain} of {documents}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Lines of pieces that mean something, in any order: most are no YAML, and none may be read differently.
    #[test]
    fn any_text_of_meaningful_pieces_is_read_alike_or_not_at_all(
        text in proptest::collection::vec(
            prop_oneof![
                4 => Just("\n"), 4 => Just("  "), 3 => Just("a: "), 3 => Just("- "), 3 => Just("b:\n"), 2 => Just("c"), 1 => Just("\r\n"), 1 => Just("\n\n"), 1 => Just(" "), 1 => Just("-"),
                1 => Just(":"), 1 => Just("#"), 1 => Just(" # x"), 1 => Just("'"), 1 => Just("\""), 1 => Just("|\n"), 1 => Just("|-\n"), 1 => Just("|+\n"), 1 => Just("{"), 1 => Just("}"),
                1 => Just("["), 1 => Just("]"), 1 => Just(","), 1 => Just(", "), 1 => Just("1"), 1 => Just("0"), 1 => Just("."), 1 => Just("e"), 1 => Just("x"), 1 => Just("null"), 1 => Just("true"),
                1 => Just("yes"), 1 => Just("~"), 1 => Just("\\n"), 1 => Just("d: e\n"), 1 => Just("f: {g: h}\n"), 1 => Just("&x "), 1 => Just("*x"), 1 => Just("k: &x "), 1 => Just("l: *x\n"), 1 => Just("é"), 1 => Just("\u{2028}"), 1 => Just("\t"), 1 => Just("---"), 1 => Just("? "),
            ],
            1..24,
        ).prop_map(|pieces| pieces.concat())
    ) {
        agrees(&text);
    }
}
