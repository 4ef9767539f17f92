//! Literal strings in manifests that may be credentials: what is remembered of them, never the string itself.
//!
//! Sources: the published formats of the issuers; key names as Kubescape and Polaris list them. A name alone says little, so it counts only with a value that
//! could be a credential: no path, no reference to a variable, no switch.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

mod formats;
mod pairs;

pub use formats::credential;
use formats::word;
use pairs::Pairs;

/// What is known of a literal value after it was looked at and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Whether it could be a credential: some text that is neither a path, a reference nor a switch.
    pub could_be_secret: bool,
    /// The kind of credential whose form it has.
    pub credential: Option<&'static str>,
    /// Its length in bytes.
    pub length: usize,
}

impl Literal {
    /// Looks at a value.
    pub fn of(text: &str) -> Self {
        Self {
            could_be_secret: could_be_secret(text),
            credential: credential(text),
            length: text.len(),
        }
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::String(text) => Self::of(&text),
            other => Self::of(&other.to_string()),
        })
    }
}

/// A string with the form of a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// JSON pointer of the string.
    pub pointer: String,
    /// What it has the form of.
    pub what: &'static str,
}

/// A key as a step of a JSON pointer.
pub fn escape(key: &str) -> String {
    if !key.contains(['~', '/']) {
        return key.to_owned();
    }
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether a value could be a credential, as far as a name suggests that it is one.
pub fn could_be_secret(value: &str) -> bool {
    let value = value.trim();
    let is_reference = value.starts_with(['$', '<', '{', '%']) || value.starts_with("secretref:");
    let is_path = value.starts_with('/') || value.starts_with("./") || value.starts_with("file:");
    let is_switch = matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "true" | "false" | "yes" | "no" | "on" | "off" | "none" | "null" | "0" | "1" | "enabled" | "disabled"
    );
    !(is_reference || is_path || is_switch)
}

/// Words that name a credential.
const NAMES: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "jwt",
    "bearer",
    "credential",
    "credentials",
    "apikey",
    "pass",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
];

/// Words that make a key a credential when they stand before `key`.
const KEYS: [&str; 16] = [
    "api",
    "access",
    "private",
    "secret",
    "encryption",
    "signing",
    "batch",
    "batchai",
    "storage",
    "account",
    "auth",
    "master",
    "ssh",
    "license",
    "cli",
    "app",
];

/// Last words that say that the value only tells where, how long or whether.
const ABOUT: [&str; 30] = [
    "path",
    "file",
    "dir",
    "directory",
    "name",
    "url",
    "uri",
    "endpoint",
    "host",
    "port",
    "ttl",
    "expiry",
    "expiration",
    "enabled",
    "length",
    "type",
    "header",
    "issuer",
    "audience",
    "ref",
    "count",
    "limit",
    "timeout",
    "interval",
    "mode",
    "policy",
    "provider",
    "namespace",
    "algorithm",
    "version",
];

/// Whether a key names a credential.
pub fn is_sensitive_name(name: &str) -> bool {
    if !could_name_a_credential(name) {
        return false;
    }
    let words = words(name);
    if words.last().is_some_and(|last| ABOUT.contains(&last.as_str())) {
        return false;
    }
    words.iter().enumerate().any(|(at, word)| {
        NAMES.contains(&word.as_str())
            || (["key", "keys"].contains(&word.as_str()) && at > 0 && KEYS.contains(&words[at - 1].as_str()))
    })
}

/// A part of every word of [`NAMES`], and of `key`.
const PARTS: [&str; 8] = ["pass", "pwd", "secret", "token", "jwt", "bearer", "credential", "key"];

/// What [`PARTS`] begin with.
static BEGINNINGS: Pairs = Pairs::of_any_case(&PARTS);

/// Whether a name is among the words of a text, as far as [`PARTS`] tell: most texts have none, and need not be taken apart.
fn could_name_a_credential(text: &str) -> bool {
    let has_part = |at: usize| {
        let rest = &text.as_bytes()[at..];
        let begins = |part: &&str| {
            rest.get(..part.len())
                .is_some_and(|it| it.eq_ignore_ascii_case(part.as_bytes()))
        };
        PARTS.iter().any(begins)
    };
    // Letters beyond ASCII may have one of ASCII as their lower case.
    BEGINNINGS.places(text).any(has_part) || !text.is_ascii()
}

/// Words of `SOME_NAME`, `some-name`, `some.name` and `someName`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let turns = c.is_ascii_uppercase() && before.is_ascii_lowercase();
        if !c.is_alphanumeric() || turns {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The name of a credential that a text assigns a literal to: `REDIS_PASSWORD=abc`, `password: abc`, `--token=abc`.
pub fn assigned(text: &str) -> Option<String> {
    if !could_name_a_credential(text) {
        return None;
    }
    text.lines().find_map(|line| {
        let line = line.trim().trim_start_matches(['#', ';', '-']).trim_start();
        let at = line.find(['=', ':'])?;
        let (name, value) = line.split_at(at);
        let name = name.trim().trim_matches(['"', '\'']);
        let value = value[1..].trim().trim_matches(['"', '\'', ',']);
        let is_name = !name.is_empty() && name.len() <= 64 && name.chars().all(|c| word(c) || c == '.');
        let is_value = || !value.is_empty() && !value.contains([' ', '(']) && could_be_secret(value);
        (is_name && is_sensitive_name(name) && is_value()).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests;
