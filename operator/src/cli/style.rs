//! Colour and width of output for people: colour only on a terminal and without `NO_COLOR`.

use std::io::IsTerminal as _;

use ironside_engine::controls::{Risk, Severity, Verdict};

/// How to paint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    colour: bool,
}

impl Style {
    /// The style for standard output.
    pub(super) fn of_stdout() -> Self {
        Self {
            colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    #[cfg(test)]
    pub(super) const fn plain() -> Self {
        Self { colour: false }
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(super) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn added(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn removed(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(super) fn severity(self, severity: Severity) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
        };
        self.paint(code, &format!("{:<8}", severity.as_str()))
    }

    pub(super) fn risk(self, risk: Risk) -> String {
        let code = match risk {
            Risk::Low => "32",
            Risk::Medium => "33",
            Risk::High => "31",
        };
        self.paint(code, risk.as_str())
    }

    pub(super) fn verdict(self, verdict: Verdict) -> String {
        match verdict {
            Verdict::Pass => self.paint("32", "pass"),
            Verdict::Fail => self.paint("31", "FAIL"),
            Verdict::Unknown => self.paint("33", "unknown"),
            Verdict::NotApplicable => self.paint("2", "n/a"),
        }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
