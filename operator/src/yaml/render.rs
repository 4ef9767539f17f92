//! Values as text, in the manner of their surroundings.

use serde_json::{Map, Value};

/// Words that YAML 1.1 or 1.2 reads as something else than a string.
const NOT_STRINGS: [&str; 11] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ".nan"];

/// How a document is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    /// `\n` or `\r\n`.
    pub newline: &'static str,
    /// Columns between a key and the dashes of the sequence below it.
    pub dash: usize,
}

/// What follows `key:` in block style, with the blank before it: ` value`, or new lines deeper than `column`.
pub(super) fn block(value: &Value, column: usize, manner: Manner) -> String {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let inner = column + 2;
            in_order(fields).fold(String::new(), |text, (key, value)| {
                format!(
                    "{text}{}{}{}:{}",
                    manner.newline,
                    " ".repeat(inner),
                    scalar(key),
                    block(value, inner, manner)
                )
            })
        }
        Value::Array(items) if !items.is_empty() => {
            let inner = column + manner.dash;
            items.iter().fold(String::new(), |text, value| {
                let indent = " ".repeat(inner);
                format!("{text}{}{indent}- {}", manner.newline, item(value, inner, manner))
            })
        }
        other => format!(" {}", flow(other)),
    }
}

/// What follows `- ` in block style, the dash being at `column`.
pub(super) fn item(value: &Value, column: usize, manner: Manner) -> String {
    let Value::Object(fields) = value else {
        return flow(value);
    };
    if fields.is_empty() {
        return flow(value);
    }
    let inner = column + 2;
    let lines: Vec<String> = in_order(fields)
        .map(|(key, value)| format!("{}:{}", scalar(key), block(value, inner, manner)))
        .collect();
    lines.join(&format!("{}{}", manner.newline, " ".repeat(inner)))
}

/// In one line: `{a: [1, x]}`.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = in_order(fields)
                .map(|(key, value)| format!("{}: {}", scalar(key), flow(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// The name first, as people write it; the rest by the alphabet.
fn in_order(fields: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let is_name = |(key, _): &(&String, &Value)| *key == "name";
    fields
        .iter()
        .filter(is_name)
        .chain(fields.iter().filter(move |field| !is_name(field)))
}

/// As JSON; over several lines if `indent` says how far the line is indented that it begins on.
pub(super) fn json(value: &Value, indent: Option<usize>, newline: &str) -> String {
    let Some(indent) = indent else { return value.to_string() };
    let pretty = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    pretty.replace('\n', &format!("{newline}{}", " ".repeat(indent)))
}

/// A string without quotes where no reader can take it for something else.
pub(super) fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !NOT_STRINGS.contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MANNER: Manner = Manner { newline: "\n", dash: 2 };

    #[test]
    fn what_is_written_is_read_back() {
        for value in [
            json!({"a": {"drop": ["ALL"], "n": 3, "on": "off", "e": {}, "l": []}, "b/c": "1"}),
            json!({"list": [{"name": "x", "emptyDir": {}}, {"name": "y", "deep": {"k": [true, null]}}]}),
            json!({"text": "a: b # c", "empty": "", "yes": "yes", "number": "0x1f", "tilde": "~", "dash": "- x"}),
        ] {
            let text = format!("root:{}\n", block(&value, 0, MANNER));
            let read: Value = serde_saphyr::from_str(&text).unwrap();
            assert_eq!(read["root"], value, "{text}");
            let read: Value = serde_saphyr::from_str(&flow(&value)).unwrap();
            assert_eq!(read, value, "{}", flow(&value));
        }
    }
}
