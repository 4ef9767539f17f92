//! How command lines of distributions are read.

use serde_json::{Value, json};

use super::*;
use crate::controls::Component;
use crate::model::PodTemplate;

fn spec_of(container: &Value) -> PodTemplate {
    PodTemplate::decode(&json!({"spec": {"containers": [container]}}), false).unwrap()
}

/// The component that a container runs, with some of its flags.
fn read(container: &Value, flags: &[&str]) -> Option<(Component, Vec<Option<String>>)> {
    let template = spec_of(container);
    let process = processes(&template.spec).next()?;
    let values = flags.iter().map(|flag| process.value(flag).map(str::to_owned));
    Some((process.component, values.collect()))
}

fn component(container: &Value) -> Option<Component> {
    read(container, &[]).map(|(component, _)| component)
}

#[test]
fn a_component_is_known_by_the_program_that_is_started() {
    use Component::{
        CloudControllerManager, ClusterDns, Etcd, KubeApiserver, KubeControllerManager, KubeProxy, Kubelet,
    };
    for (container, expected) in [
        (json!({"command": ["kube-apiserver", "--v=2"]}), Some(KubeApiserver)),
        (json!({"command": ["/usr/local/bin/kube-proxy"]}), Some(KubeProxy)),
        (
            json!({"command": ["/hyperkube", "controller-manager"]}),
            Some(KubeControllerManager),
        ),
        (
            json!({"command": ["/go-runner", "--log-file=/x", "/usr/local/bin/kube-apiserver"]}),
            Some(KubeApiserver),
        ),
        (
            json!({"command": ["/bin/aws-cloud-controller-manager"]}),
            Some(CloudControllerManager),
        ),
        (
            json!({"image": "registry.k8s.io/coredns/coredns:v1.12.0", "args": ["-conf", "/etc/coredns/Corefile"]}),
            Some(ClusterDns),
        ),
        (
            json!({"image": "rancher/mirrored-coredns-coredns:1.12", "args": ["-conf", "/x"]}),
            Some(ClusterDns),
        ),
        (
            json!({"image": "rancher/hardened-etcd:v3.6", "args": ["--name=a"]}),
            Some(Etcd),
        ),
        (
            json!({"image": "registry.example.com/kubelet-amd64:v1.33"}),
            Some(Kubelet),
        ),
        (
            json!({"command": ["/bin/sh", "-ec", "mkdir -p /x\nexec etcd --name=a"]}),
            Some(Etcd),
        ),
        // Neither a name, nor an argument of another program, nor an image that runs something else.
        (json!({"name": "kube-apiserver", "command": ["my-proxy", "etcd"]}), None),
        (
            json!({"image": "registry.k8s.io/etcd:3.6", "command": ["etcdctl", "snapshot"]}),
            None,
        ),
        (json!({"image": "quay.io/brancz/kube-rbac-proxy:v0.18"}), None),
        (json!({}), None),
    ] {
        assert_eq!(component(&container), expected, "{container}");
    }
}

#[test]
fn the_program_of_a_container_outweighs_its_image() {
    let container = json!({"image": "kube-apiserver-amd64", "command": ["kube-scheduler"]});
    assert_eq!(component(&container), Some(Component::KubeScheduler));
}

#[test]
fn flags_are_read_as_the_programs_read_them() {
    let container = json!({
        "command": ["kube-apiserver", "--audit_log_path=/a", "--anonymous-auth", "false", "--profiling", "--tls-cert-file=\"/c\""],
        "args": ["--audit-log-path=/b", "-v", "2"],
    });
    let flags = [
        "audit-log-path",
        "anonymous-auth",
        "profiling",
        "tls-cert-file",
        "v",
        "token-auth-file",
    ];
    let (_, values) = read(&container, &flags).unwrap();
    let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
    assert_eq!(
        values,
        [Some("/b"), Some("false"), Some("true"), Some("/c"), Some("2"), None]
    );
}

#[test]
fn lists_that_are_given_twice_are_put_together() {
    let container = json!({"command": ["kube-apiserver", "--feature-gates=A=true,B=false", "--feature-gates=B=true"]});
    let template = spec_of(&container);
    let process = processes(&template.spec).next().unwrap();
    assert_eq!(
        process.items("feature-gates").collect::<Vec<_>>(),
        ["A=true", "B=false", "B=true"]
    );
    assert_eq!(
        (process.gate("A"), process.gate("B"), process.gate("C")),
        (Some(true), Some(true), None)
    );
}

#[test]
fn a_script_ends_where_the_next_command_begins() {
    let script =
        "exec kube-apiserver --profiling=false \\\n  --secure-port=443 1>>/var/log/a.log 2>&1; other --profiling=true";
    let container = json!({"command": ["/bin/sh", "-c", script]});
    let (component, values) = read(&container, &["profiling", "secure-port"]).unwrap();
    assert_eq!(component, Component::KubeApiserver);
    assert_eq!(values, [Some("false".to_owned()), Some("443".to_owned())]);
}

#[test]
fn etcd_reads_variables_and_no_password_is_kept() {
    let container = json!({"command": ["etcd", "--key-file=/flag"], "env": [
        {"name": "ETCD_CLIENT_CERT_AUTH", "value": "true"},
        {"name": "ETCD_KEY_FILE", "value": "/variable"},
        {"name": "ETCD_ROOT_PASSWORD", "value": "hunter2hunter2"},
    ]});
    let (_, values) = read(&container, &["client-cert-auth", "key-file", "root-password"]).unwrap();
    assert_eq!(values, [Some("true".to_owned()), Some("/flag".to_owned()), None]);
    assert!(!format!("{:?}", spec_of(&container)).contains("hunter2"));
}

#[test]
fn init_containers_count_only_where_they_keep_running() {
    let spec = |restart: Value| {
        let init = json!({"name": "a", "command": ["kubelet"], "restartPolicy": restart});
        PodTemplate::decode(&json!({"spec": {"initContainers": [init]}}), false).unwrap()
    };
    assert_eq!(processes(&spec(json!("Always")).spec).count(), 1);
    assert_eq!(processes(&spec(Value::Null).spec).count(), 0);
}

#[test]
fn durations_are_read_as_go_writes_them() {
    for (text, expected) in [
        ("0", Some(0)),
        ("90s", Some(90)),
        ("1h30m", Some(5400)),
        ("1.5m", Some(90)),
        ("500ms", Some(0)),
        ("60", None),
        ("", None),
        ("5 m", None),
    ] {
        assert_eq!(seconds(text), expected, "{text}");
    }
}

#[test]
fn addresses_of_this_host_only_are_told_from_others() {
    for host in ["127.0.0.1", "localhost", "::1", "[::1]"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in ["0.0.0.0", "10.0.0.1", "::", "", "example.com"] {
        assert!(!is_loopback(host), "{host}");
    }
    assert!(is_unspecified("0.0.0.0") && is_unspecified("[::]") && !is_unspecified("10.0.0.1"));
}

#[test]
fn weak_suites_are_known() {
    assert!(is_strong("TLS_AES_128_GCM_SHA256") && is_strong("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"));
    for suite in [
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
        "",
    ] {
        assert!(!is_strong(suite), "{suite}");
    }
}
