//! The Pod Security Standards as the API server itself applies them: generated pods, level by level, its answer beside ours.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::{Scenario, scenario};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::numbers::{Numbers, from_environment};

/// Pods that are generated. A seed of one's own looks further: `IRONSIDE_POD_SEED`.
const PODS: u64 = 600;

/// Requests under way at one time.
const AT_ONCE: usize = 8;

/// One field that a standard looks at, with values on both sides of its line. `null` takes the field away.
struct Field {
    /// Below the pod, or below a container.
    of_container: bool,
    pointer: &'static str,
    values: Value,
}

#[allow(clippy::too_many_lines)] // one table
fn fields() -> Vec<Field> {
    let seccomp = json!([null, {"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "p.json"}]);
    let apparmor = json!([null, {"type": "RuntimeDefault"}, {"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "p"}]);
    let selinux = json!([null, {}, {"type": ""}, {"type": "container_t"}, {"type": "container_kvm_t"}, {"type": "container_engine_t"}, {"type": "spc_t"}, {"user": "u"}, {"role": "r"}, {"level": "s0"}]);
    let non_root = json!([null, true, false]);
    let user = json!([null, 0, 1, 1000]);
    let sysctl = |name: &str| json!([{"name": name, "value": "1"}]);
    let volume = |source: Value| {
        let mut volume = source;
        volume["name"] = json!("v");
        json!([volume])
    };
    let pod = |pointer, values| Field {
        of_container: false,
        pointer,
        values,
    };
    let container = |pointer, values| Field {
        of_container: true,
        pointer,
        values,
    };
    vec![
        pod("/spec/hostNetwork", json!([null, true, false])),
        pod("/spec/hostPID", json!([null, true, false])),
        pod("/spec/hostIPC", json!([null, true, false])),
        pod("/spec/hostUsers", json!([null, true, false])),
        pod("/spec/securityContext/runAsNonRoot", non_root.clone()),
        pod("/spec/securityContext/runAsUser", user.clone()),
        pod("/spec/securityContext/seccompProfile", seccomp.clone()),
        pod("/spec/securityContext/appArmorProfile", apparmor.clone()),
        pod("/spec/securityContext/seLinuxOptions", selinux.clone()),
        pod(
            "/spec/securityContext/sysctls",
            json!([
                null,
                [],
                sysctl("kernel.shm_rmid_forced"),
                sysctl("net.ipv4.ip_unprivileged_port_start"),
                sysctl("net.ipv4.tcp_keepalive_time"),
                sysctl("net.ipv4.tcp_rmem"),
                sysctl("net.ipv4.tcp_notsent_lowat"),
                sysctl("kernel.msgmax"),
                sysctl("net.core.somaxconn"),
            ]),
        ),
        pod(
            "/metadata/annotations",
            json!([
                null,
                {"container.apparmor.security.beta.kubernetes.io/c0": "unconfined"},
                {"container.apparmor.security.beta.kubernetes.io/c0": "runtime/default"},
                {"container.apparmor.security.beta.kubernetes.io/c0": "localhost/p"},
            ]),
        ),
        pod(
            "/spec/volumes",
            json!([
                null,
                volume(json!({"emptyDir": {}})),
                volume(json!({"configMap": {"name": "c"}})),
                volume(json!({"secret": {"secretName": "s"}})),
                volume(json!({"downwardAPI": {"items": []}})),
                volume(json!({"projected": {"sources": []}})),
                volume(json!({"persistentVolumeClaim": {"claimName": "p"}})),
                volume(json!({"csi": {"driver": "d.example.com"}})),
                volume(
                    json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}})
                ),
                volume(json!({"image": {"reference": "registry.example.com/i:1"}})),
                volume(json!({"hostPath": {"path": "/etc"}})),
                volume(json!({"nfs": {"server": "n", "path": "/"}})),
                volume(
                    json!({"iscsi": {"targetPortal": "1.2.3.4:3260", "iqn": "iqn.2001-04.com.example:storage", "lun": 0}})
                ),
                volume(json!({"fc": {"targetWWNs": ["500a0982991b8dc5"], "lun": 0}})),
            ]),
        ),
        container("/securityContext/privileged", json!([null, true, false])),
        container("/securityContext/allowPrivilegeEscalation", json!([null, true, false])),
        container("/securityContext/runAsNonRoot", non_root),
        container("/securityContext/runAsUser", user),
        container("/securityContext/seccompProfile", seccomp),
        container("/securityContext/appArmorProfile", apparmor),
        container("/securityContext/seLinuxOptions", selinux),
        container("/securityContext/procMount", json!([null, "Default", "Unmasked"])),
        container(
            "/securityContext/capabilities/drop",
            json!([null, [], ["ALL"], ["all"], ["NET_RAW"], ["NET_RAW", "ALL"]]),
        ),
        container(
            "/securityContext/capabilities/add",
            json!([
                null,
                [],
                ["NET_BIND_SERVICE"],
                ["CHOWN"],
                ["KILL", "SETUID"],
                ["NET_RAW"],
                ["SYS_ADMIN"],
                ["ALL"],
                ["CAP_CHOWN"]
            ]),
        ),
        container(
            "/ports",
            json!([null, [{"containerPort": 80}], [{"containerPort": 80, "hostPort": 0}], [{"containerPort": 80, "hostPort": 8080}]]),
        ),
        container(
            "/livenessProbe",
            json!([
                null,
                {"httpGet": {"port": 80}},
                {"httpGet": {"port": 80, "host": ""}},
                {"httpGet": {"port": 80, "host": "10.0.0.1"}},
                {"tcpSocket": {"port": 80, "host": "10.0.0.1"}},
            ]),
        ),
        container(
            "/lifecycle",
            json!([null, {"preStop": {"exec": {"command": ["true"]}}}, {"preStop": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}, {"postStart": {"httpGet": {"port": 80}}}]),
        ),
    ]
}

/// A pod that keeps the restricted standard, changed in up to four fields: near the line on both sides.
fn pod(number: u64, seed: u64, fields: &[Field]) -> Value {
    let mut numbers = Numbers(seed ^ number.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let hardened = |name: String| {
        json!({
            "name": name, "image": "registry.example.com/app:1.0.0",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        })
    };
    let containers: Vec<Value> = (0..=numbers.next() % 2)
        .map(|index| hardened(format!("c{index}")))
        .collect();
    let init: Vec<Value> = (0..numbers.next() % 2)
        .map(|index| hardened(format!("i{index}")))
        .collect();
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("p{number}")},
        "spec": {
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": containers, "initContainers": init,
        },
    });
    for _ in 0..numbers.next() % 5 {
        let field = numbers.pick(fields);
        let value = numbers
            .pick(field.values.as_array().map_or(&[][..], Vec::as_slice))
            .clone();
        let prefix = match (field.of_container, numbers.next() % 3) {
            (false, _) => String::new(),
            (true, 0) if !init.is_empty() => "/spec/initContainers/0".to_owned(),
            (true, which) => format!("/spec/containers/{}", (which + 1) % containers.len() as u64),
        };
        // Init containers have neither probes nor lifecycle.
        if !(prefix.contains("init") && ["/livenessProbe", "/lifecycle"].contains(&field.pointer)) {
            set(&mut pod, &format!("{prefix}{}", field.pointer), value);
        }
    }
    pod
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    let (last, parents) = steps.split_last().expect("a field");
    for step in parents {
        at = match step.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[*step],
        };
    }
    if value.is_null() {
        if let Some(fields) = at.as_object_mut() {
            fields.remove(*last);
        }
    } else {
        at[*last] = value;
    }
}

/// `None`: no API server takes such a pod, whatever the level. Else why the level refuses it; empty if it does not.
type Answer = Option<String>;

/// What the API server says to a pod in a namespace that enforces a level.
async fn asked(pods: &Api<Pod>, pod: &Value) -> Result<Answer> {
    let object: Pod = serde_json::from_value(pod.clone())?;
    let parameters = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match pods.create(&parameters, &object).await {
        Ok(_) => Ok(Some(String::new())),
        Err(kube::Error::Api(status)) if status.message.contains("violates PodSecurity") => {
            Ok(Some(status.message.clone()))
        }
        Err(kube::Error::Api(status)) if status.code == 422 || status.code == 400 => Ok(None),
        Err(error) => bail!("{error}: {pod}"),
    }
}

/// The controls that each pod fails, by its name.
async fn judged(test: &Scenario<'_>, profile: &str, pods: &[Value]) -> Result<BTreeMap<String, Vec<String>>> {
    let file = test.folder().join("pods.json");
    std::fs::write(
        &file,
        json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string(),
    )?;
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(["scan", "-o", "json", "--profile", profile])
        .arg(&file)
        .output()
        .await?;
    let scan: Value =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(scan["problems"] == json!([]), "{}", scan["problems"]);
    let mut failed = BTreeMap::<String, Vec<String>>::new();
    for result in scan["results"].as_array().context("results")? {
        if result["result"] == "Fail" && result["object"]["kind"] == "Pod" {
            let name = result["object"]["name"].as_str().unwrap_or_default().to_owned();
            failed.entry(name).or_default().push(result["control"].to_string());
        }
    }
    Ok(failed)
}

#[tokio::test]
async fn generated_pods_are_admitted_exactly_where_the_profile_passes() -> Result<()> {
    scenario(async |test| {
        let seed = from_environment("IRONSIDE_POD_SEED", 1);
        let fields = fields();
        let pods: Vec<Value> = (0..PODS).map(|number| pod(number, seed, &fields)).collect();
        let namespaces: Api<Namespace> = Api::all(test.client.clone());
        let mut differ = Vec::new();
        for level in ["baseline", "restricted"] {
            let name = format!("pss-{level}-{}", test.next_number());
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": level}}});
            namespaces.create(&PostParams::default(), &serde_json::from_value(namespace)?).await?;
            let api: Api<Pod> = Api::namespaced(test.client.clone(), &name);
            let account: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(test.client.clone(), &name);
            ironside_e2e::wait::until("the namespace has its account", async || Ok(account.get("default").await?)).await?;
            let answers: Vec<Answer> = futures::stream::iter(&pods)
                .map(|pod| asked(&api, pod))
                .buffered(AT_ONCE)
                .try_collect()
                .await?;
            namespaces.delete(&name, &DeleteParams::default()).await?;
            let failed = judged(test, &format!("pss-{level}"), &pods).await?;
            let mut counts = [0, 0, 0];
            for (pod, answer) in pods.iter().zip(&answers) {
                let controls = failed.get(pod["metadata"]["name"].as_str().unwrap_or_default());
                counts[match answer {
                    None => 0,
                    Some(refusal) if refusal.is_empty() => 1,
                    Some(_) => 2,
                }] += 1;
                if let Some(refusal) = answer
                    && refusal.is_empty() == controls.is_some()
                {
                    differ.push(format!("{level}: API server: {refusal:?}, Ironside: {controls:?}\n{pod}"));
                }
            }
            let [invalid, admitted, refused] = counts;
            let both = admitted > PODS / 10 && refused > PODS / 10;
            ensure!(both, "{level}: {admitted} admitted, {refused} refused, {invalid} invalid");
        }
        let first = differ[..differ.len().min(20)].join("\n");
        ensure!(differ.is_empty(), "seed {seed}: {} answers differ, the first:\n{first}", differ.len());
        Ok(())
    })
    .await
}
