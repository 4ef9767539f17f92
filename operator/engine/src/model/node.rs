//! An object as whoever read it holds it: a tree of values, the tokens of a manifest. Views are decoded from its parts where they stand.

use serde::Deserializer;
use serde_json::{Number, Value};

/// One value of an object.
pub trait Node<'de>: Deserializer<'de, Error = serde_json::Error> + Copy {
    /// What it is.
    fn shape(self) -> Shape<'de, Self>;

    /// The value of a key; `None` where this has no keys, or not this one.
    fn get(self, key: &str) -> Option<Self>;

    /// The text, if it is one.
    fn as_str(self) -> Option<&'de str>;

    /// Whether it says nothing.
    fn is_null(self) -> bool;

    /// The value at the end of a path of keys.
    fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }
}

/// What a value is, with what is in it.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // As JSON has them.
pub enum Shape<'de, N> {
    Null,
    Bool(bool),
    Number(Number),
    Text(&'de str),
    List(Vec<N>),
    /// Sorted by key.
    Fields(Vec<(&'de str, N)>),
}

impl<'de> Node<'de> for &'de Value {
    fn shape(self) -> Shape<'de, Self> {
        match self {
            Value::Null => Shape::Null,
            Value::Bool(value) => Shape::Bool(*value),
            Value::Number(number) => Shape::Number(number.clone()),
            Value::String(text) => Shape::Text(text),
            Value::Array(items) => Shape::List(items.iter().collect()),
            // The map is a tree here, hence sorted.
            Value::Object(fields) => Shape::Fields(fields.iter().map(|(key, value)| (key.as_str(), value)).collect()),
        }
    }

    fn get(self, key: &str) -> Option<Self> {
        Value::get(self, key)
    }

    fn as_str(self) -> Option<&'de str> {
        Value::as_str(self)
    }

    fn is_null(self) -> bool {
        Value::is_null(self)
    }
}
