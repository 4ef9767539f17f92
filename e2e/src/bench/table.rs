//! The table that the bench prints.

use std::fmt;

use anyhow::Result;

use crate::progress::say;

/// One figure.
#[derive(Debug, Clone)]
pub(super) struct Row {
    what: String,
    figure: String,
    goal: String,
    beside: String,
}

impl Row {
    /// A figure with its unit, the goal for it, and the alternative measured in the same run (empty if there is none).
    pub(super) fn new(
        what: impl Into<String>,
        figure: impl Into<String>,
        goal: impl Into<String>,
        beside: impl Into<String>,
    ) -> Self {
        Self {
            what: what.into(),
            figure: figure.into(),
            goal: goal.into(),
            beside: beside.into(),
        }
    }
}

/// All figures, how they came about, and what could not be measured.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
    notes: Vec<&'static str>,
    missing: Vec<String>,
    load: String,
}

/// What one part of the bench gives.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) rows: Vec<Row>,
    /// How it was measured.
    pub(super) note: &'static str,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            load: load(),
            ..Self::default()
        }
    }

    /// Takes a part in, or notes that there is none and why.
    pub(super) fn part(&mut self, name: &str, part: Result<Part>) {
        match part {
            Ok(part) => {
                self.rows.extend(part.rows);
                self.notes.push(part.note);
            }
            Err(error) => {
                let missing = format!("{name}: {error:#}");
                say(&missing);
                self.missing.push(missing);
            }
        }
    }
}

impl Table {
    /// # Errors
    /// Something could not be measured.
    pub(super) fn complete(&self) -> Result<()> {
        anyhow::ensure!(self.missing.is_empty(), "not everything could be measured");
        Ok(())
    }
}

/// Rows that the bench of the engine printed.
pub(super) fn read(text: &str) -> Result<Part> {
    let rows = text.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [what, figure, goal, beside] = columns[..] else {
            anyhow::bail!("four columns, not: {line}");
        };
        Ok(Row::new(what, figure, goal, beside))
    });
    let rows: Vec<Row> = rows.collect::<Result<_>>()?;
    anyhow::ensure!(!rows.is_empty(), "the bench of the engine printed nothing");
    Ok(Part {
        rows,
        note: "The engine alone: in a process without a cluster, 10,000 pods of 230 Deployments in 20 namespaces, all controls of profile NsaCisa, one \
               thread. Instructions: callgrind, the difference of two runs, so that making the world is not in it.",
    })
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = Row::new("what", "measured", "goal", "beside it, in the same run");
        let all = || std::iter::once(&head).chain(&self.rows);
        let width = |column: fn(&Row) -> &str| all().map(|row| column(row).chars().count()).max().unwrap_or(0);
        let widths = [width(|r| &r.what), width(|r| &r.figure), width(|r| &r.goal)];
        for (number, row) in all().enumerate() {
            let [what, figure, goal] = widths;
            let line = format!(
                "{:<what$}  {:<figure$}  {:<goal$}  {}",
                row.what, row.figure, row.goal, row.beside
            );
            writeln!(f, "{}", line.trim_end())?;
            if number == 0 {
                writeln!(f, "{}", "-".repeat(widths.iter().sum::<usize>() + 32))?;
            }
        }
        writeln!(f, "\nHow it was measured")?;
        for note in &self.notes {
            writeln!(f, "- {note}")?;
        }
        writeln!(
            f,
            "- Machine: {} cores; load average when the bench began {}, now {}.",
            std::thread::available_parallelism().map_or(0, usize::from),
            self.load,
            load()
        )?;
        if !self.missing.is_empty() {
            writeln!(f, "\nNot measured")?;
        }
        for missing in &self.missing {
            writeln!(f, "- {missing}")?;
        }
        Ok(())
    }
}

/// The load average over one minute.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_others_are_read() {
        let part = read("a\t1 ms\t<= 2 ms\tb\n").unwrap();
        assert_eq!(part.rows.len(), 1);
        assert!(read("a\tb\n").is_err() && read("\n").is_err());
    }

    #[test]
    fn columns_are_aligned_and_failures_are_named() {
        let mut table = Table::new();
        table.part(
            "a",
            Ok(Part {
                rows: vec![
                    Row::new("a long name", "1 ms", "2 ms", "x"),
                    Row::new("b", "10 ms", "", "y"),
                ],
                note: "by hand",
            }),
        );
        table.part("network", Err(anyhow::anyhow!("not there")));
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2].find('x'), lines[3].find('y'), "{text}");
        assert!(
            text.contains("- by hand") && text.contains("- network: not there"),
            "{text}"
        );
    }
}
