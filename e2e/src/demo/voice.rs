//! How the demo speaks: chapters, lines with the time, and colour only on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::Instant;

/// Writes to standard output.
pub(super) struct Voice {
    began: Instant,
    colour: bool,
}

// Every way of speaking is a method, whether it paints or not.
#[allow(clippy::unused_self)]
impl Voice {
    pub(super) fn new(began: Instant) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { began, colour }
    }

    /// A new part of the story.
    pub(super) fn chapter(&self, title: &str) {
        Self::line(&format!("\n{}", self.paint("1", &format!("== {title}"))));
    }

    /// Something to know.
    pub(super) fn say(&self, text: &str) {
        Self::line(&format!("   {text}"));
    }

    /// Something that happened just now.
    pub(super) fn event(&self, mark: Mark, text: &str) {
        let (colour, sign) = match mark {
            Mark::Good => ("32", "+"),
            Mark::Bad => ("31", "!"),
            Mark::Waiting => ("33", "."),
        };
        let time = format!("{:>5.1} s", self.began.elapsed().as_secs_f64());
        Self::line(&format!(
            "{} {} {text}",
            self.paint("2", &time),
            self.paint(colour, sign)
        ));
    }

    /// Text as it came from a program, indented.
    pub(super) fn quote(&self, text: &str) {
        for line in text.lines() {
            Self::line(&format!("     {line}"));
        }
    }

    /// Something a person should look at.
    pub(super) fn warn(&self, text: &str) {
        Self::line(&format!("   {}", self.paint("33", text)));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(text: &str) {
        // Nobody to tell is no reason to fail.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
}

/// How an event is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Good,
    Bad,
    Waiting,
}
