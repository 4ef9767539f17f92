//! Small worlds, worked out by hand.

use serde_json::json;

use super::*;
use crate::model::Kind;
use crate::testing::Case;
use crate::world::{Delta, Object, Snapshot};

fn all(documents: &str) -> Vec<Way> {
    ways(&Case::of(documents).world.drain().0)
}

/// The ways from outside.
fn shown(documents: &str) -> Vec<String> {
    let outside = all(documents).into_iter().filter(|way| way.entry.is_some());
    outside.map(|way| way.to_string()).collect()
}

/// The ways of workloads that are not exposed.
fn inside(documents: &str) -> Vec<String> {
    let inside = all(documents).into_iter().filter(|way| way.entry.is_none());
    inside.map(|way| way.to_string()).collect()
}

fn deployment(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{{spec} containers: [{{name: a, image: a}}]}}}}}}\n---\n"
    )
}

fn service(name: &str, kind: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{type: {kind}, selector: {{app: {name}}}}}\n---\n"
    )
}

fn binding(name: &str, namespace: Option<&str>, role: &str, account: &str) -> String {
    let (kind, at) = match namespace {
        Some(namespace) => ("RoleBinding", format!(", namespace: {namespace}")),
        None => ("ClusterRoleBinding", String::new()),
    };
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {{name: {name}{at}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}\nsubjects: [{{kind: ServiceAccount, name: {account}, namespace: shop}}]\n---\n"
    )
}

const ROLES: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everything}
rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: deployer}
rules: [{apiGroups: [apps], resources: [deployments], verbs: [create]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [''], resources: [configmaps], verbs: [get]}]
---
";

/// A workload whose account may do everything, behind a Service of this type.
fn administrator(service_type: &str) -> String {
    [
        ROLES,
        &deployment("web", "serviceAccountName: web,"),
        &service("web", service_type),
        &binding("web", None, "everything", "web"),
    ]
    .concat()
}

/// Open at once: a load balancer, a token, everything.
#[test]
fn an_exposed_administrator_is_one_step_away() {
    assert_eq!(
        shown(&administrator("LoadBalancer")),
        [
            "Service shop/web (a load balancer) -> Deployment shop/web -> ServiceAccount shop/web -> may do everything (ClusterRoleBinding web)"
        ]
    );
}

/// A reader may be late: what it works out is of the version that it has, and not of those that came since.
#[test]
fn what_is_worked_out_late_is_not_taken_for_later_versions() {
    let mut world = Case::of(&administrator("ClusterIP")).world;
    let exposed = |world: &Snapshot| world.ways().iter().filter(|way| way.entry.is_some()).count();
    let before = world.drain().0;
    let opened = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"type": "NodePort", "selector": {"app": "web"}}});
    world.apply(Delta::Apply(Object::decode(Kind::Service, &opened).unwrap()));
    assert_eq!(exposed(&before), 0);
    assert_eq!(exposed(&world.drain().0), 1);
}

/// Over another account: what is exposed may deploy, and somebody else in its namespace may do everything.
#[test]
fn who_may_make_pods_becomes_who_may_do_everything() {
    let ingress = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: front, namespace: shop}\nspec: {rules: [{http: {paths: [{path: /, backend: {service: {name: web}}}]}}]}\n---\n";
    let world = [
        ROLES,
        ingress,
        &deployment("web", "serviceAccountName: web,"),
        &service("web", "ClusterIP"),
        &binding("web", Some("shop"), "deployer", "web"),
        &binding("ops", None, "everything", "ops"),
    ]
    .concat();
    assert_eq!(
        shown(&world),
        [
            "Service shop/web (Ingress front) -> Deployment shop/web -> ServiceAccount shop/web -> by making a pod it becomes ServiceAccount shop/ops \
          (RoleBinding shop/web) -> may do everything (ClusterRoleBinding ops)"
        ]
    );
    // Inside only: nobody outside gets that far.
    let hidden = world.replace(ingress, "");
    assert_eq!(shown(&hidden), [""; 0]);
    let way = "Deployment shop/web -> ServiceAccount shop/web -> by making a pod it becomes ServiceAccount shop/ops (RoleBinding shop/web) -> may do everything (ClusterRoleBinding ops)";
    assert_eq!(inside(&hidden), [way]);
}

/// Nothing is open: each of these has one thing that the way needs, and lacks another.
#[test]
fn without_exposure_token_or_rights_there_is_no_way() {
    let powerful = binding("web", None, "everything", "web");
    for (name, parts) in [
        (
            "no token",
            [
                deployment("web", "serviceAccountName: web, automountServiceAccountToken: false,"),
                powerful.clone(),
            ],
        ),
        (
            "a token for somebody else",
            [
                deployment(
                    "web",
                    "serviceAccountName: web, automountServiceAccountToken: false, volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t, audience: vault}}]}}],",
                ),
                powerful.clone(),
            ],
        ),
        ("another account", [deployment("web", ""), powerful.clone()]),
        (
            "few rights",
            [
                deployment("web", "serviceAccountName: web,"),
                binding("web", None, "reader", "web"),
            ],
        ),
        (
            "not selected",
            [deployment("other", "serviceAccountName: web,"), powerful.clone()],
        ),
    ] {
        let world = [ROLES.to_owned(), parts.concat(), service("web", "NodePort")].concat();
        assert_eq!(shown(&world), [""; 0], "{name}");
    }
    let projected = deployment(
        "web",
        "serviceAccountName: web, automountServiceAccountToken: false, volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: t}}]}}],",
    );
    let world = [ROLES.to_owned(), projected, powerful, service("web", "NodePort")].concat();
    assert_eq!(shown(&world).len(), 1, "a token of its own making");
}

#[test]
fn the_shortest_way_is_first() {
    let world = [
        ROLES,
        &deployment("long", "serviceAccountName: long,"),
        &service("long", "NodePort"),
        &binding("long", Some("shop"), "deployer", "long"),
        &deployment("short", "serviceAccountName: short,"),
        &service("short", "NodePort"),
        &binding("short", None, "everything", "short"),
    ]
    .concat();
    let ways = shown(&world);
    assert_eq!(ways.len(), 2);
    assert!(ways[0].contains("Deployment shop/short"), "{ways:?}");
}

/// Third world: a pod that nothing gives rights, and that has its node.
#[test]
fn what_opens_a_node_is_a_way_to_it() {
    let host = |path: &str, mount: &str| {
        format!(
            "volumes: [{{name: h, hostPath: {{path: {path}}}}}], initContainers: [{{name: i, image: i, restartPolicy: Always, volumeMounts: [{{name: h, mountPath: /h{mount}}}]}}],"
        )
    };
    let secured = |security: &str| {
        format!("initContainers: [{{name: i, image: i, restartPolicy: Always, securityContext: {security}}}],")
    };
    for (spec, by) in [
        (secured("{privileged: true}"), "container i is privileged"),
        (
            secured("{capabilities: {add: [CAP_SYS_ADMIN]}}"),
            "container i has the capability SYS_ADMIN",
        ),
        (
            secured("{capabilities: {add: [all]}}"),
            "container i has the capability ALL",
        ),
        (
            format!("hostPID: true, {}", secured("{capabilities: {add: [SYS_PTRACE]}}")),
            "container i has the capability SYS_PTRACE among the node's processes",
        ),
        (
            host("/var/run/docker.sock", ", readOnly: true"),
            "container i gives orders to the container runtime (/var/run/docker.sock)",
        ),
        (
            "ephemeralContainers: [{name: e, image: e, securityContext: {privileged: true}}],".to_owned(),
            "container e is privileged",
        ),
        (host("/", ""), "container i may write to / of the node"),
        (
            host("/etc/kubernetes/", ""),
            "container i may write to /etc/kubernetes/ of the node",
        ),
    ] {
        let spec = format!("automountServiceAccountToken: false, {spec}");
        let world = [deployment("web", &spec), service("web", "NodePort")].concat();
        let way = format!("Service shop/web (a port of every node) -> Deployment shop/web -> its node ({by})");
        assert_eq!(shown(&world), [way], "{spec}");
    }
    for closed in [
        secured("{capabilities: {add: [NET_BIND_SERVICE, SYS_PTRACE]}}"),
        format!("hostPID: true, {}", secured("{privileged: false}")),
        host("/", ", readOnly: true"),
        host("/var/lib/my-app", ""),
        format!("securityContext: {{runAsNonRoot: true}}, {}", host("/", "")),
        format!(
            "securityContext: {{runAsUser: 1000}}, {}",
            host("/run/containerd/containerd.sock", "")
        ),
        format!("os: {{name: windows}}, {}", secured("{privileged: true}")),
        // It has ended when the program of the pod can be broken into.
        secured("{privileged: true}").replace("restartPolicy: Always, ", ""),
    ] {
        let spec = format!("automountServiceAccountToken: false, {closed}");
        let world = [deployment("web", &spec), service("web", "NodePort")].concat();
        assert_eq!(shown(&world), [""; 0], "{closed}");
    }
}

/// Both ends of one workload are told; what the cluster itself runs is not, unless it is exposed.
#[test]
fn a_workload_has_a_way_to_each_end() {
    let privileged = "serviceAccountName: web, initContainers: [{name: i, image: i, restartPolicy: Always, securityContext: {privileged: true}}],";
    let world = [
        ROLES,
        &deployment("web", privileged),
        &binding("web", None, "everything", "web"),
    ]
    .concat();
    let ways = inside(&world);
    assert_eq!(ways.len(), 2, "{ways:?}");
    let own = world.replace("namespace: shop", "namespace: kube-system");
    assert_eq!(inside(&own), [""; 0]);
    let exposed = [
        own,
        service("web", "NodePort").replace("namespace: shop", "namespace: kube-system"),
    ]
    .concat();
    assert_eq!(shown(&exposed).len(), 2);
}
