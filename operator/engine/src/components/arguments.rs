//! The arguments of a component's process.
//!
//! Flags are read as pflag and Go's `flag` do: one dash or two, `--name=value` or `--name value`, underscores for dashes, a flag without a value is true. etcd
//! also reads `ETCD_…` variables, which its flags outweigh.

use std::borrow::Cow;

use super::Flags;
use super::program::{self, Word};
use crate::controls::{Component, Gap, Judgement, Responsibility};
use crate::model::{Container, Workload};

/// One flag as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag<'a> {
    /// Name without dashes in front, with dashes for underscores.
    pub name: Cow<'a, str>,
    /// Value; `true` for a flag that has none.
    pub value: Cow<'a, str>,
    /// Where it stands, a dotted path below the container.
    pub path: String,
    /// As it is written.
    pub written: String,
}

/// The arguments of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments<'a> {
    /// What runs.
    pub component: Component,
    /// JSON pointer of what shows them: the container below its pod template.
    pub pointer: String,
    /// Name of the container, if one shows them.
    pub container: Option<&'a str>,
    /// Flags in order, variables first.
    flags: Vec<Flag<'a>>,
    /// The list that a further flag would be added to.
    list: &'static str,
    /// The container, if one shows them.
    pub runs_in: Option<&'a Container>,
    /// The workload of that container.
    pub workload: Option<&'a Workload>,
    /// Whether every flag is among them, with its default if nobody gave it: then none of them shows that somebody wanted it so.
    pub in_effect: bool,
}

impl<'a> Arguments<'a> {
    /// The arguments of a container that runs a component.
    pub(super) fn of(container: &'a Container, pointer: String) -> Option<Self> {
        let (component, words) = program::of(container)?;
        let list = words.last().map_or_else(
            || {
                if container.command.is_empty() {
                    "args"
                } else {
                    "command"
                }
            },
            |word| word.list,
        );
        let mut flags: Vec<Flag<'a>> = match component {
            Component::Etcd => variables(container).collect(),
            _ => Vec::new(),
        };
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let next = words.next_if(|next| !next.text.starts_with('-') && !word.text.contains('='));
            flags.extend(flag(&word, next.as_ref()));
        }
        Some(Self {
            component,
            pointer,
            container: Some(&container.name),
            flags,
            list,
            runs_in: Some(container),
            workload: None,
            in_effect: false,
        })
    }

    /// The same, of a container of this workload.
    pub(super) fn of_workload(self, workload: &'a Workload) -> Self {
        Self {
            workload: Some(workload),
            ..self
        }
    }

    /// What a running process says of itself.
    pub(super) fn running(component: Component, flags: &'a Flags) -> Self {
        let flags = flags.iter().map(|(name, value)| Flag {
            name: Cow::Borrowed(name),
            value: Cow::Borrowed(value),
            path: name.to_owned(),
            written: format!("--{name}={value}"),
        });
        Self {
            component,
            pointer: "/flagz".to_owned(),
            container: None,
            flags: flags.collect(),
            list: "",
            runs_in: None,
            workload: None,
            in_effect: true,
        }
    }

    /// Every flag that is given, the last time that it is.
    pub fn in_force(&self) -> impl Iterator<Item = &Flag<'a>> {
        let last = |flag: &&Flag<'a>| self.last(&flag.name).is_some_and(|last| std::ptr::eq(last, *flag));
        self.flags.iter().filter(last)
    }

    /// The value of a flag with those of a list put together.
    pub fn whole(&self, name: &str) -> String {
        let all: Vec<&str> = self.given(name).map(|flag| &*flag.value).collect();
        all.join(",")
    }

    /// Every time that a flag is given.
    pub fn given<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Flag<'a>> {
        self.flags.iter().filter(move |flag| flag.name == name)
    }

    /// The last time that a flag is given, which counts.
    fn last(&self, name: &str) -> Option<&Flag<'a>> {
        self.flags.iter().rev().find(|flag| flag.name == name)
    }

    /// The value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.last(name).map(|flag| &*flag.value)
    }

    /// The items of a flag that is a list. One that is given several times is put together.
    pub fn items<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let of_flag = |flag: &'s Flag<'a>| flag.value.split(',').map(str::trim).filter(|item| !item.is_empty());
        self.given(name).flat_map(of_flag)
    }

    /// What a feature gate is set to.
    pub fn gate(&self, name: &str) -> Option<bool> {
        let gates = self.items("feature-gates").filter_map(|gate| gate.split_once('='));
        let (_, value) = gates.filter(|(gate, _)| gate.trim() == name).last()?;
        boolean(value.trim())
    }

    /// The flag that names a file with further settings, if it is given: what is no flag may stand in there.
    pub fn settings_file(&self) -> Option<&'static str> {
        let flag = match self.component {
            Component::Etcd => "config-file",
            Component::Kubelet | Component::KubeProxy => "config",
            _ => return None,
        };
        self.value(flag).map(|_| flag)
    }
}

/// Asks one process about its flags and writes the answers into a judgement that has entered its container.
pub struct Asking<'a, 'j> {
    process: &'a Arguments<'a>,
    judgement: &'j mut Judgement,
}

impl<'a, 'j> Asking<'a, 'j> {
    /// Asks `process`.
    pub fn new(process: &'a Arguments<'a>, judgement: &'j mut Judgement) -> Self {
        Self { process, judgement }
    }

    /// The process that is asked.
    pub const fn process(&self) -> &'a Arguments<'a> {
        self.process
    }

    /// Passes where `good`, else fails at the flag. Where the flag is not given and the process reads a file, it is Unknown. `expected` begins with the flag.
    pub fn expect(&mut self, flag: &str, good: bool, expected: &str) {
        match self.process.last(flag) {
            _ if good => self.judgement.pass(),
            Some(given) => {
                let observed = Some(given.written.as_str().into());
                self.judgement.fail(&given.path, observed, expected);
            }
            None => match self.process.settings_file() {
                Some(file) => self.unseen(flag, file),
                None => self.judgement.fail(self.process.list, None, expected),
            },
        }
    }

    /// A switch that must have a value. `default` is what the component takes where the flag is not given.
    pub fn switch(&mut self, flag: &str, wanted: bool, default: bool) {
        let is = match self.process.value(flag) {
            Some(value) => boolean(value),
            // What a file does not set has the default, so a good default is no proof either.
            None if self.process.settings_file().is_some() => None,
            None => Some(default),
        };
        self.expect(flag, is == Some(wanted), &format!("--{flag}={wanted}"));
    }

    /// A flag that must be given a value.
    pub fn is_given(&mut self, flag: &str, example: &str) {
        let good = self.process.value(flag).is_some_and(|value| !value.is_empty());
        self.expect(flag, good, &format!("--{flag}={example}"));
    }

    /// A flag that must not be given.
    pub fn is_absent(&mut self, flag: &str, instead: &str) {
        let good = self.process.value(flag).is_none_or(str::is_empty);
        self.expect(flag, good, &format!("--{flag} left out; {instead}"));
    }

    /// There is no flag for it, so the file decides.
    pub fn no_flag(&mut self, what: &str) {
        if let Some(file) = self.process.settings_file() {
            self.unseen(what, file);
        }
    }

    /// What it is compared with was not seen.
    pub fn no_other(&mut self, why: &str) {
        self.judgement.unknown(Gap {
            reason: "NotSeen",
            message: why.to_owned(),
            responsibility: Responsibility::SelfManaged,
        });
    }

    /// Something that it rests on cannot be looked at.
    pub fn cannot_tell(&mut self, gap: Gap) {
        self.judgement.unknown(gap);
    }

    /// What a flag says stands in a file that nobody here can read.
    pub fn unseen(&mut self, what: &str, file: &str) {
        self.judgement.unknown(Gap {
            reason: "ConfigurationFile",
            message: format!(
                "{what} may be set in the file that --{file}{} names, which is on the node; scan that file too",
                self.process
                    .container
                    .map_or_else(String::new, |container| format!(" of container {container}"))
            ),
            responsibility: Responsibility::SelfManaged,
        });
    }
}

/// What Go's `strconv.ParseBool` takes.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

fn flag<'a>(word: &Word<'a>, next: Option<&Word<'a>>) -> Option<Flag<'a>> {
    let text = word.text.as_ref();
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    if name.is_empty() {
        return None;
    }
    let (name, value) = match name.split_once('=') {
        Some((name, value)) => (name, Cow::Owned(unquoted(value).to_owned())),
        None => (name, next.map_or(Cow::Borrowed("true"), |next| next.text.clone())),
    };
    let written = match next {
        Some(next) => format!("{text} {}", next.text),
        None => text.to_owned(),
    };
    Some(Flag {
        name: Cow::Owned(name.trim().replace('_', "-")),
        value,
        path: format!("{}.{}", word.list, word.index),
        written,
    })
}

/// Quotes inside an argument are part of it, but nobody means them.
fn unquoted(value: &str) -> &str {
    let value = value.trim();
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(value)
}

/// The settings of etcd that stand in variables.
fn variables(container: &Container) -> impl Iterator<Item = Flag<'_>> {
    container.env.iter().enumerate().filter_map(|(index, variable)| {
        let value = variable.setting.as_deref()?;
        let name = variable.name.strip_prefix("ETCD_")?;
        Some(Flag {
            name: Cow::Owned(name.to_ascii_lowercase().replace('_', "-")),
            value: Cow::Borrowed(value),
            path: format!("env.{index}.value"),
            written: format!("{}={value}", variable.name),
        })
    })
}
