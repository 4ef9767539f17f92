//! Manifests for the bench of `ironside scan`: as people keep them, from a seed, so that the same run can be had again.
//!
//! Files of four documents of about 1.3 KB each. One file in ten is awkward: anchors, CRLF, comments of Helm, a definition of a kind; one file has a ConfigMap of 1 MB.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::chance::Chance;

/// Documents in a file.
pub(super) const DOCUMENTS: usize = 4;

/// Applications in one namespace.
const PER_NAMESPACE: usize = 40;

/// The file that has the large ConfigMap.
const LARGE: usize = 17;

/// What was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// How many documents.
    pub documents: usize,
    /// How many bytes in all.
    pub bytes: usize,
}

/// Writes files into a new folder, a hundred in each folder below it.
///
/// # Errors
/// The folder is there already, or cannot be written.
pub fn write(folder: &Path, files: usize, seed: u64) -> Result<Written> {
    std::fs::create_dir(folder).with_context(|| format!("make {}", folder.display()))?;
    let mut chance = Chance::of(seed);
    let mut bytes = 0;
    for number in 0..files {
        let within = folder.join(format!("team-{:03}", number / 100));
        if number % 100 == 0 {
            std::fs::create_dir(&within)?;
        }
        let text = file(number, &mut chance);
        bytes += text.len();
        let path = within.join(format!("app-{number:05}.yaml"));
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(Written {
        documents: files * DOCUMENTS,
        bytes,
    })
}

fn file(number: usize, chance: &mut Chance) -> String {
    let app = App {
        name: format!("app-{number:05}"),
        namespace: format!("team-{:03}", number / PER_NAMESPACE),
        number,
    };
    let mut text = String::new();
    let documents = [
        app.workload(chance),
        app.service(chance),
        app.settings(chance),
        app.last(chance),
    ];
    for (place, document) in documents.iter().enumerate() {
        if number % 10 == 3 {
            // As `helm template` writes it.
            let _ = writeln!(text, "---\n# Source: shop/charts/{}/templates/{place}.yaml", app.name);
        } else if place > 0 {
            text.push_str("---\n");
        }
        text.push_str(document);
    }
    if number % 25 == 5 {
        text = text.replace('\n', "\r\n");
    }
    text
}

/// One application: its documents go together.
struct App {
    name: String,
    namespace: String,
    number: usize,
}

impl App {
    fn head(&self, api_version: &str, kind: &str, suffix: &str) -> String {
        let Self { name, namespace, .. } = self;
        format!(
            "apiVersion: {api_version}\nkind: {kind}\nmetadata:\n  name: {name}{suffix}\n  namespace: {namespace}\n  labels:\n    \
             app.kubernetes.io/name: {name}\n    app.kubernetes.io/instance: {name}\n    app.kubernetes.io/part-of: shop\n    \
             app.kubernetes.io/managed-by: Helm\n  annotations:\n    example.org/owner: \"{namespace}@example.org\"\n"
        )
    }

    fn workload(&self, chance: &mut Chance) -> String {
        let kind = [
            "Deployment",
            "Deployment",
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "CronJob",
        ][chance.below(6)];
        let anchors = self.number % 20 == 7;
        let mut text = self.head(if kind == "CronJob" { "batch/v1" } else { "apps/v1" }, kind, "");
        let name = &self.name;
        let indent = if kind == "CronJob" {
            text.push_str("spec:\n  schedule: \"*/5 * * * *\"\n  jobTemplate:\n    spec:\n      template:\n");
            "        "
        } else {
            text.push_str("spec:\n");
            if kind != "DaemonSet" {
                let _ = writeln!(text, "  replicas: {}", 1 + chance.below(5));
            }
            let _ = write!(
                text,
                "  selector:\n    matchLabels:\n      app.kubernetes.io/name: {name}\n  template:\n"
            );
            "    "
        };
        let mut template = format!(
            "metadata:\n  labels:\n    app.kubernetes.io/name: {name}\n    app.kubernetes.io/instance: {name}\nspec:\n  serviceAccountName: {name}\n"
        );
        if chance.below(3) == 0 {
            template.push_str(
                "  securityContext:\n    runAsNonRoot: true\n    seccompProfile:\n      type: RuntimeDefault\n",
            );
        }
        if kind == "CronJob" {
            template.push_str("  restartPolicy: OnFailure\n");
        }
        if chance.below(40) == 0 {
            template.push_str("  hostNetwork: true\n");
        }
        template.push_str("  containers:\n");
        let containers = 1 + usize::from(chance.below(3) == 0);
        for place in 0..containers {
            self.container(place, anchors, &mut template, chance);
        }
        template.push_str("  volumes:\n  - name: tmp\n    emptyDir: {}\n");
        let _ = write!(
            template,
            "  - name: settings\n    configMap:\n      name: {name}-settings\n"
        );
        if chance.below(30) == 0 {
            template.push_str("  - name: host\n    hostPath:\n      path: /var/run/docker.sock\n");
        }
        for line in template.lines() {
            let _ = writeln!(text, "{}{line}", if line.is_empty() { "" } else { indent });
        }
        text
    }

    fn container(&self, place: usize, anchors: bool, text: &mut String, chance: &mut Chance) {
        let name = ["app", "proxy"][place];
        let _ = write!(
            text,
            "  - name: {name}\n    image: registry.example.org/shop/{}:{}.{}.{}\n",
            self.name,
            chance.below(4),
            chance.below(30),
            chance.below(10)
        );
        if chance.below(2) == 0 {
            text.push_str("    imagePullPolicy: IfNotPresent\n");
        }
        if chance.below(4) == 0 {
            text.push_str("    command: [\"/bin/server\"]\n    args:\n    - --listen=:8080\n    - --log-level=info\n");
        }
        let _ = write!(
            text,
            "    ports:\n    - name: http\n      containerPort: {}\n      protocol: TCP\n",
            8080 + place
        );
        text.push_str("    env:\n");
        for number in 0..chance.below(6) {
            let _ = write!(
                text,
                "    - name: SETTING_{number}\n      value: \"{}\"\n",
                chance.below(10_000)
            );
        }
        text.push_str("    - name: POD_IP\n      valueFrom:\n        fieldRef:\n          fieldPath: status.podIP\n");
        if chance.below(20) == 0 {
            text.push_str("    - name: DB_PASSWORD\n      value: hunter2-hunter2\n");
        }
        // The second container takes the first one's by its name.
        match (anchors, place) {
            (true, 0) => text.push_str("    resources: &resources\n"),
            (true, _) => text.push_str("    resources: *resources\n"),
            (false, _) => text.push_str("    resources:\n"),
        }
        if !(anchors && place > 0) {
            text.push_str("      limits:\n        cpu: 500m\n        memory: 256Mi\n      requests:\n        cpu: 50m\n        memory: 64Mi\n");
        }
        if chance.below(2) == 0 {
            text.push_str(
                "    livenessProbe:\n      httpGet:\n        path: /healthz\n        port: http\n    readinessProbe:\n      httpGet:\n        path: /ready\n        port: http\n",
            );
        }
        match chance.below(5) {
            0 => text.push_str(
                "    securityContext:\n      allowPrivilegeEscalation: false\n      readOnlyRootFilesystem: true\n      runAsNonRoot: true\n      capabilities:\n        drop: [ALL]\n",
            ),
            1 => text.push_str("    securityContext:\n      runAsUser: 1000 # not root\n"),
            2 if chance.below(8) == 0 => text.push_str("    securityContext: {privileged: true}\n"),
            _ => {}
        }
        text.push_str("    volumeMounts:\n    - name: tmp\n      mountPath: /tmp\n    - name: settings\n      mountPath: /etc/app\n      readOnly: true\n");
    }

    fn service(&self, chance: &mut Chance) -> String {
        let mut text = self.head("v1", "Service", "");
        if chance.below(10) == 0 {
            text.push_str("spec:\n  type: LoadBalancer\n");
        } else {
            text.push_str("spec:\n");
        }
        let _ = write!(
            text,
            "  selector:\n    app.kubernetes.io/name: {}\n  ports:\n  - name: http\n    port: 80\n    targetPort: http\n",
            self.name
        );
        text
    }

    fn settings(&self, chance: &mut Chance) -> String {
        let mut text = self.head("v1", "ConfigMap", "-settings");
        text.push_str("data:\n");
        for number in 0..4 + chance.below(8) {
            let _ = writeln!(text, "  setting.{number}: \"{}\"", chance.below(1_000_000));
        }
        text.push_str("  application.conf: |\n");
        let lines = if self.number == LARGE {
            20_000
        } else {
            5 + chance.below(40)
        };
        for number in 0..lines {
            let _ = writeln!(
                text,
                "    server.option-{number:05} = \"some value {:06}\"",
                chance.below(1_000_000)
            );
        }
        text
    }

    fn last(&self, chance: &mut Chance) -> String {
        if self.number % 40 == 11 {
            return self.definition();
        }
        let name = &self.name;
        match chance.below(6) {
            0 => {
                let mut text = self.head("networking.k8s.io/v1", "NetworkPolicy", "");
                let _ = write!(
                    text,
                    "spec:\n  podSelector:\n    matchLabels:\n      app.kubernetes.io/name: {name}\n  policyTypes: [Ingress]\n  ingress:\n  - from:\n    - podSelector: {{}}\n    ports:\n    - port: 8080\n"
                );
                text
            }
            1 => {
                let mut text = self.head("rbac.authorization.k8s.io/v1", "Role", "");
                text.push_str(
                    "rules:\n- apiGroups: [\"\"]\n  resources: [configmaps, pods]\n  verbs: [get, list, watch]\n",
                );
                text
            }
            2 => {
                let mut text = self.head("rbac.authorization.k8s.io/v1", "RoleBinding", "");
                let _ = write!(
                    text,
                    "roleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: {name}\nsubjects:\n- kind: ServiceAccount\n  name: {name}\n"
                );
                text
            }
            3 => {
                let mut text = self.head("networking.k8s.io/v1", "Ingress", "");
                let _ = write!(
                    text,
                    "spec:\n  rules:\n  - host: {name}.example.org\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service:\n            name: {name}\n            port:\n              name: http\n"
                );
                text
            }
            4 => {
                let mut text = self.head("autoscaling/v2", "HorizontalPodAutoscaler", "");
                let _ = write!(
                    text,
                    "spec:\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: {name}\n  minReplicas: 1\n  maxReplicas: 5\n"
                );
                text
            }
            _ => self.head("v1", "ServiceAccount", "") + "automountServiceAccountToken: false\n",
        }
    }

    /// A definition of a kind, as generators write them: long descriptions, deep schemas.
    fn definition(&self) -> String {
        let plural = format!("widgets{}", self.number);
        let mut text = format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {plural}.example.org\nspec:\n  group: example.org\n  names:\n    \
             kind: Widget{number}\n    plural: {plural}\n  scope: Namespaced\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      \
             openAPIV3Schema:\n        type: object\n        properties:\n          spec:\n            type: object\n            properties:\n",
            number = self.number
        );
        for field in 0..24 {
            let _ = write!(
                text,
                "              field{field}:\n                description: |-\n                  Field {field} says how the widget is made, and what\n                  becomes of it when it is not.\n\n                  More than one paragraph is usual here.\n                type: string\n"
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_files_again_and_every_document_is_yaml() {
        let files = |seed| {
            let mut chance = Chance::of(seed);
            (0..60).map(|number| file(number, &mut chance)).collect::<Vec<_>>()
        };
        let all = files(1);
        assert_eq!(all, files(1));
        assert_ne!(all, files(2));
        assert!(all[LARGE].len() > 900_000, "{}", all[LARGE].len());
        for text in &all {
            let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(text).unwrap();
            assert_eq!(documents.len(), DOCUMENTS, "{text}");
        }
        let all = all.concat();
        for awkward in ["&resources", "\r\n", "# Source:", "CustomResourceDefinition"] {
            assert!(all.contains(awkward), "{awkward}");
        }
    }
}
