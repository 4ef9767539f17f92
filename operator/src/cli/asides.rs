//! What is told of what was read, a line for each sort of it, that is no mistake by itself.

use std::io::Write;

/// What was left out of a scan, and why.
#[derive(Clone, Debug, Default)]
pub struct Asides {
    /// Definitions that a later one of the same object replaced, as a sentence's part: variants of an application in one folder.
    pub(super) replaced: Vec<String>,
    /// Places of documents in folders that are no objects of Kubernetes and do not say that they are: values of a chart, a kustomization, a dashboard.
    pub(super) strangers: Vec<String>,
}

impl Asides {
    /// Says so; each sort may be many.
    pub(super) fn tell(&self, err: &mut dyn Write) -> std::io::Result<()> {
        if let Some((first, more)) = first(&self.replaced, "are") {
            writeln!(
                err,
                "ironside: defined more than once, the later one is judged: {first}{more}"
            )?;
        }
        if let Some((first, more)) = first(&self.strangers, "documents say neither") {
            writeln!(
                err,
                "ironside: not looked at: {first} says neither apiVersion nor kind{more}"
            )?;
        }
        Ok(())
    }
}

fn first<'a>(all: &'a [String], are: &str) -> Option<(&'a str, String)> {
    let [first, more @ ..] = all else { return None };
    let more = match more.len() {
        0 => String::new(),
        number => format!("; {number} more {are}"),
    };
    Some((first, more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sort_is_one_line_that_names_the_first() {
        let mut asides = Asides::default();
        let told = |asides: &Asides| {
            let mut text = Vec::new();
            asides.tell(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        };
        assert_eq!(told(&asides), "");
        asides.strangers = vec!["values.yaml:1".to_owned()];
        assert_eq!(
            told(&asides),
            "ironside: not looked at: values.yaml:1 says neither apiVersion nor kind\n"
        );
        asides.strangers.push("board.json:1".to_owned());
        assert_eq!(
            told(&asides),
            "ironside: not looked at: values.yaml:1 says neither apiVersion nor kind; 1 more documents say neither\n"
        );
    }
}
