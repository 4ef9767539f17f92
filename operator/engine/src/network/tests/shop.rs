//! A shop as its team would deploy it, and what tests ask of its plan.

use serde_json::Value;

use super::{after_all, isolate, objects, plan, plan_with};
use crate::network::{Memory, NetworkPlan};
use crate::plan::{Disposition, Held};

/// A shop: a web front behind an Ingress, an API with metrics, a database that only the API uses, and pods elsewhere.
const SHOP: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, uid: u1}
---
apiVersion: v1
kind: Namespace
metadata: {name: billing}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, version: v1}}
    spec:
      containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec:
  selector: {matchLabels: {app: api}}
  template:
    metadata:
      labels: {app: api}
      annotations: {prometheus.io/scrape: 'true', prometheus.io/port: '9102'}
    spec:
      containers: [{name: api, image: api, ports: [{containerPort: 8443}]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: db, ports: [{containerPort: 5432}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{port: 443, targetPort: 8443}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {selector: {app: db}, clusterIP: None, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  rules: [{http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: invoices, namespace: billing}
spec:
  selector: {matchLabels: {app: invoices}}
  template:
    metadata: {labels: {app: invoices}}
    spec:
      containers: [{name: c, image: i, env: [{name: API, value: 'https://api.shop.svc:443/v1'}]}]
";

pub(super) fn shop() -> Vec<Value> {
    objects(SHOP)
}

pub(super) fn with(mut objects: Vec<Value>, yaml: &str) -> Vec<Value> {
    objects.extend(super::objects(yaml));
    objects
}

pub(super) fn spec_of<'a>(plan: &'a NetworkPlan, prefix: &str) -> &'a Value {
    let found: Vec<_> = plan
        .wanted
        .iter()
        .filter(|policy| policy.name.starts_with(prefix))
        .collect();
    assert_eq!(
        found.len(),
        1,
        "{prefix}: {:?}",
        plan.wanted.iter().map(|policy| &policy.name).collect::<Vec<_>>()
    );
    &found[0].object["spec"]
}

pub(super) fn held(plan: &NetworkPlan) -> Vec<&'static str> {
    match &plan.disposition {
        Disposition::Held(held) => held.iter().map(Held::reason).collect(),
        _ => Vec::new(),
    }
}

/// The shop after its plan was carried out, and what is remembered of it.
pub(super) fn closed(objects: &[Value]) -> (Vec<Value>, Memory) {
    let first = plan(objects);
    let closed = after_all(objects, &first.steps);
    let memory = plan_with(&closed, &isolate(), &first.memory).memory;
    assert!(memory.closed);
    (closed, memory)
}
