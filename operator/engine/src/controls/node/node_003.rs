//! NODE-003 Control plane nodes take any pod

use crate::components::ComponentScope;
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Need, Severity};
use crate::model::cluster_node::CONTROL_PLANE;
use crate::model::{ClusterNode, Kind};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NODE-003"),
    title: "Control plane nodes take any pod",
    severity: Severity::Medium,
    component: Component::Kubelet,
    frameworks: &[nsa(&["N-17", "L-16"]), mitre(&["T1078"])],
    docs: Docs {
        why: "A pod on a node of the control plane is one escape away from the keys of the cluster's CA, from etcd and from every ServiceAccount. The scheduler keeps pods away only where the node has a taint that says so.",
        reads: "Labels and `spec.taints` of Nodes. Nodes are told by their labels alone, which whoever joins a node may choose; whether a node should be there at all no object tells.",
        allowed: "A taint `node-role.kubernetes.io/control-plane` (or the old `master`) with NoSchedule or NoExecute, or any other one with NoExecute, on each node that has such a label. Not applicable where no node has the label, as with providers that hide the control plane, and where every node has it, as then nothing else could run anywhere.",
        repair: "None: `kubectl taint nodes NAME node-role.kubernetes.io/control-plane:NoSchedule`, after what runs there has another node to go to; k3s: `node-taint` in the server's configuration.",
        breaks: "Pods that tolerate nothing are not scheduled there any more, and have to find room elsewhere.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Control plane hardening",
            "Kubernetes documentation, Well-Known Labels, Annotations and Taints",
            "kubeadm reference, Control plane node isolation",
        ],
    },
    needs: &[Need { kind: Kind::Node }],
    // Nothing but Nodes, which every check of components may look at.
    check: Check::Component(&[], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    judgement.witness();
    let groups = at.nodes(judgement, |node| (node.is_control_plane(), is_kept_free(node)));
    let (of_control_plane, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| group.said.0);
    if of_control_plane.is_empty() && !others.is_empty() {
        return judgement.not_applicable("no node is labelled as one of the control plane");
    }
    if at.is_cluster() && others.is_empty() && !of_control_plane.is_empty() {
        return judgement.not_applicable("every node is one of the control plane");
    }
    for nodes in of_control_plane {
        if nodes.said.1 {
            judgement.pass();
        } else {
            let expected = "a taint node-role.kubernetes.io/control-plane with the effect NoSchedule";
            judgement.fail_at(&nodes.place("/spec/taints"), None, expected);
        }
    }
}

fn is_kept_free(node: &ClusterNode) -> bool {
    node.spec.taints.iter().any(|taint| {
        let is_role = CONTROL_PLANE.contains(&taint.key.as_str());
        taint.effect == "NoExecute" || (is_role && taint.effect == "NoSchedule")
    })
}
