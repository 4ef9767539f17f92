//! The components of a cluster as targets: judged by whatever shows them, unknown where nothing does.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::components::{Anonymous, Answer, Counters, Distribution, Flags, Observed};
use crate::controls::{CONTROLS, Component};

const POLICY: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: NsaCisa, version: v1}}
---
";

const SCHEDULER: &str = "
apiVersion: v1
kind: Pod
metadata: {name: kube-scheduler-a, namespace: kube-system}
spec: {containers: [{name: s, image: i, command: [kube-scheduler, --bind-address=127.0.0.1, --profiling=true]}]}
---
";

const KUBELET: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: kubelet-config, namespace: kube-system}
data:
  kubelet: |
    apiVersion: kubelet.config.k8s.io/v1beta1
    kind: KubeletConfiguration
    authorization: {mode: Webhook}
    readOnlyPort: 10255
---
";

fn cluster(documents: &str, observed: Observed) -> Case {
    let mut case = Case::of(documents);
    case.world.observe(&Arc::new(observed));
    case
}

fn flags(pairs: &[(&str, &str)]) -> Answer<Flags> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Answer::Said(Flags::of(pairs.collect()))
}

/// The finding of a control on a component.
fn on(case: &mut Case, component: Component, control: &str) -> Finding {
    let target = component.target().unwrap();
    let evaluation = case.evaluate(Kind::Component, "", &target.name);
    let mut findings = evaluation.findings.into_iter();
    findings.find(|finding| finding.control.id.as_str() == control).unwrap()
}

fn reason(finding: &Finding) -> &'static str {
    finding.gaps.first().map_or("", |gap| gap.reason)
}

#[test]
fn a_cluster_of_which_nothing_can_be_seen_is_unknown_in_every_component() {
    let mut case = cluster(POLICY, Observed::default());
    let world = case.world.drain().0;
    assert_eq!(world.targets().count(), 9, "each component is a target");
    let component_controls = CONTROLS
        .iter()
        .filter(|control| matches!(control.check, Check::Component(..)));
    let mut judged = 0;
    for component in Component::ALL.into_iter().filter(|it| it.target().is_some()) {
        let target = component.target().unwrap();
        for finding in case.evaluate(Kind::Component, "", &target.name).findings {
            let id = finding.control.id;
            assert_eq!(finding.control.component, component, "{id}");
            judged += 1;
            // What extends the API server, and what guards Ironside, are objects, which were read: there is none.
            let read = [("API-011", Verdict::Pass), ("API-012", Verdict::NotApplicable)];
            if let Some((_, verdict)) = read.iter().find(|(control, _)| *control == id.as_str()) {
                assert_eq!(finding.verdict, *verdict, "{id}");
                continue;
            }
            assert_eq!(finding.verdict, Verdict::Unknown, "{id}");
            assert!(!finding.gaps[0].message.is_empty(), "{id}");
        }
    }
    assert_eq!(judged, component_controls.count(), "no control is absent");
    assert_eq!(reason(&on(&mut case, Component::Etcd, "ETCD-001")), "NotObservable");
    assert_eq!(reason(&on(&mut case, Component::KubeApiserver, "API-005")), "NotAsked");
}

#[test]
fn files_have_no_components() {
    let mut case = Case::of(&format!("{POLICY}{SCHEDULER}"));
    let world = case.world.drain().0;
    assert!(world.targets().all(|target| target.kind != Kind::Component));
    assert!(case.evaluate(Kind::Component, "", "etcd").findings.is_empty());
    let pod = case.evaluate(Kind::Pod, "kube-system", "kube-scheduler-a");
    assert!(pod.findings.is_empty(), "a system namespace that nobody named");
}

/// Nodes as providers and installers leave them, recorded from their documentation: labels, provider ID, operating system.
const NODES: [(&str, &str, Distribution); 6] = [
    (
        "{eks.amazonaws.com/nodegroup: blue}",
        "aws:///eu-west-1a/i-0abc",
        Distribution::Eks,
    ),
    (
        "{cloud.google.com/gke-nodepool: default-pool}",
        "gce://p/europe-west1-b/gke-a",
        Distribution::Gke,
    ),
    (
        "{kubernetes.azure.com/cluster: MC_rg_aks_westeurope}",
        "azure:///subscriptions/s/resourceGroups/g",
        Distribution::Aks,
    ),
    ("{node.openshift.io/os_id: rhel}", "", Distribution::OpenShift),
    (
        "{kubernetes.io/os: linux}",
        "kind://docker/kind/kind-control-plane",
        Distribution::Kind,
    ),
    ("{kubernetes.io/os: linux}", "", Distribution::Upstream),
];

#[test]
fn who_hides_the_control_plane_is_named() {
    for (labels, provider, distribution) in NODES {
        let node = format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: a, labels: {labels}}}\nspec: {{providerID: {provider:?}}}\n---\n"
        );
        let mut case = cluster(&format!("{POLICY}{node}"), Observed::default());
        let world = case.world.current();
        assert_eq!(Distribution::of_cluster(Distribution::Upstream, world), distribution);
        let hidden = if distribution.hides_control_plane() {
            Responsibility::Provider
        } else {
            Responsibility::SelfManaged
        };
        for (component, control, expected) in [
            (Component::KubeApiserver, "API-005", hidden),
            (Component::Etcd, "ETCD-002", hidden),
            (Component::Kubelet, "KUBELET-001", Responsibility::SelfManaged),
            (Component::KubeProxy, "PROXY-001", Responsibility::SelfManaged),
        ] {
            let finding = on(&mut case, component, control);
            assert_eq!(finding.verdict, Verdict::Unknown, "{control}");
            assert_eq!(finding.gaps[0].responsibility, expected, "{control} {distribution:?}");
        }
    }
}

#[test]
fn a_distribution_is_told_by_its_version_its_system_and_what_its_installer_left() {
    let talos =
        "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nstatus: {nodeInfo: {osImage: Talos (v1.12.1)}}\n---\n";
    let kubeadm = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubeadm-config, namespace: kube-system}\n---\n";
    // As `kubectl get nodes` of an EKS Anywhere cluster has them: the provider's build, and a control plane of one's own.
    let own = "apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {node-role.kubernetes.io/control-plane: ''}}\nstatus: {nodeInfo: {kubeletVersion: v1.30.7-eks-68cabf3}}\n---\n";
    for (objects, version, expected) in [
        (own, "v1.30.7-eks-68cabf3", Distribution::Upstream),
        (&format!("{own}{kubeadm}"), "v1.30.7-eks-68cabf3", Distribution::Kubeadm),
        (talos, "v1.36.1", Distribution::Talos),
        (kubeadm, "v1.36.1", Distribution::Kubeadm),
        (kubeadm, "v1.36.1+k3s1", Distribution::K3s),
        ("", "v1.36.1+rke2r1", Distribution::Rke2),
        ("", "v1.36.1-eks-595af52", Distribution::Eks),
        ("", "v1.36.1-gke.1386000", Distribution::Gke),
        ("", "", Distribution::Upstream),
    ] {
        let case = cluster(&format!("{POLICY}{objects}"), Observed::default());
        let by_version = Distribution::of_version(version);
        assert_eq!(Distribution::of_cluster(by_version, case.world.current()), expected);
    }
}

#[test]
fn what_runs_in_kube_system_is_evidence_and_judged_once() {
    let policy = POLICY.replace("{profile", "{systemNamespaces: [kube-system], profile");
    let mut case = cluster(&format!("{policy}{SCHEDULER}"), Observed::default());
    let finding = on(&mut case, Component::KubeScheduler, "SCHED-001");
    assert_eq!(finding.verdict, Verdict::Fail);
    assert_eq!(
        finding.evidence[0].pointer,
        "/objects/Pod/kube-system/kube-scheduler-a/spec/containers/0/command/2"
    );
    let asks_of_it = |case: &mut Case| {
        let pod = case.evaluate(Kind::Pod, "kube-system", "kube-scheduler-a");
        pod.findings
            .iter()
            .any(|finding| finding.control.id.as_str() == "SCHED-001")
    };
    assert!(!asks_of_it(&mut case));
    // A policy that does not reach the cluster as a whole still sees the pod.
    let narrow = policy.replace(
        "{systemNamespaces",
        "{namespaceSelector: {matchLabels: {a: b}}, systemNamespaces",
    );
    let mut case = cluster(&format!("{narrow}{SCHEDULER}"), Observed::default());
    assert!(asks_of_it(&mut case));
    // The scheduler of somebody else's cluster.
    let mut case = cluster(
        &format!("{POLICY}{}", SCHEDULER.replace("kube-system", "tenant")),
        Observed::default(),
    );
    assert_eq!(
        on(&mut case, Component::KubeScheduler, "SCHED-001").verdict,
        Verdict::Unknown
    );
}

#[test]
fn what_is_given_to_kubelets_is_not_what_they_run_with() {
    let mut case = cluster(&format!("{POLICY}{KUBELET}"), Observed::default());
    let authorized = on(&mut case, Component::Kubelet, "KUBELET-002");
    assert_eq!(
        (authorized.verdict, reason(&authorized)),
        (Verdict::Unknown, "IntentOnly")
    );
    assert_eq!(on(&mut case, Component::Kubelet, "KUBELET-003").verdict, Verdict::Fail);

    let configuration = |port: u32| {
        let document = json!({"authorization": {"mode": "Webhook"}, "readOnlyPort": port});
        Arc::new(serde_json::from_value(document).unwrap())
    };
    let good: Answer<Arc<crate::model::Configuration>> = Answer::Said(configuration(0));
    let kubelets = |answers: &[(&str, Answer<Arc<crate::model::Configuration>>)]| Observed {
        kubelets: Answer::Said(
            answers
                .iter()
                .map(|(node, it)| (Arc::from(*node), it.clone()))
                .collect(),
        ),
        ..Observed::default()
    };
    let documents = format!("{POLICY}{KUBELET}");
    let mut all = cluster(&documents, kubelets(&[("a", good.clone()), ("b", good.clone())]));
    assert_eq!(on(&mut all, Component::Kubelet, "KUBELET-003").verdict, Verdict::Pass);
    let mut one = cluster(&documents, kubelets(&[("a", good.clone()), ("b", Answer::default())]));
    let finding = on(&mut one, Component::Kubelet, "KUBELET-003");
    assert_eq!((finding.verdict, reason(&finding)), (Verdict::Unknown, "NotAsked"));
    assert!(finding.gaps[0].message.starts_with("node b: "), "{:?}", finding.gaps);
    let bad = Answer::Said(configuration(10255));
    let mut open = cluster(&documents, kubelets(&[("a", good), ("b", bad.clone()), ("c", bad)]));
    let finding = on(&mut open, Component::Kubelet, "KUBELET-003");
    assert_eq!(finding.verdict, Verdict::Fail);
    assert_eq!(finding.evidence[0].pointer, "/nodes/b and 1 more/configz/readOnlyPort");
}

#[test]
fn what_the_api_server_says_is_evidence_where_flags_hide_it() {
    let file = [
        ("anonymous-auth", "true"),
        ("authentication-config", "/a"),
        ("authorization-config", "/b"),
    ];
    let mut observed = Observed {
        flags: flags(&file),
        ..Observed::default()
    };
    let verdicts = |observed: &Observed| {
        let mut case = cluster(POLICY, observed.clone());
        ["API-001", "API-002", "API-003"].map(|control| on(&mut case, Component::KubeApiserver, control).verdict)
    };
    assert_eq!(verdicts(&observed), [Verdict::Unknown, Verdict::Unknown, Verdict::Fail]);
    observed.anonymous = Answer::Said(Anonymous::Refused);
    let mut counters = Counters::default();
    counters.authorizers.insert("RBAC".to_owned());
    observed.counters = Answer::Said(counters.clone());
    assert_eq!(verdicts(&observed)[..2], [Verdict::Pass, Verdict::Pass]);
    observed.anonymous = Answer::Said(Anonymous::Served(403));
    counters.authorizers.insert("AlwaysAllow".to_owned());
    observed.counters = Answer::Said(counters);
    assert_eq!(verdicts(&observed)[..2], [Verdict::Fail, Verdict::Fail]);
}

#[test]
fn encryption_is_proven_by_what_is_written() {
    let verdicts = |written: &[&str], read: &[&str]| {
        let set = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let counters = Counters {
            written_with: set(written),
            read_with: set(read),
            ..Counters::default()
        };
        let observed = Observed {
            flags: flags(&[("encryption-provider-config", "/e")]),
            counters: Answer::Said(counters),
            ..Observed::default()
        };
        let mut case = cluster(POLICY, observed);
        ["SEC-005", "SEC-006"].map(|control| on(&mut case, Component::KubeApiserver, control).verdict)
    };
    assert_eq!(verdicts(&[], &[]), [Verdict::Pass, Verdict::Unknown]);
    assert_eq!(verdicts(&["kms:v2"], &["kms:v2"]), [Verdict::Pass, Verdict::Pass]);
    assert_eq!(verdicts(&["aescbc:v1"], &[]), [Verdict::Pass, Verdict::Fail]);
    assert_eq!(verdicts(&["kms:v2"], &["identity"]), [Verdict::Pass, Verdict::Fail]);
    assert_eq!(verdicts(&["identity"], &["identity"])[0], Verdict::Fail);
}

#[test]
fn news_of_a_component_make_the_components_dirty_and_nothing_else() {
    let mut case = cluster(&format!("{POLICY}{WEB}"), Observed::default());
    let dirty = |case: &mut Case| -> BTreeMap<Kind, usize> {
        let mut kinds = BTreeMap::new();
        for target in case.world.drain().1 {
            *kinds.entry(target.kind).or_default() += 1;
        }
        kinds
    };
    dirty(&mut case);
    case.world.observe(&Arc::new(Observed::default()));
    assert_eq!(dirty(&mut case), BTreeMap::new(), "it says the same again");
    let news = Observed {
        flags: flags(&[("profiling", "true")]),
        ..Observed::default()
    };
    case.world.observe(&Arc::new(news));
    assert_eq!(dirty(&mut case), BTreeMap::from([(Kind::Component, 9)]));
    let pod: Value = serde_saphyr::from_str(SCHEDULER.trim_end_matches("---\n")).unwrap();
    case.world.apply(Delta::Apply(Object::decode(Kind::Pod, &pod).unwrap()));
    assert_eq!(dirty(&mut case).get(&Kind::Component), Some(&9));
}
