//! VER-003 Programs whose project has ended, and Services that select nothing

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{
    Check, Control, ControlId, Docs, Gap, Judgement, Need, ObjectScope, Severity, Threat, WorkloadScope,
};
use crate::model::{Kind, Service};
use crate::releases::retired;
use crate::world::Reading;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("VER-003"),
    title: "Programs whose project has ended, and Services that select nothing",
    severity: Severity::Medium,
    threats: &[Threat::SupplyChain, Threat::MaliciousActor],
    frameworks: &[
        nsa(&["U-04"]),
        kubescape(&["C-0292", "C-0293", "C-0298"]),
        trivy(&["KSV-0102"]),
        mitre(&["T1190"]),
    ],
    docs: Docs {
        why: "In a program that nobody mends any more the next hole stays open, and those that run for the cluster have more rights than most. A Service that selects nothing waits for whoever may create a pod with its labels, and gives that pod the traffic of its clients.",
        reads: "Images of all containers, against a table of programs whose projects have ended, with a date and sources (`operator/engine/src/releases/retired.json`); selectors of Services, labels of pods and of the templates of workloads in their namespace. Ingresses to a Service that is not there are NET-012's.",
        allowed: "Programs that the table does not name; what has ended stays so, and an old table misses some. A Service whose selector fits a pod or a template, scaled to nothing or not; one without a selector, and one that a controller made, are passed. Services are judged in a cluster of whose namespace everything was read, and are Unknown where something could not be.",
        repair: "None: replace the program by what is named, which takes its data and its clients with it; delete the Service, or mend its selector.",
        breaks: "Whatever still uses the program or the name of the Service.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Upgrading and application security practices",
            "Kubernetes blog, Ingress NGINX Retirement; the notices of the other projects, named in the table",
        ],
    },
    needs: &[Need { kind: Kind::Pod }],
    check: Check::Object(workloads_and!(; Kind::Service), check),
    ..Control::WORKLOAD
};

/// Kinds that a Service can find pods of.
const SELECTED: [Kind; 7] = [
    Kind::Pod,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::CronJob,
    Kind::ReplicationController,
];

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    if let Some(workload) = at.workload() {
        runs(&workload, judgement);
    } else if let Some(service) = at.service() {
        selects(at, service, judgement);
    }
}

fn runs(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    for container in at.template().containers() {
        if let Some(program) = retired().of_image(&container.container.image) {
            judgement.enter_container(&container);
            let expected = format!("{}: {} ended on {}", program.instead, program.name, program.retired);
            judgement.fail("image", Some(json!(container.container.image)), &expected);
        }
    }
}

fn selects(at: &ObjectScope<'_>, service: &Service, judgement: &mut Judgement) {
    let namespace = &at.target.namespace;
    let selector = &service.spec.selector;
    if !service.spec.selects_pods() || service.metadata.controller().is_some() {
        return judgement.pass();
    }
    let Some(shard) = at.world.shard(namespace) else { return };
    let mut pods = shard.pods.values().map(|pod| &pod.metadata.labels);
    let mut templates = shard.workloads.values().map(|workload| &workload.template.labels);
    let is_used = pods.any(|labels| labels.contain(selector)) || templates.any(|labels| labels.contain(selector));
    if is_used {
        return judgement.pass();
    }
    for kind in SELECTED {
        match at.world.reading(kind, namespace) {
            Reading::Complete => {}
            Reading::Unavailable(gap) => return judgement.unknown(Gap::clone(gap)),
            // Files: the pods may be in others.
            Reading::Partial => return judgement.not_applicable("pods are in other files than their Services"),
        }
    }
    let expected = "labels of a pod or of a workload of the namespace";
    judgement.fail("spec.selector", Some(json!(selector)), expected);
}
