//! What is read of a whole template, fields that no view has included: its canonical text, and where it shows credentials.

use std::fmt::Write as _;

use serde::de::Error as _;
use serde_json::Error;

use crate::model::literal::{Exposed, credential, escape};
use crate::model::{Node, Shape};

/// The result.
pub(super) struct Reading {
    /// Canonical JSON: no spaces, keys sorted.
    pub(super) text: String,
    /// Every string that has the form of a credential, at most [`MOST`].
    pub(super) exposed: Vec<Exposed>,
}

/// More would say nothing new.
const MOST: usize = 32;

/// Bytes that most templates take.
const USUAL: usize = 2048;

/// Deepest template that is read: what is kept as text must be read again, and no reader of JSON follows without end. Pod specs have 15 levels.
const DEEPEST: usize = 100;

/// A copy of the whole object that kubectl keeps in it: what it holds is found where it stands.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Says of which ReplicaSet a pod is; without it a ReplicaSet has the template of its Deployment.
const OF_REPLICA_SET: &str = "pod-template-hash";

impl Reading {
    /// Of a template.
    pub(super) fn of_template<'de>(template: impl Node<'de>, is_kept: bool) -> Result<Self, Error> {
        let mut reader = Reader::new(is_kept);
        reader.value(template)?;
        Ok(reader.reading)
    }

    /// Of the parts of a pod that a template has, in the form of one.
    pub(super) fn of_pod<'de, N: Node<'de>>(pod: N) -> Result<Self, Error> {
        let mut reader = Reader::new(true);
        reader.reading.text.push_str("{\"metadata\":{");
        reader.part(pod, "annotations", &["metadata", "annotations"])?;
        reader.reading.text.push(',');
        reader.part(pod, "labels", &["metadata", "labels"])?;
        reader.reading.text.push_str("},");
        reader.part(pod, "spec", &["spec"])?;
        reader.reading.text.push('}');
        Ok(reader.reading)
    }
}

struct Reader {
    reading: Reading,
    /// JSON pointer of where reading is.
    pointer: String,
    /// Levels that may still be entered.
    deeper: usize,
    /// Reading is inside [`LAST_APPLIED`].
    is_copy: bool,
}

impl Reader {
    fn new(is_kept: bool) -> Self {
        Self {
            reading: Reading {
                text: String::with_capacity(USUAL),
                exposed: Vec::new(),
            },
            pointer: String::new(),
            deeper: if is_kept { DEEPEST } else { usize::MAX },
            is_copy: false,
        }
    }

    /// A part of a pod under its key, `null` where the pod has none.
    fn part<'de>(&mut self, pod: impl Node<'de>, key: &str, path: &[&str]) -> Result<(), Error> {
        self.string(key)?;
        self.reading.text.push(':');
        let Some(part) = pod.at(path) else {
            self.reading.text.push_str("null");
            return Ok(());
        };
        for step in path {
            self.pointer.push('/');
            self.pointer.push_str(step);
        }
        let read = self.value(part);
        self.pointer.clear();
        read
    }

    fn value<'de, N: Node<'de>>(&mut self, node: N) -> Result<(), Error> {
        match node.shape() {
            Shape::Null => self.reading.text.push_str("null"),
            Shape::Bool(value) => self.reading.text.push_str(if value { "true" } else { "false" }),
            Shape::Number(number) => {
                let _ = write!(self.reading.text, "{number}"); // writing to a String cannot fail
            }
            Shape::Text(text) => {
                self.string(text)?;
                self.look_at(text);
            }
            Shape::List(items) => self.list(items)?,
            Shape::Fields(fields) => self.fields(fields)?,
        }
        Ok(())
    }

    fn list<'de, N: Node<'de>>(&mut self, items: Vec<N>) -> Result<(), Error> {
        self.enter()?;
        let length = self.pointer.len();
        self.reading.text.push('[');
        for (index, item) in items.into_iter().enumerate() {
            if index > 0 {
                self.reading.text.push(',');
            }
            let _ = write!(self.pointer, "/{index}"); // as above
            self.value(item)?;
            self.pointer.truncate(length);
        }
        self.reading.text.push(']');
        self.leave();
        Ok(())
    }

    fn fields<'de, N: Node<'de>>(&mut self, fields: Vec<(&'de str, N)>) -> Result<(), Error> {
        self.enter()?;
        let length = self.pointer.len();
        let are_labels = self.pointer == "/metadata/labels";
        self.reading.text.push('{');
        let mut is_first = true;
        for (key, value) in fields {
            if are_labels && key == OF_REPLICA_SET {
                continue;
            }
            if !is_first {
                self.reading.text.push(',');
            }
            is_first = false;
            self.string(key)?;
            self.reading.text.push(':');
            self.pointer.push('/');
            // Without a copy: there are many keys, and hardly one that needs it.
            if key.contains(['~', '/']) {
                self.pointer.push_str(&escape(key));
            } else {
                self.pointer.push_str(key);
            }
            let was_copy = self.is_copy;
            self.is_copy |= key == LAST_APPLIED;
            self.value(value)?;
            self.is_copy = was_copy;
            self.pointer.truncate(length);
        }
        self.reading.text.push('}');
        self.leave();
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Error> {
        match self.deeper.checked_sub(1) {
            Some(deeper) => {
                self.deeper = deeper;
                Ok(())
            }
            None => Err(Error::custom(format_args!(
                "the pod template is nested deeper than {DEEPEST} levels"
            ))),
        }
    }

    const fn leave(&mut self) {
        self.deeper += 1;
    }

    /// Text as JSON has it.
    fn string(&mut self, text: &str) -> Result<(), Error> {
        let out = &mut self.reading.text;
        if text.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
            out.push_str(&serde_json::to_string(text)?);
        } else {
            out.push('"');
            out.push_str(text);
            out.push('"');
        }
        Ok(())
    }

    fn look_at(&mut self, text: &str) {
        if self.is_copy || self.reading.exposed.len() >= MOST {
            return;
        }
        if let Some(what) = credential(text) {
            self.reading.exposed.push(Exposed {
                pointer: self.pointer.clone(),
                what,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_text_is_the_canonical_json_of_the_value() {
        let template = json!({
            "spec": {"z": [1, -2, 1.5, 1e30, true, null, [], {}], "a\"b": "tab\t \u{7f} é \u{2028} \\ /", "": ""},
            "metadata": {"labels": {"b": "2", "a": "1"}},
        });
        let reading = Reading::of_template(&template, true).unwrap();
        assert_eq!(reading.text, template.to_string());
        let labelled =
            json!({"metadata": {"labels": {"app": "web", "pod-template-hash": "5d"}, "pod-template-hash": "x"}});
        let reading = Reading::of_template(&labelled, true).unwrap();
        assert_eq!(
            reading.text,
            r#"{"metadata":{"labels":{"app":"web"},"pod-template-hash":"x"}}"#
        );
    }

    #[test]
    fn credentials_are_named_by_their_place_and_a_copy_is_not_looked_into() {
        let token = format!("npm_{}", "a".repeat(36));
        let template = json!({"metadata": {"annotations": {LAST_APPLIED: {"x": token}}}, "spec": {"a/b": ["x", token], "c": token}});
        let reading = Reading::of_template(&template, true).unwrap();
        let found: Vec<&str> = reading.exposed.iter().map(|exposed| exposed.pointer.as_str()).collect();
        assert_eq!(found, ["/spec/a~1b/1", "/spec/c"]);
    }

    #[test]
    fn a_pod_reads_as_a_template() {
        let pod =
            json!({"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"nodeName": "a"}, "status": {}});
        assert_eq!(
            Reading::of_pod(&pod).unwrap().text,
            r#"{"metadata":{"annotations":null,"labels":{"app":"web"}},"spec":{"nodeName":"a"}}"#
        );
    }

    #[test]
    fn what_is_too_deep_is_refused_where_it_must_be_read_again() {
        let deep = (0..DEEPEST).fold(Value::Null, |value, _| json!([value]));
        assert!(Reading::of_template(&deep, true).is_ok());
        let deeper = json!({"a": deep});
        assert!(Reading::of_template(&deeper, true).is_err());
        assert!(Reading::of_template(&deeper, false).is_ok());
    }
}
