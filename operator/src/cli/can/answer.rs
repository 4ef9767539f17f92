//! The answer, with the chain of bindings and rules that it stands on.

use std::collections::BTreeSet;
use std::io::Write;

use ironside_engine::model::rbac::PolicyRule;
use ironside_engine::rbac::{Asked, Grant, Graph, Step, way_to_admin};
use serde::Serialize;

use super::question::Question;
use crate::cli::style::Style;

/// Yes or no, and why.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    question: &'a Question,
    /// Bindings, roles and rules that allow it.
    because: Vec<Because>,
    /// The only namespaces where it is allowed, where that was asked of all.
    only_in: BTreeSet<String>,
    /// Bindings to it whose role was not seen.
    unseen: Vec<Because>,
    way: Option<Vec<Step>>,
}

#[derive(Debug, Serialize)]
struct Because {
    binding: String,
    role: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule: String,
}

impl Because {
    fn of(grant: &Grant, rule: Option<&PolicyRule>) -> Self {
        Self {
            binding: grant.binding.to_string(),
            role: grant.role.to_string(),
            rule: rule.map(words).unwrap_or_default(),
        }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn of(graph: &Graph, question: &'a Question) -> Self {
        let (who, asked) = (&question.who, question.asked());
        let because: Vec<Because> = if who.is_master() {
            vec![Because {
                binding: "the API server itself".to_owned(),
                role: "group system:masters".to_owned(),
                rule: "everything, whatever the roles say".to_owned(),
            }]
        } else {
            let granting = graph.granting(who, &asked, question.namespace.as_deref());
            granting.map(|(grant, rule)| Because::of(grant, Some(rule))).collect()
        };
        let places = || graph.to(who).filter_map(|grant| grant.namespace.as_deref());
        let is_everywhere = question.namespace.is_none() && matches!(asked, Asked::Resource(_));
        let only_in = places().filter(|_| because.is_empty() && is_everywhere);
        let unseen = graph.to(who).filter(|grant| grant.rules().next().is_none());
        Self {
            only_in: only_in
                .filter(|place| graph.granting(who, &asked, Some(place)).next().is_some())
                .map(str::to_owned)
                .collect(),
            unseen: unseen.map(|grant| Because::of(grant, None)).collect(),
            way: way_to_admin(graph, who),
            because,
            question,
        }
    }

    pub(super) fn is_yes(&self) -> bool {
        !self.because.is_empty()
    }
}

/// `get, list on pods, pods/log; only web`, `get on /metrics`.
fn words(rule: &PolicyRule) -> String {
    let groups: Vec<&str> = rule
        .api_groups
        .iter()
        .map(|group| if group.is_empty() { "core" } else { group })
        .collect();
    let of_groups = if groups.iter().all(|group| *group == "core") {
        String::new()
    } else {
        format!(" of {}", groups.join(", "))
    };
    let only = if rule.resource_names.is_empty() {
        String::new()
    } else {
        format!("; only {}", rule.resource_names.join(", "))
    };
    let on: Vec<&str> = rule
        .resources
        .iter()
        .chain(&rule.non_resource_urls)
        .map(String::as_str)
        .collect();
    format!("{} on {}{of_groups}{only}", rule.verbs.join(", "), on.join(", "))
}

/// For one question: everything there is to say.
pub(super) fn write(answers: &[Answer<'_>], style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    for answer in answers {
        let Question { who, verb, .. } = answer.question;
        let (object, place) = (answer.question.object(), answer.question.place());
        if answer.is_yes() {
            writeln!(out, "{}: {who} can {verb} {object}{place}", style.bold("yes"))?;
        } else {
            writeln!(out, "{}: nothing lets {who} {verb} {object}{place}", style.bold("no"))?;
        }
        for Because { binding, role, rule } in &answer.because {
            writeln!(out, "  {binding} gives {role}: {rule}")?;
        }
        if !answer.only_in.is_empty() {
            let places: Vec<&str> = answer.only_in.iter().map(String::as_str).collect();
            writeln!(out, "  only in {}", places.join(", "))?;
        }
        for Because { binding, role, .. } in &answer.unseen {
            writeln!(out, "  {binding} gives {role}, which has no rules or was not given")?;
        }
        if let Some(way) = &answer.way {
            writeln!(out, "{who} can become cluster-admin:")?;
            for (number, step) in (1..).zip(way) {
                writeln!(out, "  {number}. {step}")?;
            }
        }
    }
    Ok(())
}

/// For many questions: a line each.
pub(super) fn write_list(answers: &[Answer<'_>], style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    for answer in answers {
        let Question { who, verb, .. } = answer.question;
        let (object, place) = (answer.question.object(), answer.question.place());
        let word = if answer.is_yes() { "yes" } else { "no " };
        let because = answer
            .because
            .first()
            .map(|because| style.faint(&format!("  {}", because.binding)));
        writeln!(
            out,
            "{}  {who}  {verb} {object}{place}{}",
            style.bold(word),
            because.unwrap_or_default()
        )?;
    }
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    api_version: &'static str,
    kind: &'static str,
    answers: Vec<Shown<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    user: &'a str,
    groups: &'a BTreeSet<String>,
    verb: &'a str,
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    allowed: bool,
    because: &'a [Because],
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    only_in: &'a BTreeSet<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles_not_seen: &'a [Because],
    can_become_cluster_admin: bool,
    way_to_cluster_admin: Vec<String>,
}

/// For programs; in the order of the questions.
pub(super) fn write_json(answers: &[Answer<'_>], out: &mut dyn Write) -> anyhow::Result<()> {
    let shown = answers.iter().map(|answer| Shown {
        user: &answer.question.who.user,
        groups: &answer.question.who.groups,
        verb: &answer.question.verb,
        object: answer.question.object(),
        namespace: answer.question.namespace.as_deref(),
        allowed: answer.is_yes(),
        because: &answer.because,
        only_in: &answer.only_in,
        roles_not_seen: &answer.unseen,
        can_become_cluster_admin: answer.way.is_some(),
        way_to_cluster_admin: answer.way.iter().flatten().map(ToString::to_string).collect(),
    });
    let document = Document {
        api_version: "ironside.dev/v1",
        kind: "AccessAnswers",
        answers: shown.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}
