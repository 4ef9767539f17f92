//! What is to be judged and by what, and what comes of it.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use ironside_engine::controls::Verdict;
use ironside_engine::evaluate::{Evaluation, Evaluator, Finding, Score, Tally};
use ironside_engine::model::ObjectRef;
use ironside_engine::policy::{ExceptionSet, PolicySet};
use ironside_engine::world::Snapshot;

use super::asides::Asides;
use super::manifest::{Problem, Source};
use super::parallel::in_order;

/// About so many objects are judged in one go; those of one file stay together, so that it is looked into once.
const TOGETHER: usize = 64;

/// But no more than so many.
const MOST_TOGETHER: usize = 512;

/// Everything that is to be judged, and what by.
#[derive(Debug)]
pub(super) struct Case {
    /// When it is judged.
    pub(super) at: jiff::Timestamp,
    pub(super) world: Arc<Snapshot>,
    pub(super) policies: PolicySet,
    pub(super) exceptions: ExceptionSet,
    /// What was given, in order of its source.
    pub(super) targets: Vec<(Source, ObjectRef)>,
    pub(super) problems: Vec<Problem>,
    pub(super) asides: Asides,
    pub(super) skipped: usize,
    pub(super) stdin: Option<String>,
}

/// An object with where it comes from and what is known of it.
pub(super) type JudgedObject = (Source, Evaluation);

impl Case {
    /// Judges everything and keeps it.
    pub(super) fn judge(self) -> Judged {
        let mut evaluations = Vec::with_capacity(self.targets.len());
        let mut tally = Tally::new();
        self.each(
            || (),
            |(), judged| judged,
            |judged| {
                for (_, evaluation) in &judged {
                    count(&mut tally, evaluation);
                }
                evaluations.extend(judged);
            },
        );
        Judged {
            at: self.at,
            score: Score::of(&tally),
            known: 0,
            evaluations,
            problems: self.problems,
            asides: self.asides,
            skipped: self.skipped,
            stdin: self.stdin,
            world: self.world,
        }
    }

    /// Judges everything, some objects at a time on each core. What `work` makes of them is handed to `take` in order, and nothing else of them is kept.
    pub(super) fn each<S, T: Send>(
        &self,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, Vec<JudgedObject>) -> T + Sync,
        take: impl FnMut(T),
    ) {
        let judge = |(evaluator, state): &mut (Evaluator, S), range: &Range<usize>| {
            let some = &self.targets[range.clone()];
            let references = some.iter().map(|(_, target)| target);
            let judged = evaluator.evaluate_all(&self.world, &self.policies, &self.exceptions, references, self.at);
            let sources = some.iter().map(|(source, _)| source.clone());
            work(state, sources.zip(judged).collect())
        };
        in_order(
            &self.ranges(),
            // Few templates of a scan are equal: to remember them costs more than to judge them.
            || (Evaluator::remembering(0), state()),
            judge,
            take,
        );
    }

    /// The targets in pieces that end where a file does.
    fn ranges(&self) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut start = 0;
        for at in 1..=self.targets.len() {
            let ends = match self.targets.get(at) {
                Some((source, _)) => {
                    let number = at - start;
                    let ends_a_file = source.file != self.targets[at - 1].0.file;
                    number >= MOST_TOGETHER || (number >= TOGETHER && ends_a_file)
                }
                None => true,
            };
            if ends {
                ranges.push(start..at);
                start = at;
            }
        }
        ranges
    }

    /// Says what could not be read, a line each; whether there was any.
    pub(super) fn tell_problems(&self, err: &mut dyn Write) -> std::io::Result<bool> {
        tell(&self.problems, &self.asides, err)
    }
}

/// Counts the findings of an object in.
pub(super) fn count(tally: &mut Tally, evaluation: &Evaluation) {
    for finding in &evaluation.findings {
        tally
            .entry(finding.control.id)
            .or_default()
            .count(finding, finding.verdict);
    }
}

/// The result of a scan.
#[derive(Debug)]
pub struct Judged {
    /// When it was judged.
    pub at: jiff::Timestamp,
    /// Evaluations of the objects that were given, in order of their source.
    pub evaluations: Vec<(Source, Evaluation)>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// What was left out and is no mistake.
    pub asides: Asides,
    /// Objects of kinds that no control reads.
    pub skipped: usize,
    /// What standard input said.
    pub stdin: Option<String>,
    /// Score and coverage of everything that was judged.
    pub score: Score,
    /// Failures that a baseline took out.
    pub known: usize,
    /// What it was judged by.
    pub world: Arc<Snapshot>,
}

impl Judged {
    /// Every finding with its source.
    pub fn findings(&self) -> impl Iterator<Item = (&Source, &Finding)> {
        self.evaluations
            .iter()
            .flat_map(|(source, evaluation)| evaluation.findings.iter().map(move |f| (source, f)))
    }

    /// How many findings have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.findings()
            .filter(|(_, finding)| finding.verdict == verdict && finding.excepted.is_none())
            .count()
    }
}

/// Problems are told one by one; of what is no mistake one line says that there is some. Whether there were problems.
pub(super) fn tell(problems: &[Problem], asides: &Asides, err: &mut dyn Write) -> std::io::Result<bool> {
    for problem in problems {
        writeln!(err, "ironside: {problem}")?;
    }
    asides.tell(err)?;
    Ok(!problems.is_empty())
}
