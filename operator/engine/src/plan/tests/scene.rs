//! A small cluster around one workload, healthy unless a test says otherwise, and its findings.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::controls::{Verdict, WorkloadScope, find};
use crate::evaluate::{Evaluation, Finding};
use crate::model::{Kind, ObjectRef};
use crate::plan::{Disposition, Held, Plan, lint, plan};
use crate::policy::{Limits, Mode};
use crate::world::{Object, Snapshot};

pub(super) const NOW: &str = "2026-06-01T12:00:00Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A moment before [`NOW`].
pub(super) fn ago(hours: i64) -> String {
    (now() - SignedDuration::from_hours(hours)).to_string()
}

/// One workload with its ReplicaSet and pods.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub workload: Value,
    pub kind: Kind,
    pub pods: usize,
    pub pod: Value,
    pub others: Vec<(Kind, Value)>,
    pub controls: Vec<(&'static str, Mode)>,
    pub limits: Limits,
    /// Changes findings before they are planned: exceptions.
    pub findings: fn(&mut Finding),
}

impl Scene {
    /// A Deployment of three ready pods which started an hour ago as uid 1000; it fails POD-009 only.
    pub(super) fn new() -> Self {
        Self {
            workload: json!({
                "metadata": {"name": "web", "namespace": "shop", "uid": "u-web", "generation": 2, "creationTimestamp": ago(48),
                             "annotations": {"deployment.kubernetes.io/revision": "1"}},
                "spec": {"replicas": 3, "strategy": {"type": "RollingUpdate"}, "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [container("web")]}}},
                "status": {"replicas": 3, "readyReplicas": 3, "availableReplicas": 3},
            }),
            kind: Kind::Deployment,
            pods: 3,
            pod: json!({
                "spec": {"nodeName": "node-1"},
                "status": {"phase": "Running", "startTime": ago(1), "conditions": [{"type": "Ready", "status": "True"}],
                           "containerStatuses": [status("web", 1000)]},
            }),
            others: Vec::new(),
            controls: vec![("POD-009", Mode::Enforce)],
            limits: Limits::default(),
            findings: |_| {},
        }
    }

    /// With one field of the pod spec set.
    pub(super) fn spec(mut self, field: &str, value: Value) -> Self {
        self.pod_spec()[field] = value;
        self
    }

    /// With one field of container `web` set.
    pub(super) fn container(mut self, field: &str, value: Value) -> Self {
        self.pod_spec()["containers"][0][field] = value;
        self
    }

    pub(super) fn replicas(mut self, replicas: usize) -> Self {
        self.workload["spec"]["replicas"] = json!(replicas);
        self.pods = replicas;
        self
    }

    /// With the workload changed at a pointer, whose parent exists.
    pub(super) fn at(mut self, pointer: &str, value: Value) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.workload.pointer_mut(parent).expect("the parent exists")[name] = value;
        self
    }

    pub(super) fn controls(mut self, controls: &[&'static str]) -> Self {
        self.controls = controls.iter().map(|control| (*control, Mode::Enforce)).collect();
        self
    }

    pub(super) fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        let template = self.workload["spec"]["template"].clone();
        match kind {
            Kind::CronJob => self.workload["spec"] = json!({"jobTemplate": {"spec": {"template": template}}}),
            Kind::Pod => self.workload["spec"] = template["spec"].clone(),
            Kind::DaemonSet | Kind::StatefulSet => {
                self.workload["spec"].as_object_mut().unwrap().remove("strategy");
            }
            _ => {}
        }
        self
    }

    /// With a `managedFields` entry that owns these fields of the pod spec (`{"f:containers": …}`), written `hours` ago.
    pub(super) fn manager(mut self, manager: &str, operation: &str, hours: i64, pod_spec: &Value) -> Self {
        let entry = json!({"manager": manager, "operation": operation, "time": ago(hours),
                           "fieldsV1": {"f:spec": {"f:template": {"f:spec": pod_spec}}}});
        let metadata = self.workload["metadata"].as_object_mut().unwrap();
        metadata
            .entry("managedFields")
            .or_insert_with(|| json!([]))
            .as_array_mut()
            .unwrap()
            .push(entry);
        self
    }

    pub(super) fn annotation(mut self, key: &str, value: &str) -> Self {
        self.workload["metadata"]["annotations"][key] = json!(value);
        self
    }

    pub(super) fn label(mut self, key: &str, value: &str) -> Self {
        self.workload["metadata"]["labels"][key] = json!(value);
        self
    }

    pub(super) fn world(&self) -> Snapshot {
        let mut objects = vec![(self.kind, self.workload.clone())];
        let owner = |kind: &str, name: &str, uid: &str| {
            let api_version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
            json!([{"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": true}])
        };
        let mut pods_owner = owner(self.kind.name(), "web", "u-web");
        if self.kind == Kind::Deployment {
            let mut template = self.workload["spec"]["template"].clone();
            template["metadata"]["labels"]["pod-template-hash"] = json!("abc");
            objects.push((
                Kind::ReplicaSet,
                json!({"metadata": {"name": "web-abc", "namespace": "shop", "uid": "u-set", "ownerReferences": pods_owner},
                       "spec": {"template": template}}),
            ));
            pods_owner = owner("ReplicaSet", "web-abc", "u-set");
        }
        if self.kind != Kind::Pod {
            for index in 0..self.pods {
                let mut pod = self.pod.clone();
                pod["metadata"] = json!({"name": format!("web-{index}"), "namespace": "shop", "uid": format!("u-pod-{index}"),
                                         "ownerReferences": pods_owner});
                objects.push((Kind::Pod, pod));
            }
        }
        objects.extend(self.others.iter().cloned());
        let namespace = json!({"metadata": {"name": "shop"}});
        objects.push((Kind::Namespace, namespace));
        Snapshot::of(
            objects
                .into_iter()
                .map(|(kind, object)| Object::decode(kind, &object).expect("a valid object")),
        )
    }

    pub(super) fn evaluation(&self, world: &Snapshot) -> Evaluation {
        let text = |pointer: &str| self.workload.pointer(pointer).and_then(Value::as_str).unwrap();
        let target = ObjectRef::new(self.kind, text("/metadata/namespace"), text("/metadata/name"));
        let workload = world.workload(&target).expect("the workload");
        let findings = self.controls.iter().map(|(id, mode)| {
            let control = find(id).expect("a control");
            let parameters = crate::controls::Parameters::default();
            let judgement = control.judge_workload(&WorkloadScope {
                workload,
                world,
                parameters: &parameters,
            });
            let mut finding = Finding {
                control,
                target: target.clone(),
                verdict: judgement.verdict(),
                evidence: judgement.failures().to_vec(),
                gaps: Vec::new(),
                not_applicable: None,
                mode: *mode,
                policies: Vec::new(),
                dissent: Vec::new(),
                excepted_containers: Vec::new(),
                excepted: None,
                hold_repair: None,
                parameters: parameters.into(),
            };
            (self.findings)(&mut finding);
            finding
        });
        Evaluation {
            target: target.clone(),
            findings: findings.filter(|finding| finding.verdict == Verdict::Fail).collect(),
            gaps: Vec::new(),
            owned_by: workload.meta.controller().cloned(),
        }
    }

    /// The plan, linted; `None` if there is none.
    pub(super) fn planned(&self) -> Option<Plan> {
        let world = self.world();
        let plan = plan(&world, &self.evaluation(&world), &self.limits, now())?;
        assert_eq!(lint(&plan, &world), [""; 0]);
        Some(plan)
    }

    pub(super) fn plan(&self) -> Plan {
        self.planned().expect("a plan")
    }

    /// Reasons for which the whole plan is held; panics if it is not.
    pub(super) fn held(&self) -> Vec<Held> {
        match self.plan().disposition {
            Disposition::Held(held) => held,
            other => panic!("{other:?} instead of held"),
        }
    }

    pub(super) fn pod_spec(&mut self) -> &mut Value {
        let pointer = crate::model::Workload::template_pointer(self.kind);
        &mut self.workload.pointer_mut(pointer).expect("a template")["spec"]
    }
}

/// A container that fails nothing but POD-009.
pub(super) fn container(name: &str) -> Value {
    json!({
        "name": name, "image": "web:1.0.0", "readinessProbe": {"httpGet": {"port": 80}},
        "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "readOnlyRootFilesystem": true,
                            "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}},
    })
}

pub(super) fn status(name: &str, uid: i64) -> Value {
    json!({"name": name, "ready": true, "imageID": "web@sha256:aaaa", "user": {"linux": {"uid": uid, "gid": uid}}})
}
