//! Which component a container runs.

use std::borrow::Cow;

use crate::controls::Component;
use crate::model::Container;
use crate::model::image::Image;

/// Programs that only start another one.
const WRAPPERS: [&str; 7] = ["exec", "env", "tini", "dumb-init", "catatonit", "go-runner", "nice"];

const SHELLS: [&str; 6] = ["sh", "bash", "ash", "dash", "ksh", "busybox"];

/// Architectures that stand at the end of image names.
const ARCHITECTURES: [&str; 5] = ["-amd64", "-arm64", "-arm", "-ppc64le", "-s390x"];

/// The component that a program is, by the name of its file.
pub fn program(name: &str) -> Option<Component> {
    Some(match name {
        "kube-apiserver" => Component::KubeApiserver,
        "etcd" => Component::Etcd,
        "kube-scheduler" => Component::KubeScheduler,
        "kube-controller-manager" => Component::KubeControllerManager,
        "kubelet" => Component::Kubelet,
        "kube-proxy" => Component::KubeProxy,
        "coredns" => Component::ClusterDns,
        // Each cloud puts its own name before it.
        _ if name.ends_with("cloud-controller-manager") => Component::CloudControllerManager,
        _ => return None,
    })
}

/// What `hyperkube` becomes, by its first argument.
fn part_of_hyperkube(name: &str) -> Option<Component> {
    match name {
        "apiserver" => Some(Component::KubeApiserver),
        "scheduler" => Some(Component::KubeScheduler),
        "controller-manager" => Some(Component::KubeControllerManager),
        "proxy" => Some(Component::KubeProxy),
        _ => program(name),
    }
}

/// A word of a command line, and which item of which list of the container it stands in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) list: &'static str,
    pub(super) index: usize,
}

/// The component that a container runs, and the words after the name of its program.
pub(super) fn of(container: &Container) -> Option<(Component, Vec<Word<'_>>)> {
    let words = words(container);
    let Some(first) = words.first() else {
        return Some((of_image(&container.image)?, words));
    };
    if container.command.is_empty() && first.text.starts_with('-') {
        return Some((of_image(&container.image)?, words));
    }
    if SHELLS.contains(&file_name(&first.text)) {
        return in_script(&words);
    }
    let mut rest = words.iter().enumerate().skip_while(|(at, word)| {
        let is_option = *at > 0 && word.text.starts_with('-');
        is_option || WRAPPERS.contains(&file_name(&word.text))
    });
    let (at, started) = rest.next()?;
    let after = |skip: usize| words.get(at + skip..).unwrap_or_default().to_vec();
    if file_name(&started.text) == "hyperkube" {
        let (_, part) = rest.next()?;
        return Some((part_of_hyperkube(&part.text)?, after(2)));
    }
    Some((program(file_name(&started.text))?, after(1)))
}

/// Every word of the command and the arguments.
fn words(container: &Container) -> Vec<Word<'_>> {
    let lists = [("command", &container.command), ("args", &container.args)];
    lists
        .into_iter()
        .flat_map(|(list, words)| {
            words.iter().enumerate().map(move |(index, text)| Word {
                text: Cow::Borrowed(text.as_str()),
                list,
                index,
            })
        })
        .collect()
}

/// A shell starts the program somewhere in its script.
fn in_script<'a>(words: &[Word<'a>]) -> Option<(Component, Vec<Word<'a>>)> {
    let script: Vec<Word<'a>> = words.iter().skip(1).flat_map(split).collect();
    let (at, component) = script.iter().enumerate().find_map(|(at, word)| {
        let name = file_name(&word.text);
        if name == "hyperkube" {
            return Some((at + 1, part_of_hyperkube(&script.get(at + 1)?.text)?));
        }
        Some((at, program(name)?))
    })?;
    let ends = |word: &&Word<'_>| ["|", ";", "&", "&&", "||"].contains(&&*word.text);
    let after = script.get(at + 1..).unwrap_or_default();
    Some((
        component,
        after.iter().take_while(|word| !ends(word)).cloned().collect(),
    ))
}

/// The words of a line as a shell reads them, as far as arguments need it: quotes, and a backslash at the end of a line.
fn split<'a>(line: &Word<'a>) -> Vec<Word<'a>> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => match letters.next() {
                Some('\n') | None => {}
                Some(escaped) => word.get_or_insert_default().push(escaped),
            },
            (None, ';' | '\n') => {
                found.extend(word.take());
                found.push(";".to_owned());
            }
            (None, letter) if letter.is_whitespace() => found.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    found.extend(word);
    found
        .into_iter()
        .map(|text| Word {
            text: Cow::Owned(text),
            list: line.list,
            index: line.index,
        })
        .collect()
}

/// The component whose image this is: `registry.k8s.io/etcd:3.6`, `rancher/hardened-etcd`, `kube-proxy-amd64`.
fn of_image(reference: &str) -> Option<Component> {
    let name = file_name(Image::parse(reference).repository);
    let name = ARCHITECTURES
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name);
    let name = name.trim_start_matches("mirrored-").trim_start_matches("hardened-");
    program(name).or_else(|| name.ends_with("-coredns").then_some(Component::ClusterDns))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
