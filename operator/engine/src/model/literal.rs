//! Literal strings in manifests that may be credentials: what is remembered of them, never the string itself.
//!
//! Sources: the published formats of the issuers; key names as Kubescape and Polaris list them. A name alone says little, so it counts only with a value that
//! could be a credential: no path, no reference to a variable, no switch.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

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

/// Every string below a value that has the form of a credential, at most [`MOST`].
pub fn exposed_in(value: &Value) -> Vec<Exposed> {
    let mut found = Vec::new();
    walk(value, &mut String::new(), &mut found);
    found
}

/// A copy of the whole object that kubectl keeps in it: what it holds is found where it stands.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// More would say nothing new.
const MOST: usize = 32;

fn walk(value: &Value, pointer: &mut String, found: &mut Vec<Exposed>) {
    if found.len() >= MOST {
        return;
    }
    let length = pointer.len();
    match value {
        Value::String(text) => {
            if let Some(what) = credential(text) {
                found.push(Exposed {
                    pointer: pointer.clone(),
                    what,
                });
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let _ = write!(pointer, "/{index}"); // writing to a String cannot fail
                walk(item, pointer, found);
                pointer.truncate(length);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(name, _)| *name != LAST_APPLIED) {
                pointer.push('/');
                pointer.push_str(&escape(name));
                walk(field, pointer, found);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// A key as a step of a JSON pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The kind of credential that a text has the form of, or holds.
pub fn credential(text: &str) -> Option<&'static str> {
    if text.len() < 12 {
        return None;
    }
    if text.contains("PRIVATE KEY") && text.contains("-BEGIN ") {
        return Some("a private key");
    }
    FORMATS
        .iter()
        .find(|format| format.is_in(text))
        .map(|format| format.what)
        .or_else(|| is_jwt(text).then_some("a JSON Web Token"))
        .or_else(|| is_terraform(text).then_some("a Terraform token"))
        .or_else(|| has_login(text).then_some("an address with a password"))
        .or_else(|| named_key(text))
}

/// Tokens that begin with a mark of their issuer.
struct Format {
    what: &'static str,
    begins: &'static [&'static str],
    /// Fewest characters behind the beginning.
    least: usize,
    of: fn(char) -> bool,
}

impl Format {
    fn is_in(&self, text: &str) -> bool {
        self.begins.iter().any(|mark| {
            text.match_indices(mark).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let inside_word = before.is_some_and(|c| c.is_ascii_alphanumeric());
                let length = text[at + mark.len()..].chars().take_while(|c| (self.of)(*c)).count();
                !inside_word && length >= self.least
            })
        })
    }
}

const fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

const fn upper(c: char) -> bool {
    c.is_ascii_uppercase() || c.is_ascii_digit()
}

const fn hex(c: char) -> bool {
    c.is_ascii_hexdigit()
}

const fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// The pattern that scanners use for these keys also takes the characters between `\` and `_`.
const fn google(c: char) -> bool {
    word(c) || matches!(c, '\\' | ']' | '^')
}

const fn format(what: &'static str, begins: &'static [&'static str], least: usize, of: fn(char) -> bool) -> Format {
    Format {
        what,
        begins,
        least,
        of,
    }
}

const FORMATS: &[Format] = &[
    format(
        "an AWS access key",
        &["AKIA", "AGPA", "AIDA", "AROA", "AIPA", "ANPA", "ANVA", "ASIA"],
        16,
        upper,
    ),
    format("a GitHub token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], 36, plain),
    format("a GitHub token", &["github_pat_"], 40, word),
    format("a GitLab token", &["glpat-", "glptt-", "GR1348941"], 20, word),
    format("a Google API key", &["AIza"], 35, google),
    format(
        "a Slack token",
        &["xoxb-", "xoxa-", "xoxp-", "xoxr-", "xoxs-", "xapp-"],
        10,
        word,
    ),
    format("a Slack address", &["hooks.slack.com/services/"], 20, |c| {
        word(c) || c == '/'
    }),
    format(
        "a Stripe key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"],
        10,
        plain,
    ),
    format("an npm token", &["npm_"], 36, plain),
    format("a PyPI token", &["pypi-AgEIcHlwaS5vcmc"], 50, word),
    format("a Twilio key", &["SK"], 32, hex),
    format("a Vault token", &["hvs.", "hvb.", "hvr."], 24, word),
    format("a New Relic key", &["NRAK-", "NRJS-", "NRII-"], 19, word),
    format("a SendGrid key", &["SG."], 60, |c| word(c) || c == '.'),
    format("a DigitalOcean token", &["dop_v1_", "doo_v1_", "dor_v1_"], 64, hex),
    format("a Shopify token", &["shpat_", "shpca_", "shppa_", "shpss_"], 32, hex),
    format("an age key", &["AGE-SECRET-KEY-1"], 58, plain),
    format("a Docker Hub token", &["dckr_pat_"], 27, word),
    format("a Hugging Face token", &["hf_"], 34, plain),
];

/// `header.claims.signature`, the first two of which are JSON objects and so begin with `ey` in base64.
fn is_jwt(text: &str) -> bool {
    let part = |c: char| word(c) || c == '/';
    text.match_indices("ey").any(|(at, _)| {
        let mut parts = text[at..].splitn(3, '.');
        let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        header.len() >= 17
            && header.chars().all(part)
            && claims.len() >= 17
            && claims.starts_with("ey")
            && claims.chars().all(part)
            && signature.chars().take_while(|c| part(*c)).count() >= 10
    })
}

fn is_terraform(text: &str) -> bool {
    text.split_once(".atlasv1.").is_some_and(|(id, rest)| {
        id.chars().rev().take_while(|c| plain(*c)).count() >= 14
            && rest.chars().take_while(|c| word(*c) || *c == '=').count() >= 60
    })
}

/// `scheme://user:password@host`.
fn has_login(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let authority: &str = text[at + 3..]
            .split(['/', ' ', '\n', '"', '\'', '?'])
            .next()
            .unwrap_or_default();
        let Some((login, host)) = authority.rsplit_once('@') else {
            return false;
        };
        login
            .split_once(':')
            .is_some_and(|(user, password)| !user.is_empty() && !host.is_empty() && could_be_secret(password))
    })
}

/// Issuers whose keys have no mark of their own: the name stands before the key.
const ISSUERS: [&str; 9] = [
    "bitbucket",
    "datadog",
    "heroku",
    "launchdarkly",
    "new-relic",
    "newrelic",
    "okta",
    "sumo",
    "mailgun",
];

fn named_key(text: &str) -> Option<&'static str> {
    // Comparing without case allocates; most texts hold none of the operators.
    if !text.contains(['=', '>', ':']) {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    let found = ISSUERS.iter().any(|issuer| {
        lower.match_indices(issuer).any(|(at, _)| {
            let rest = &lower[at + issuer.len()..];
            let gap = rest
                .chars()
                .take_while(|c| word(*c) || matches!(c, ' ' | '\t' | '.' | '\'' | '"'))
                .count();
            let operator: &str = rest.get(gap..).unwrap_or_default();
            let key = operator.trim_start_matches(['=', '>', ':', '|', '<']);
            let key_text = key.trim_start_matches(['\'', '"', ' ', '=', '`']);
            let token: &str = key_text
                .split(|c: char| !(word(c) || c == '='))
                .next()
                .unwrap_or_default();
            gap <= 24
                && key.len() < operator.len()
                && token.len() >= 14
                && token.contains(|c: char| c.is_ascii_digit())
                && token.contains(|c: char| c.is_ascii_alphabetic())
        })
    });
    found.then_some("a key of a service that it names")
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
    let words = words(name);
    if words.last().is_some_and(|last| ABOUT.contains(&last.as_str())) {
        return false;
    }
    words.iter().enumerate().any(|(at, word)| {
        NAMES.contains(&word.as_str())
            || (["key", "keys"].contains(&word.as_str()) && at > 0 && KEYS.contains(&words[at - 1].as_str()))
    })
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
    text.lines().find_map(|line| {
        let line = line.trim().trim_start_matches(['#', ';', '-']).trim_start();
        let at = line.find(['=', ':'])?;
        let (name, value) = line.split_at(at);
        let name = name.trim().trim_matches(['"', '\'']);
        let value = value[1..].trim().trim_matches(['"', '\'', ',']);
        let is_name = !name.is_empty() && name.len() <= 64 && name.chars().all(|c| word(c) || c == '.');
        let is_value = !value.is_empty() && !value.contains([' ', '(']) && could_be_secret(value);
        (is_name && is_value && is_sensitive_name(name)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests;
