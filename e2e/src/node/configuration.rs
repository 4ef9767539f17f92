//! The files and flags of the node's programs: kubelet and containerd as a hardened cluster has them, as far as a machine with
//! v1 cgroups and without all capabilities lets them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::programs::Programs;
use super::{API_PORT, Place, Surroundings, dial_socket, images, text};

const KUBELET: &str = include_str!("kubelet.sh");

/// Everything that was written for one node.
pub(super) struct Configuration {
    place: Place,
    folder: PathBuf,
    /// Where the API server is reached from inside: the relay's outer end listens here.
    pub(super) api_socket: PathBuf,
    /// Where containerd listens.
    pub(super) runtime_socket: PathBuf,
    /// Where the enforcer writes what is in force.
    pub(super) enforced: PathBuf,
    dial_socket: PathBuf,
    kubeconfigs: (PathBuf, PathBuf, PathBuf),
}

impl Configuration {
    pub(super) fn write(place: Place, around: &Surroundings<'_>, programs: &Programs) -> Result<Self> {
        let folder = around.folder.join(place.stem());
        fs::create_dir_all(folder.join("cni")).with_context(|| format!("create {}", folder.display()))?;
        let server = format!("https://127.0.0.1:{API_PORT}");
        let written = Self {
            place,
            dial_socket: dial_socket(&around.folder, place),
            api_socket: folder.join("api.sock"),
            runtime_socket: folder.join("containerd.sock"),
            enforced: folder.join("enforced.json"),
            kubeconfigs: (
                around.pki.kubeconfig(&place.kubelet(), &server)?,
                around.pki.kubeconfig("kube-proxy", &server)?,
                around.pki.kubeconfig("policies", &server)?,
            ),
            folder,
        };
        written.file("kubelet.sh", KUBELET)?;
        written.file("resolv.conf", "nameserver 127.0.0.1\n")?;
        written.file("containerd.toml", &written.containerd_file(programs))?;
        written.file("cni/10-bridge.conflist", &written.network_file().to_string())?;
        written.file("kubelet.yaml", &written.kubelet_file(around).to_string())?;
        written.file("kube-proxy.yaml", &written.kube_proxy_file().to_string())?;
        Ok(written)
    }

    /// Where all of it lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn relay(&self) -> Vec<String> {
        vec![
            "node-relay".to_owned(),
            format!("--port={API_PORT}"),
            format!("--api={}", text(&self.api_socket)),
            format!("--dial={}", text(&self.dial_socket)),
        ]
    }

    pub(super) fn containerd(&self) -> Vec<String> {
        vec![format!("--config={}", self.path("containerd.toml"))]
    }

    pub(super) fn kubelet(&self, programs: &Programs) -> Vec<String> {
        let words = [
            "-m",
            "--propagation",
            "unchanged",
            "bash",
            &self.path("kubelet.sh"),
            &text(&self.folder),
            &text(&programs.kubernetes("kubelet")),
            &format!("--config={}", self.path("kubelet.yaml")),
            &format!("--kubeconfig={}", text(&self.kubeconfigs.0)),
            &format!("--hostname-override={}", self.place),
            &format!("--node-ip={}", self.place.address()),
            &format!("--root-dir={}", self.path("kubelet")),
        ];
        words.map(str::to_owned).to_vec()
    }

    pub(super) fn kube_proxy(&self) -> Vec<String> {
        vec![
            format!("--config={}", self.path("kube-proxy.yaml")),
            format!("--hostname-override={}", self.place),
        ]
    }

    pub(super) fn policies(&self) -> Vec<String> {
        let mut arguments = vec![
            "node-policies".to_owned(),
            format!("--kubeconfig={}", text(&self.kubeconfigs.2)),
            format!("--enforced={}", text(&self.enforced)),
        ];
        for (range, gateway) in self.place.ranges() {
            arguments.extend([format!("--pods={range}"), format!("--gateway={gateway}")]);
        }
        arguments
    }

    fn file(&self, name: &str, content: &str) -> Result<()> {
        fs::write(self.folder.join(name), content).with_context(|| format!("write {name}"))
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.join(name))
    }

    fn containerd_file(&self, programs: &Programs) -> String {
        // restrict_oom_score_adj: without CAP_SYS_RESOURCE no sandbox starts otherwise.
        format!(
            "version = 3
root = '{root}'
state = '/run/containerd'
disabled_plugins = ['io.containerd.nri.v1.nri', 'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']
[grpc]
address = '{socket}'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{pause}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = 'runc'
SystemdCgroup = false
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{plugins}']
conf_dir = '{networks}'
",
            root = self.path("containerd"),
            socket = text(&self.runtime_socket),
            pause = images::PAUSE,
            plugins = text(programs.plugins()),
            networks = self.path("cni"),
        )
    }

    fn network_file(&self) -> serde_json::Value {
        let (mut ranges, mut routes) = (Vec::new(), Vec::new());
        for (range, gateway) in self.place.ranges() {
            ranges.push(json!([{ "subnet": range }]));
            routes.push(json!({ "dst": if gateway.is_ipv4() { "0.0.0.0/0" } else { "::/0" } }));
        }
        json!({
            "cniVersion": "1.0.0",
            "name": "ironside",
            "plugins": [{
                "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
                "ipam": {
                    "type": "host-local", "dataDir": self.path("addresses"),
                    "ranges": ranges, "routes": routes,
                },
            }],
        })
    }

    fn kubelet_file(&self, around: &Surroundings<'_>) -> serde_json::Value {
        let (certificate, key) = around.pki.serving_kubelet(self.place);
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "failCgroupV1": false, "cgroupDriver": "cgroupfs", "cgroupRoot": format!("/{}", self.place.cgroup(&around.name)),
            "cgroupsPerQOS": true, "enforceNodeAllocatable": ["pods"],
            // Nothing of the machine's kernel is changed; see kubelet.sh.
            "protectKernelDefaults": true, "oomScoreAdj": 0, "failSwapOn": false,
            "authentication": {
                "anonymous": { "enabled": false }, "webhook": { "enabled": true },
                "x509": { "clientCAFile": text(&around.pki.authority()) },
            },
            "authorization": { "mode": "Webhook" },
            "readOnlyPort": 0,
            "tlsCertFile": text(&certificate), "tlsPrivateKeyFile": text(&key),
            "containerRuntimeEndpoint": format!("unix://{}", text(&self.runtime_socket)),
            "clusterDNS": ["10.0.0.10"], "clusterDomain": "cluster.local", "resolvConf": self.path("resolv.conf"),
            "maxPods": 250, "volumePluginDir": self.path("volume-plugins"),
            // Images come by hand and are never fetched again.
            "imageGCHighThresholdPercent": 100, "imagePullCredentialsVerificationPolicy": "NeverVerify",
            "evictionHard": { "memory.available": "200Mi", "nodefs.available": "100Mi", "imagefs.available": "100Mi" },
            "nodeStatusUpdateFrequency": "5s",
        })
    }

    fn kube_proxy_file(&self) -> serde_json::Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
            "mode": "nftables", "clusterCIDR": self.place.pods(), "bindAddress": self.place.address(),
            "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
            // Limits of the whole machine: left alone.
            "conntrack": { "maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s" },
            "oomScoreAdj": 0,
            "clientConnection": { "kubeconfig": text(&self.kubeconfigs.1) },
            "nftables": { "minSyncPeriod": "100ms" },
        })
    }
}
