//! The effects of one step, carried out in order by a task of its own. The record is swapped first; whoever loses the swap sends nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_crds::{HardeningRemediation, RemediationStatus};
use ironside_engine::model::{ObjectRef, Workload};
use ironside_engine::network::Step;
use ironside_engine::plan::Plan;
use ironside_engine::remediate::{Answer, Effect, Outcome, Sent};
use jiff::Timestamp;
use kube::Client;

use super::policies::{self, Left};
use super::send::Sender;
use super::store::{NotStored, Store};
use crate::cluster::Leadership;

/// Nothing is begun so shortly before our term may end.
const LEAST: Duration = Duration::from_millis(500);

/// Longest time for an answer.
const LONGEST: Duration = Duration::from_secs(10);

/// What is to be carried out, and with what.
pub(crate) struct Job {
    pub(crate) client: Client,
    pub(crate) leadership: Leadership,
    pub(crate) target: ObjectRef,
    pub(crate) namespace: String,
    pub(crate) stored: Option<Arc<HardeningRemediation>>,
    pub(crate) status: RemediationStatus,
    pub(crate) workload: Option<Arc<Workload>>,
    pub(crate) plan: Option<Plan>,
    pub(crate) effects: Vec<Effect>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) target: ObjectRef,
    /// The remediation as stored by us.
    pub(crate) stored: Option<Arc<HardeningRemediation>>,
    /// Why the record could not be stored.
    pub(crate) not_stored: Option<NotStored>,
    /// The answer about the target.
    pub(crate) outcome: Option<Outcome>,
    /// UID and generation of the target after our write.
    pub(crate) written: Option<(String, i64)>,
    /// What writes of policies left behind.
    pub(crate) left: Vec<(String, Left)>,
    /// Effects that were carried out, or are the caller's to carry out because everything before them went well.
    pub(crate) done: Vec<Effect>,
}

impl Report {
    fn about(target: ObjectRef) -> Self {
        Self {
            target,
            stored: None,
            not_stored: None,
            outcome: None,
            written: None,
            left: Vec::new(),
            done: Vec::new(),
        }
    }
}

/// Deletes a remediation that has had its time, if nobody wrote to it since.
pub(super) async fn forget(client: Client, target: ObjectRef, stored: Arc<HardeningRemediation>) -> Report {
    Store::new(
        client,
        stored.metadata.namespace.as_deref().unwrap_or_default(),
        LONGEST,
    )
    .delete(&stored)
    .await;
    Report::about(target)
}

impl Job {
    /// Carries everything out, up to the first thing that fails.
    pub(crate) async fn run(self) -> Report {
        let mut report = Report::about(self.target.clone());
        for effect in &self.effects {
            if !self.carry_out(effect, &mut report).await {
                break;
            }
            report.done.push(effect.clone());
        }
        report
    }

    async fn carry_out(&self, effect: &Effect, report: &mut Report) -> bool {
        match effect {
            Effect::Persist => self.persist(report).await,
            Effect::DryRun { plan, patch } => {
                let (Some(sender), Some(workload), Some(full)) = (self.sender(), &self.workload, &self.plan) else {
                    return false;
                };
                let answer = sender.dry_run(workload, full, patch).await;
                report.outcome = Some(self.outcome(Sent::DryRun(plan.clone()), answer));
                true
            }
            Effect::Patch { attempt, patch } => self.send(Sent::Patch(*attempt), patch, report).await,
            Effect::Undo { patch } => self.send(Sent::Undo, patch, report).await,
            Effect::TryPolicies { plan, steps } => {
                let Some(answer) = self.ask(steps).await else {
                    return false;
                };
                report.outcome = Some(self.outcome(Sent::DryRun(plan.clone()), answer));
                true
            }
            Effect::WritePolicies { steps } => {
                let Some(answer) = self.write(steps, &mut report.left).await else {
                    return false;
                };
                let done = answer == Answer::Done;
                report.outcome = Some(self.outcome(Sent::Policies, answer));
                done
            }
            Effect::DeletePods(pods) => {
                for pod in pods {
                    let Some(sender) = self.sender() else { return false };
                    sender.delete_pod(&self.target.namespace, pod).await;
                }
                true
            }
            Effect::Event(_) | Effect::Count(_) | Effect::Stop | Effect::WakeAt(_) => true,
        }
    }

    async fn persist(&self, report: &mut Report) -> bool {
        match self.try_persist(report).await {
            Ok(stored) => {
                report.stored = Some(Arc::new(stored));
                true
            }
            Err(why) => {
                tracing::debug!(target = %self.target, ?why, "the record was not stored");
                report.not_stored = Some(why);
                false
            }
        }
    }

    async fn try_persist(&self, report: &mut Report) -> Result<HardeningRemediation, NotStored> {
        let store = |left| Store::new(self.client.clone(), &self.namespace, left);
        let left = || self.left().ok_or(NotStored::Unknown);
        let stored = if let Some(stored) = &self.stored {
            Arc::clone(stored)
        } else {
            let created = Arc::new(store(left()?).create(&self.target).await?);
            report.stored = Some(Arc::clone(&created));
            created
        };
        store(left()?).swap(&stored, &self.status).await
    }

    async fn send(&self, sent: Sent, patch: &json_patch::Patch, report: &mut Report) -> bool {
        let Some(sender) = self.sender() else { return false };
        let (answer, generation) = sender.patch(&self.target, patch).await;
        let done = answer == Answer::Done;
        let uid = self.workload.as_ref().map(|workload| workload.meta.uid.clone());
        report.written = uid.zip(generation);
        report.outcome = Some(self.outcome(sent, answer));
        done
    }

    /// What the API server would store of all steps; the first answer that is not as it should be. `None`: our term is over.
    async fn ask(&self, steps: &[Step]) -> Option<Answer> {
        let sender = policies::Sender::new(self.client.clone(), &self.namespace);
        for step in steps {
            let answer = sender.ask(step, self.left()?.min(LONGEST)).await;
            if answer != Answer::Done {
                return Some(answer);
            }
        }
        Some(Answer::Done)
    }

    /// Takes the steps, up to the first that fails: the order is safe at every point.
    async fn write(&self, steps: &[Step], left: &mut Vec<(String, Left)>) -> Option<Answer> {
        let sender = policies::Sender::new(self.client.clone(), &self.namespace);
        for step in steps {
            let answer = sender.take(step, left, self.left()?.min(LONGEST)).await;
            if answer != Answer::Done {
                tracing::warn!(
                    namespace = self.namespace,
                    policy = step.name(),
                    ?answer,
                    "a network policy was not written"
                );
                return Some(answer);
            }
        }
        Some(Answer::Done)
    }

    fn outcome(&self, sent: Sent, answer: Answer) -> Outcome {
        Outcome {
            sent,
            generation: self.workload.as_ref().map_or(0, |workload| workload.meta.generation),
            at: Timestamp::now(),
            answer,
        }
    }

    fn sender(&self) -> Option<Sender> {
        Some(Sender::new(self.client.clone(), self.left()?))
    }

    /// What is left of our term; `None` if it is too little to begin anything.
    fn left(&self) -> Option<Duration> {
        let left = self.leadership.term()?.until.checked_duration_since(Instant::now())?;
        (left >= LEAST).then_some(left)
    }
}
