//! The pool that a node was made for.

use crate::model::ClusterNode;

/// Labels by which who makes nodes says which are alike: EKS, GKE, AKS, Karpenter, DigitalOcean, Oracle, Scaleway, Talos' Omni, kOps, Gardener.
const POOLS: [&str; 10] = [
    "eks.amazonaws.com/nodegroup",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "karpenter.sh/nodepool",
    "doks.digitalocean.com/node-pool",
    "oci.oraclecloud.com/node-pool",
    "k8s.scaleway.com/pool-name",
    "omni.sidero.dev/machine-set",
    "kops.k8s.io/instancegroup",
    "worker.gardener.cloud/pool",
];

/// The pool of a node; `None` where no label names one.
pub fn pool(node: &ClusterNode) -> Option<&str> {
    let labels = &node.metadata.labels;
    POOLS.iter().find_map(|label| labels.get(label))
}
