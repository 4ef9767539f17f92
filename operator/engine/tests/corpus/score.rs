//! Counts agreement and prints it.

use std::collections::{BTreeMap, BTreeSet};

use super::cases::Case;

/// Cases that say nothing about an object as it stands: written for one site, let through by a setting or an exemption, admitted as an update of something that
/// is there, placed in a field that Kubernetes drops, or of a kind that it does not have.
const NOT_COMPARED: &[&str] = &[
    "site-policy",
    "override",
    "exemption",
    "admission-update",
    "admission-delete",
    "unknown-field",
    "psp",
    "other-kind",
    "host-scan-input",
    "not-a-manifest",
];

/// Agreement of one topic or one source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pub(crate) fail: u32,
    pub(crate) agreed_fail: u32,
    pub(crate) pass: u32,
    pub(crate) agreed_pass: u32,
}

impl Score {
    fn add(&mut self, fails: bool, right: bool) {
        let (labels, agreed) = if fails {
            (&mut self.fail, &mut self.agreed_fail)
        } else {
            (&mut self.pass, &mut self.agreed_pass)
        };
        *labels += 1;
        *agreed += u32::from(right);
    }

    /// The mean of the share of failing cases that are found and that of passing ones that are left alone; of one of them where there are no others.
    pub(crate) fn balanced(self) -> f64 {
        let share = |part: u32, whole: u32| (whole > 0).then(|| f64::from(part) / f64::from(whole));
        match (share(self.agreed_fail, self.fail), share(self.agreed_pass, self.pass)) {
            (Some(found), Some(kept)) => f64::midpoint(found, kept),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => 1.0,
        }
    }
}

/// Agreement over a set of cases.
#[derive(Default)]
pub(crate) struct Scores {
    pub(crate) by_topic: BTreeMap<String, Score>,
    pub(crate) by_source: BTreeMap<String, Score>,
}

impl Scores {
    fn add(&mut self, case: &Case, agrees: bool) {
        let fails = case.expect == "fail";
        self.by_topic.entry(case.topic.clone()).or_default().add(fails, agrees);
        self.by_source
            .entry(case.source.clone())
            .or_default()
            .add(fails, agrees);
    }

    /// The mean over all topics.
    pub(crate) fn balanced(&self) -> f64 {
        let count = u32::try_from(self.by_topic.len()).unwrap_or(u32::MAX);
        self.by_topic.values().map(|score| score.balanced()).sum::<f64>() / f64::from(count.max(1))
    }

    /// The share of labels that are agreed with.
    pub(crate) fn of_labels(&self) -> f64 {
        let (agreed, all) = self.by_topic.values().fold((0, 0), |(agreed, all), score| {
            (
                agreed + score.agreed_fail + score.agreed_pass,
                all + score.fail + score.pass,
            )
        });
        f64::from(agreed) / f64::from(all.max(1))
    }

    fn print(&self, title: &str) {
        println!(
            "\n{title}\n{:<26} {:>10} {:>10} {:>9}",
            "", "fail found", "pass kept", "balanced"
        );
        for (kind, scores) in [("topic", &self.by_topic), ("source", &self.by_source)] {
            println!("{kind}");
            for (name, score) in scores {
                let found = format!("{}/{}", score.agreed_fail, score.fail);
                let kept = format!("{}/{}", score.agreed_pass, score.pass);
                println!("  {name:<24} {found:>10} {kept:>10} {:>9.3}", score.balanced());
            }
        }
        println!(
            "{} topics, balanced over topics {:.3}, over labels {:.3}",
            self.by_topic.len(),
            self.balanced(),
            self.of_labels()
        );
    }
}

/// Agreement over the cases without qualifier, and over all that can be compared.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) plain: Scores,
    pub(crate) everything: Scores,
    left_out: BTreeMap<&'static str, BTreeMap<String, u32>>,
    disagreements: Vec<String>,
}

impl Tally {
    pub(crate) fn leave_out(&mut self, case: &Case, why: &'static str) {
        *self
            .left_out
            .entry(why)
            .or_default()
            .entry(case.topic.clone())
            .or_default() += 1;
    }

    /// Counts a case. What was found: places that fail.
    pub(crate) fn count(&mut self, case: &Case, found: &BTreeSet<String>) {
        if case
            .qualifiers
            .iter()
            .any(|qualifier| NOT_COMPARED.contains(&qualifier.as_str()))
        {
            return self.leave_out(case, "qualified");
        }
        let agrees = found.is_empty() == (case.expect == "pass");
        if !agrees {
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            self.disagreements.push(format!(
                "{} | {}{} | {} | expects {} of {} | found {}",
                case.topic,
                if case.qualifiers.is_empty() { "" } else { "(qualified) " },
                case.source,
                case.check,
                case.expect,
                case.path,
                found.join("; ")
            ));
        }
        if case.qualifiers.is_empty() {
            self.plain.add(case, agrees);
        }
        self.everything.add(case, agrees);
    }

    pub(crate) fn print(&self) {
        let mut disagreements = self.disagreements.clone();
        disagreements.sort();
        for line in &disagreements {
            println!("{line}");
        }
        println!("\nnot compared:");
        for (why, topics) in &self.left_out {
            println!("  {why}: {topics:?}");
        }
        self.everything.print("all cases that can be compared");
        self.plain.print("cases without qualifier");
    }
}
