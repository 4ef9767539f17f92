//! The fields of a document that configures a component.

use serde_json::Value;

use super::arguments::boolean;
use crate::controls::Judgement;
use crate::model::Configuration;

/// Asks one document about its fields and writes the answers into a judgement that has entered it.
pub struct Fields<'a, 'j> {
    document: &'a Configuration,
    judgement: &'j mut Judgement,
}

impl<'a, 'j> Fields<'a, 'j> {
    /// Asks `document`.
    pub fn new(document: &'a Configuration, judgement: &'j mut Judgement) -> Self {
        Self { document, judgement }
    }

    /// Passes where `good`, else fails at the field.
    pub fn expect(&mut self, path: &str, good: bool, expected: &str) {
        if good {
            self.judgement.pass();
        } else {
            self.judgement.fail(path, self.document.field(path).cloned(), expected);
        }
    }

    /// A switch that must have a value. `default` is what the component takes where the field is left out.
    pub fn switch(&mut self, path: &str, wanted: bool, default: bool) {
        let is = match self.document.field(path) {
            Some(_) => self.truth(path),
            None => Some(default),
        };
        self.expect(path, is == Some(wanted), &wanted.to_string());
    }

    /// A field that must be given.
    pub fn is_given(&mut self, path: &str, expected: &str) {
        let given = self.text(path).is_some_and(|text| !text.is_empty());
        self.expect(path, given, expected);
    }

    /// A truth value; those that somebody put into quotes are read as meant.
    pub fn truth(&self, path: &str) -> Option<bool> {
        match self.document.field(path)? {
            Value::String(text) => boolean(text),
            other => other.as_bool(),
        }
    }

    /// A text.
    pub fn text(&self, path: &str) -> Option<&'a str> {
        self.document.field(path)?.as_str()
    }

    /// A number.
    pub fn number(&self, path: &str) -> Option<i64> {
        match self.document.field(path)? {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        }
    }

    /// The items of a list.
    pub fn items(&self, path: &str) -> &'a [Value] {
        self.document.items(path)
    }
}
