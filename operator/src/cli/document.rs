//! One document of a manifest as a value: with limits that its own size sets, and complaints that say what to do.

use serde_json::Value;
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;

use crate::yaml::fast::{self, Tree};

/// Values that a document of any size may hold. What it holds beyond that it must hold by its own length: a value takes two bytes at least, so only aliases of
/// aliases expand to more.
const VALUES: usize = 250_000;

const EXPANDS: &str = "expands to far more than it is long: aliases of aliases are not followed";

/// Why a document cannot be read.
#[derive(Debug)]
pub(super) struct Complaint {
    /// Line and column within the document, from 1.
    pub(super) at: Option<(usize, usize)>,
    /// What is wrong.
    pub(super) message: String,
}

/// What a document says.
#[derive(Debug)]
pub(super) enum Content {
    /// Where it says what, in the text that was read.
    Tree(Tree),
    /// A copy of it.
    Value(Value),
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Content, Complaint> {
    if let Some(tree) = fast::read(text) {
        return Ok(Content::Tree(tree));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: VALUES + text.len() / 2,
            max_events: 4 * VALUES + text.len(),
        },
    };
    serde_saphyr::from_str_with_options(text, options)
        .map(Content::Value)
        .map_err(|error| {
            let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
            let at = error.location().map(|at| (whole(at.line()), whole(at.column())));
            let message = message(error.without_snippet());
            let message = if text.contains("{{") {
                format!("a template, not a manifest: render it first (helm template, kustomize build) ({message})")
            } else {
                message
            };
            Complaint { at, message }
        })
}

fn message(error: &Error) -> String {
    let text = error.to_string();
    match error {
        Error::Budget {
            breach: BudgetBreach::Depth { depth },
            ..
        } => format!("nested {depth} levels deep: no Kubernetes object is"),
        Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => EXPANDS.to_owned(),
        // What an alias brought in.
        Error::AliasError { .. } if text.starts_with("budget breached") => EXPANDS.to_owned(),
        Error::RecursiveReferencesRequireWeakTypes { .. } => "an alias within what it names: it has no end".to_owned(),
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("{key} is given twice: keep one"),
        _ => {
            // Where it stands is said once, and from the top of the file.
            let first_line = text.lines().next().unwrap_or(&text);
            let end = first_line.find(" at line ").unwrap_or(first_line.len());
            first_line[..end].to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_document_is_read_and_one_that_only_expands_is_not() {
        let long = format!("items: [{}]", "a,".repeat(600_000));
        let Ok(Content::Value(value)) = read(&format!("&a {long}")) else {
            panic!("it is read")
        };
        assert_eq!(value["items"].as_array().unwrap().len(), 600_000);
        let level = |level: usize| {
            let below = vec![format!("*a{}", level - 1); 10].join(",");
            format!("a{level}: &a{level} [{below}]\n")
        };
        let levels: Vec<String> = (1..10).map(level).collect();
        let bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned() + &levels.concat();
        let refused = read(&bomb).unwrap_err();
        assert!(refused.message.contains("aliases"), "{}", refused.message);
    }
}
