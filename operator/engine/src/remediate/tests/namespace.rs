//! A namespace with its objects, an API server that stores what is written to it, and processes that isolate it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{
    Action, Answer, Decision, Effect, Health, Isolation, Observed, Outcome, Phase, Reason, Record, Sent, Shut, Target,
    network_memory, step, takes_away,
};
use crate::network::tests::{after, isolate, snapshot};
use crate::network::{NetworkPlan, Settings, plan_namespace};
use crate::policy::{AutoApprove, Limits, Mode};

/// What is stored: the objects, and the record with its version.
#[derive(Clone)]
pub(super) struct Server {
    pub objects: Vec<Value>,
    pub record: Record,
    version: u64,
    pub now: Timestamp,
    /// Pods of `web` lose their readiness as soon as the deny stands, and are ready without it.
    pub web_needs_more: bool,
    /// What the API server answers to a dry run.
    pub dry_run: Answer,
    /// Every write of a policy, in order.
    pub writes: Vec<String>,
}

/// One operator.
#[derive(Clone)]
pub(super) struct Process {
    pub leader: Option<i64>,
    record: Record,
    version: u64,
    outcome: Option<Outcome>,
    pub settings: Settings,
    pub limits: Limits,
    pub decision: Option<Decision>,
    pub shut: Option<Shut>,
    pub paused: bool,
    /// Whether something went wrong already.
    pub struck: bool,
}

/// What goes wrong at an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    CrashBefore,
    CrashAfter,
    /// It is done, and nobody hears of it.
    AnswerLost,
    /// It is not done.
    Busy,
}

fn pod(workload: &str, number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{workload}-{number}"), "namespace": "shop", "uid": format!("{workload}-{number}"),
            "labels": {"app": workload}, "creationTimestamp": "2026-03-01T00:00:00Z",
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{workload}-set"), "uid": format!("set of {workload}"),
                "controller": true,
            }],
        },
        "spec": {"nodeName": format!("node-{number}"), "containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T00:00:10Z"},
        ]},
    })
}

/// A Deployment of two ready pods and its ReplicaSet.
pub(super) fn workload(name: &str) -> Vec<Value> {
    let template = json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "app", "ports": [{"containerPort": 8080}]}]},
    });
    let created = "2026-03-01T00:00:00Z";
    let made = |kind: &str, name: &str, uid: &str, owner: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "uid": uid, "creationTimestamp": created, "ownerReferences": owner},
            "spec": {"replicas": 2, "selector": {"matchLabels": template["metadata"]["labels"]}, "template": template},
        })
    };
    let owner = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": format!("uid of {name}"), "controller": true}]);
    vec![
        made("Deployment", name, &format!("uid of {name}"), json!([])),
        made("ReplicaSet", &format!("{name}-set"), &format!("set of {name}"), owner),
        pod(name, 1),
        pod(name, 2),
    ]
}

/// Marks a pod as ready or not.
pub(super) fn set_ready(objects: &mut [Value], pod: &str, ready: bool, at: Timestamp) {
    let is_it = |object: &&mut Value| object["kind"] == "Pod" && object["metadata"]["name"] == pod;
    let condition = &mut objects.iter_mut().find(is_it).unwrap()["status"]["conditions"][0];
    let word = if ready { "True" } else { "False" };
    if condition["status"] != word {
        *condition = json!({"type": "Ready", "status": word, "lastTransitionTime": at.to_string()});
    }
}

impl Server {
    pub(super) fn new() -> Self {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "u"}});
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        });
        let mut objects = vec![namespace, service];
        objects.extend(workload("web"));
        objects.extend(workload("worker"));
        Self {
            objects,
            record: Record::default(),
            version: 0,
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            web_needs_more: false,
            dry_run: Answer::Done,
            writes: Vec::new(),
        }
    }

    /// Names of the policies that stand.
    pub(super) fn policies(&self) -> Vec<&str> {
        let policies = self.objects.iter().filter(|object| object["kind"] == "NetworkPolicy");
        policies
            .map(|object| object["metadata"]["name"].as_str().unwrap())
            .collect()
    }

    pub(super) fn stands(&self) -> (Phase, Reason) {
        (self.record.phase, self.record.reason)
    }

    pub(super) fn delete(&mut self, policy: &str) {
        self.objects
            .retain(|object| object["kind"] != "NetworkPolicy" || object["metadata"]["name"] != policy);
        self.workloads_react();
    }

    /// Readiness follows from what is let in.
    fn workloads_react(&mut self) {
        let closed = self.policies().contains(&"ironside-default-deny-ingress");
        if self.web_needs_more {
            for name in ["web-1", "web-2"] {
                set_ready(&mut self.objects, name, !closed, self.now);
            }
        }
    }

    fn take(&mut self, step: &crate::network::Step) {
        self.objects = after(&self.objects, step);
        let verb = match step {
            crate::network::Step::Apply(_) => "apply",
            crate::network::Step::Delete { .. } => "delete",
        };
        self.writes.push(format!("{verb} {}", step.name()));
        self.workloads_react();
    }
}

impl Process {
    pub(super) fn new(leader: i64) -> Self {
        Self {
            leader: Some(leader),
            record: Record::default(),
            version: 0,
            outcome: None,
            settings: isolate(),
            limits: Limits {
                auto_approve: AutoApprove::Medium,
                ..Limits::default()
            },
            decision: None,
            shut: None,
            paused: false,
            struck: false,
        }
    }

    pub(super) fn decide(&mut self, action: Action, plan: Option<&str>) {
        let generation = self.decision.as_ref().map_or(1, |decision| decision.generation) + 1;
        self.decision = Some(Decision {
            action,
            plan: plan.map(str::to_owned),
            by: "alice@example.com".to_owned(),
            reason: "because".to_owned(),
            generation,
        });
    }

    pub(super) fn plan(&self, server: &Server) -> NetworkPlan {
        let mut settings = self.settings.clone();
        settings.take_away = takes_away(&self.record);
        let memory = network_memory(&self.record);
        plan_namespace(&snapshot(&server.objects), "shop", &settings, &memory, server.now).unwrap()
    }

    /// Dies and starts again as the next leader: what is not stored is gone.
    fn restart(&mut self, server: &Server) {
        self.leader = self.leader.map(|leader| leader + 1);
        self.outcome = None;
        self.see(server);
    }

    pub(super) fn see(&mut self, server: &Server) {
        self.record = server.record.clone();
        self.version = server.version;
    }

    /// One step and its effects, the `at`-th of which goes wrong.
    pub(super) fn run(&mut self, server: &mut Server, fault: Option<(usize, Fault)>) -> Vec<Effect> {
        let plan = self.plan(server);
        let world = snapshot(&server.objects);
        let watched = matches!(
            self.record.phase,
            Phase::Verifying | Phase::Probation | Phase::RollingBack | Phase::RollbackFailed
        );
        let attempt = self.record.attempt.as_ref().filter(|_| watched);
        let seen = Observed {
            leader: self.leader,
            decision: self.decision.as_ref(),
            approvals_guarded: true,
            mode: Mode::Enforce,
            limits: &self.limits,
            plan: None,
            target: Target::Network(Box::new(Isolation {
                health: Health::of(&world, "shop", attempt),
                plan: &plan,
                paused: self.paused,
                settled_at: server.now,
            })),
            shut: self.shut.clone(),
            outcome: self.outcome.as_ref(),
        };
        let step = step(&self.record, &seen, server.now);
        if step.record.phase != self.record.phase {
            self.outcome = None;
        }
        let mut done = Vec::new();
        let asked_for = |effect: &&Effect| !matches!(effect, Effect::WakeAt(_));
        for (i, effect) in step.effects.iter().filter(asked_for).enumerate() {
            let fault = fault.filter(|(at, _)| *at == i).map(|(_, fault)| fault);
            self.struck |= fault.is_some();
            if fault == Some(Fault::CrashBefore) {
                self.restart(server);
                return done;
            }
            let went_well = self.carry_out(effect, &step.record, server, fault);
            done.push(effect.clone());
            if fault == Some(Fault::CrashAfter) {
                self.restart(server);
                return done;
            }
            if !went_well {
                return done;
            }
        }
        done
    }

    fn carry_out(&mut self, effect: &Effect, next: &Record, server: &mut Server, fault: Option<Fault>) -> bool {
        match effect {
            Effect::Persist => {
                if self.version != server.version || fault == Some(Fault::Busy) {
                    self.see(server);
                    return false;
                }
                server.record = next.clone();
                server.version += 1;
                self.see(server);
                fault != Some(Fault::AnswerLost)
            }
            Effect::TryPolicies { plan, .. } => {
                let answer = match fault {
                    Some(Fault::Busy | Fault::AnswerLost) => Answer::Later(server.now),
                    _ => server.dry_run.clone(),
                };
                self.answered(Sent::DryRun(plan.clone()), answer, server);
                true
            }
            Effect::WritePolicies { steps } => {
                if fault != Some(Fault::Busy) {
                    for step in steps {
                        server.take(step);
                    }
                }
                let answer = match fault {
                    Some(Fault::Busy | Fault::AnswerLost) => Answer::Unknown,
                    _ => Answer::Done,
                };
                let done = answer == Answer::Done;
                self.answered(Sent::Policies, answer, server);
                done
            }
            Effect::Event(_) | Effect::Count(_) | Effect::Stop | Effect::WakeAt(_) => true,
            other => panic!("not for a namespace: {other:?}"),
        }
    }

    fn answered(&mut self, sent: Sent, answer: Answer, server: &Server) {
        self.outcome = Some(Outcome {
            sent,
            generation: 0,
            at: server.now,
            answer,
        });
    }

    /// Runs until it asks for nothing but to be woken.
    pub(super) fn settle(&mut self, server: &mut Server) -> Vec<Effect> {
        let mut all = Vec::new();
        for _ in 0..40 {
            self.see(server);
            let done = self.run(server, None);
            if done.is_empty() {
                return all;
            }
            all.extend(done);
        }
        panic!("it never comes to rest: {:?} {all:?}", server.record);
    }

    /// Time passes, in steps that are short beside the soak time, and long beside probation.
    pub(super) fn watch(&mut self, server: &mut Server, time: SignedDuration) -> Vec<Effect> {
        let (began, end) = (server.now, server.now + time);
        let mut all = self.settle(server);
        while server.now < end {
            let early = server.now < began + SignedDuration::from_hours(1);
            let pause = if early {
                SignedDuration::from_mins(5)
            } else {
                SignedDuration::from_hours(5)
            };
            server.now = (server.now + pause).min(end);
            all.extend(self.settle(server));
        }
        all
    }
}
