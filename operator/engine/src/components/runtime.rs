//! What of the container runtime is in reach of pods.

use crate::model::PodSpec;

/// Sockets through which the container runtime takes orders, whatever directory they lie in.
const SOCKETS: [&str; 8] = [
    "docker.sock",
    "dockershim.sock",
    "cri-dockerd.sock",
    "containerd.sock",
    "crio.sock",
    "podman.sock",
    "buildkitd.sock",
    "frakti.sock",
];

/// A path without trailing and doubled slashes, `.` and `..`, and with `/var/run` as the link to `/run` that it is on every current distribution.
pub fn normal(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => _ = steps.pop(),
            step => steps.push(step),
        }
    }
    if steps.starts_with(&["var", "run"]) {
        steps.remove(0);
    }
    format!("/{}", steps.join("/"))
}

/// Whether a path in its [`normal`] form is such a socket.
pub fn is_runtime_socket(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    SOCKETS.contains(&name)
}

/// The volumes of a pod that are such sockets: their index and path.
pub fn runtime_sockets(spec: &PodSpec) -> impl Iterator<Item = (usize, &str)> {
    spec.volumes.iter().enumerate().filter_map(|(index, volume)| {
        let path = volume.host_path.as_ref()?.path.as_str();
        is_runtime_socket(&normal(path)).then_some((index, path))
    })
}
