//! One file while it is edited.

use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use json_patch::Patch;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::cli::manifest::Source;
use crate::cli::style::Style;
use crate::yaml::{self, Refusal};

/// A file's text before and after, document by document.
#[derive(Debug)]
pub(super) struct Sheet {
    file: String,
    before: String,
    after: String,
}

impl Sheet {
    /// Reads the file, or takes what standard input said.
    pub(super) fn open(file: &str, stdin: Option<&str>) -> anyhow::Result<Self> {
        let text = match stdin {
            Some(stdin) if file == "-" => stdin.to_owned(),
            _ => std::fs::read_to_string(file).with_context(|| format!("read {file}"))?,
        };
        Ok(Self {
            file: file.to_owned(),
            after: text.clone(),
            before: text,
        })
    }

    pub(super) fn file(&self) -> &str {
        &self.file
    }

    pub(super) fn text(&self) -> &str {
        &self.after
    }

    pub(super) fn changed(&self) -> bool {
        self.before != self.after
    }

    /// Does a patch to the object that stands at `source`.
    ///
    /// # Errors
    /// It cannot be proven: the text is as it was.
    pub(super) fn apply(&mut self, source: &Source, patch: &Patch) -> Result<(), Refusal> {
        let mark = self.before.len() - self.before.trim_start_matches('\u{feff}').len();
        // Edits move lines but no document: which one it is stands in the text as it was read.
        let index = yaml::parts(&self.before[mark..])
            .iter()
            .rposition(|part| part.line <= source.line)
            .unwrap_or_default();
        let (offset, length, edited) = {
            let parts = yaml::parts(&self.after[mark..]);
            let part = parts.get(index).ok_or_else(|| Refusal::NoPlace {
                pointer: source.within.clone(),
            })?;
            let edited = yaml::apply(part.text, &below(&source.within, patch))?;
            (mark + part.offset, part.text.len(), edited)
        };
        self.after.replace_range(offset..offset + length, &edited);
        Ok(())
    }

    /// The change as a unified diff.
    pub(super) fn show(&self, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
        let diff = TextDiff::from_lines(&self.before, &self.after);
        writeln!(out, "{}", style.bold(&format!("--- {}\n+++ {}", self.file, self.file)))?;
        for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
            writeln!(out, "{}", style.faint(&hunk.header().to_string()))?;
            for change in hunk.iter_changes() {
                let line = change.to_string_lossy();
                let line = line.trim_end_matches(['\n', '\r']);
                match change.tag() {
                    ChangeTag::Insert => writeln!(out, "{}", style.added(&format!("+{line}")))?,
                    ChangeTag::Delete => writeln!(out, "{}", style.removed(&format!("-{line}")))?,
                    ChangeTag::Equal => writeln!(out, " {line}")?,
                }
            }
        }
        writeln!(out)
    }

    /// Writes the file: beside it first, so that a crash leaves the old or the new one, never half of one.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        let named = || format!("write {}", self.file);
        let path = std::fs::canonicalize(Path::new(&self.file)).with_context(named)?; // through a link, not over it
        let mut beside = path.clone().into_os_string();
        beside.push(format!(".ironside-{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            std::fs::write(&beside, &self.after)?;
            std::fs::set_permissions(&beside, std::fs::metadata(&path)?.permissions())?;
            std::fs::rename(&beside, &path)
        };
        write().with_context(named).inspect_err(|_| {
            let _ = std::fs::remove_file(&beside);
        })
    }
}

/// A patch of an object, as one of the document that the object is an item of.
fn below(within: &str, patch: &Patch) -> Patch {
    if within.is_empty() {
        return patch.clone();
    }
    let moved = serde_json::to_value(patch).and_then(|mut operations| {
        for operation in operations.as_array_mut().into_iter().flatten() {
            if let Some(Value::String(path)) = operation.get_mut("path") {
                path.insert_str(0, within);
            }
        }
        serde_json::from_value(operations)
    });
    moved.unwrap_or_else(|_| patch.clone())
}
