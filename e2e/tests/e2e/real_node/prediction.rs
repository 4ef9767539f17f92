//! What a plan says beforehand of a repair on the real node, set against what happened: over all cells of the matrix that have run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase, RemediationStatus, Risk};
use kube::Api;
use kube::api::ListParams;

use ironside_e2e::Scenario;

/// Controls whose repair is of low risk only where something was seen that says so. Others are low because hardly anything needs what they take away: that
/// is experience, and no evidence.
const REST_ON_EVIDENCE: [&str; 3] = ["POD-007", "POD-011", "POD-012"];

/// What a plan says will become of its repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Prediction {
    /// Evidence says that nothing breaks.
    Succeeds,
    /// Nothing was seen that tells.
    CannotTell,
    /// What would break was seen, but not where it happens: a human's to weigh.
    Doubtful,
    /// Evidence says that it breaks.
    Fails,
}

impl Prediction {
    pub(super) const ALL: [Self; 4] = [Self::Succeeds, Self::CannotTell, Self::Doubtful, Self::Fails];

    /// What a remediation of `control` that was not started yet says; the hash to approve, where there is something to approve.
    pub(super) fn of(control: &str, status: &RemediationStatus) -> Result<(Self, Option<String>)> {
        if status.phase == Some(Phase::Held) && status.reason == "WouldBreak" {
            return Ok((Self::Fails, None));
        }
        let stands = (status.phase, status.reason.as_str());
        ensure!(
            stands == (Some(Phase::Pending), "AwaitingApproval"),
            "{stands:?}: {}",
            status.message
        );
        let plan = status.plan.as_ref().context("a plan")?;
        let reasons = plan.risk_reasons.join("; ");
        for early in ["not been asked yet", "measured yet", "one start only"] {
            ensure!(!reasons.contains(early), "{reasons}");
        }
        let prediction = match plan.risk {
            Risk::Low if REST_ON_EVIDENCE.contains(&control) => Self::Succeeds,
            Risk::Low | Risk::Medium => Self::CannotTell,
            Risk::High => Self::Doubtful,
        };
        Ok((prediction, Some(plan.hash[..12].to_owned())))
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Succeeds => "succeeds, by evidence",
            Self::CannotTell => "cannot tell",
            Self::Doubtful => "doubtful, by evidence",
            Self::Fails => "fails, by evidence",
        })
    }
}

/// The status of a remediation by the name of its target.
pub(super) async fn statuses(test: &Scenario<'_>) -> Result<BTreeMap<String, RemediationStatus>> {
    let api: Api<HardeningRemediation> = Api::namespaced(test.client.clone(), &test.namespace);
    let all = api.list(&ListParams::default()).await?.items;
    Ok(all
        .into_iter()
        .filter_map(|it| Some((it.spec.target.name, it.status?)))
        .collect())
}

/// Cells that have run: what was said of them, whether the repair was survived, and their name.
type Cells = BTreeSet<(Prediction, bool, String)>;

static CELLS: Mutex<Cells> = Mutex::new(BTreeSet::new());

/// Notes how a cell ended.
pub(super) fn note(cell: &str, prediction: Prediction, survived: bool) {
    let mut cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
    cells.insert((prediction, survived, cell.to_owned()));
}

/// The confusion matrix of all cells that have run so far, and an error if evidence was wrong.
pub(super) fn confusion() -> (String, Result<()>) {
    confusion_of(&CELLS.lock().unwrap_or_else(PoisonError::into_inner))
}

fn confusion_of(cells: &Cells) -> (String, Result<()>) {
    let names = |prediction: Prediction, survived: bool| -> Vec<&str> {
        let of = cells
            .iter()
            .filter(|(of, did, _)| *of == prediction && *did == survived);
        of.map(|(_, _, name)| name.as_str()).collect()
    };
    let mut table = format!("{:<24}{:>9}{:>7}\n", "prediction", "survives", "breaks");
    for prediction in Prediction::ALL {
        let (survived, broke) = (names(prediction, true), names(prediction, false));
        let _ = writeln!(table, "{prediction:<24}{:>9}{:>7}", survived.len(), broke.len());
        for (what, names) in [("survives", survived), ("breaks", broke)] {
            if !names.is_empty() {
                let _ = writeln!(table, "    {what}: {}", names.join(", "));
            }
        }
    }
    let wrong: Vec<&str> = [names(Prediction::Succeeds, false), names(Prediction::Fails, true)].concat();
    let right = if wrong.is_empty() {
        Ok(())
    } else {
        Err(anyhow::anyhow!("evidence said otherwise: {wrong:?}\n{table}"))
    };
    (table, right)
}

#[test]
fn evidence_that_was_wrong_is_an_error_that_names_the_cell() {
    let cell = |prediction, survived| (prediction, survived, format!("{prediction:?} {survived}"));
    let honest = [
        cell(Prediction::Succeeds, true),
        cell(Prediction::Fails, false),
        cell(Prediction::CannotTell, false),
        cell(Prediction::Doubtful, true),
    ];
    let (table, right) = confusion_of(&honest.clone().into());
    assert!(right.is_ok() && table.contains("CannotTell false"), "{table}");
    for wrong in [cell(Prediction::Succeeds, false), cell(Prediction::Fails, true)] {
        let name = wrong.2.clone();
        let (_, right) = confusion_of(&honest.iter().cloned().chain([wrong]).collect());
        assert!(right.is_err_and(|error| error.to_string().contains(&name)), "{name}");
    }
}
