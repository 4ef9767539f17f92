//! Where a setting of a component is changed, distribution by distribution: the same for every control of that component. Each macro takes what one control
//! has to say beyond that.

/// A flag of the API server.
macro_rules! api_server_flag {
    ($($more:literal)?) => {
        concat!(
            "None: add the flag to the static pod manifest of the API server on each control plane node (kubeadm: `apiServer.extraArgs` of ClusterConfiguration and `/etc/kubernetes/manifests/kube-apiserver.yaml`; RKE2 and k3s: `kube-apiserver-arg` in the server's configuration; Talos: `cluster.apiServer.extraArgs`). A provider that hides the control plane has a setting of its own.",
            $(" ", $more)?
        )
    };
}

/// A flag of etcd.
macro_rules! etcd_flag {
    ($($more:literal)?) => {
        concat!(
            "None: change the flag in the static pod manifest of etcd on each of its nodes, one after another (kubeadm: `etcd.local.extraArgs` of ClusterConfiguration and `/etc/kubernetes/manifests/etcd.yaml`; RKE2: `etcd-arg`; Talos: `cluster.etcd.extraArgs`).",
            $(" ", $more)?
        )
    };
}

/// A flag of the controller manager.
macro_rules! controller_manager_flag {
    ($($more:literal)?) => {
        concat!(
            "None: add the flags to the static pod manifest of the controller manager (kubeadm: `controllerManager.extraArgs`; RKE2 and k3s: `kube-controller-manager-arg`; Talos: `cluster.controllerManager.extraArgs`).",
            $(" ", $more)?
        )
    };
}

/// A field of the kubelet.
macro_rules! kubelet_field {
    ($($more:literal)?) => {
        concat!(
            "None: set the field in the kubelet's configuration file on each node and restart it (kubeadm: ConfigMap `kubelet-config`, then `kubeadm upgrade node`; RKE2 and k3s: `kubelet-arg`; Talos: `machine.kubelet.extraConfig`; managed nodes: the node group's configuration).",
            $(" ", $more)?
        )
    };
}
