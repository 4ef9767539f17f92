//! `ironside reach`: who reaches whom on which ports, as the NetworkPolicies of files or a cluster have it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use ironside_engine::model::ObjectRef;
use ironside_engine::model::network::Protocol;
use ironside_engine::network::address::{self, Range};
use ironside_engine::network::connectivity::{End, Policies};
use ironside_engine::network::endpoints;
use ironside_engine::network::ports::{PortRange, PortSet};
use ironside_engine::network::reach::{Reading, Source};
use ironside_engine::world::Snapshot;
use serde_json::{Value, json};

use super::judge::Scanned;
use super::manifest::Manifests;
use super::style::Style;
use super::{ClusterArgs, Format, Outcome, kubeconfig, listing};

#[derive(Debug, Args)]
pub(super) struct ReachArgs {
    /// Files and folders of manifests; `-` reads standard input.
    paths: Vec<PathBuf>,
    /// Look at what runs in the cluster instead of files.
    #[arg(long, conflicts_with = "paths")]
    cluster: bool,
    /// With a namespace: only connections that begin or end there. Who is a peer is read from all of them.
    #[command(flatten)]
    target: ClusterArgs,
    /// Only connections from this end: `KIND/NAME` or `KIND/NAMESPACE/NAME` of a workload, `nodes`, `outside`.
    #[arg(long, value_name = "WHO")]
    from: Option<Who>,
    /// Only connections to this end.
    #[arg(long, value_name = "WHO")]
    to: Option<Who>,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl ReachArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        if self.paths.is_empty() && !self.cluster {
            bail!("nothing to look at: give files or folders, `-` for standard input, or --cluster");
        }
        let mut scanned = Scanned::default();
        if self.cluster {
            let connection = kubeconfig::connect(&self.target).await?;
            listing::read(&connection.client, None, &mut scanned).await;
        } else {
            scanned.add(Manifests::read(&self.paths, &mut std::io::stdin().lock()));
        }
        let trouble = scanned.tell_problems(err)?;
        let world = scanned.world();
        let ends = ends(&world);
        for who in [&self.from, &self.to].into_iter().flatten() {
            if !ends.keys().any(|end| who.means(end)) {
                bail!(
                    "nobody is {}: `ironside reach` without --from and --to shows every end",
                    who.text
                );
            }
        }
        let namespace = self.target.namespace.as_deref();
        let wanted = |from: &Name, to: &Name| {
            self.from.as_ref().is_none_or(|who| who.means(from))
                && self.to.as_ref().is_none_or(|who| who.means(to))
                && namespace.is_none_or(|namespace| from.is_in(namespace) || to.is_in(namespace))
        };
        let rows = rows(&world, &ends, wanted);
        match self.output {
            Format::Table => {
                let everyone = self.from.is_none() && namespace.is_none();
                write_table(&rows, everyone, Style::of_stdout(), out)?;
            }
            Format::Json => {
                let items: Vec<Value> = rows.iter().map(Row::as_json).collect();
                let document = json!({"apiVersion": "ironside.dev/v1", "kind": "ReachList", "items": items});
                serde_json::to_writer_pretty(&mut *out, &document)?;
                writeln!(out)?;
            }
        }
        Ok(if trouble { Outcome::Trouble } else { Outcome::Clean })
    }
}

/// An end as a person names it.
#[derive(Debug, Clone)]
struct Who {
    text: String,
    /// Kind, namespace, name, where it is a workload.
    workload: Option<(String, Option<String>, String)>,
}

impl std::str::FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split('/').collect();
        let workload = match *words.as_slice() {
            ["nodes" | "outside"] => None,
            [kind, name] => Some((kind.to_lowercase(), None, name.to_owned())),
            [kind, namespace, name] => Some((kind.to_lowercase(), Some(namespace.to_owned()), name.to_owned())),
            _ => return Err("write KIND/NAME, KIND/NAMESPACE/NAME, nodes or outside".to_owned()),
        };
        Ok(Self {
            text: text.to_owned(),
            workload,
        })
    }
}

impl Who {
    fn means(&self, end: &Name) -> bool {
        match (end, &self.workload) {
            (Name::Workload(it), Some((kind, namespace, name))) => {
                it.kind.name().to_lowercase() == *kind
                    && namespace.as_ref().is_none_or(|namespace| **namespace == *it.namespace)
                    && **name == *it.name
            }
            (Name::Nodes, None) => self.text == "nodes",
            (Name::Outside(_), None) => self.text == "outside",
            _ => false,
        }
    }
}

/// What an end is called. The order is that of the output.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// The topmost workload of some pods, or a pod that has none.
    Workload(ObjectRef),
    /// Nodes, and pods that use their network.
    Nodes,
    /// Addresses that no policy tells apart, outside the cluster.
    Outside(Range),
}

impl Name {
    fn is_in(&self, namespace: &str) -> bool {
        matches!(self, Self::Workload(reference) if &*reference.namespace == namespace)
    }

    fn as_json(&self) -> Value {
        match self {
            Self::Workload(it) => json!({
                "apiVersion": it.kind.api_version(), "kind": it.kind.name(),
                "namespace": &*it.namespace, "name": &*it.name,
            }),
            Self::Nodes => json!({"kind": "Nodes"}),
            Self::Outside(range) => json!({"kind": "Outside", "addresses": range.to_string()}),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workload(reference) => reference.fmt(f),
            Self::Nodes => f.write_str("other nodes"),
            Self::Outside(range) => write!(f, "outside, {range}"),
        }
    }
}

/// Every end with its variants: during a rollout the pods of one workload may differ.
fn ends(world: &Snapshot) -> BTreeMap<Name, Vec<End>> {
    let mut ends: BTreeMap<Name, Vec<End>> = BTreeMap::new();
    for (namespace, shard) in &world.shards {
        let labels = endpoints::namespace_labels(namespace, shard);
        for endpoint in endpoints::of_namespace(world, shard) {
            let end = End {
                is: if endpoint.host_network {
                    Source::Node
                } else {
                    Source::Pods {
                        namespace: namespace.clone(),
                        labels: endpoint.labels,
                    }
                },
                namespace_labels: labels.clone(),
                ports: endpoint.ports,
            };
            ends.entry(Name::Workload(endpoint.workload)).or_default().push(end);
        }
    }
    ends.insert(Name::Nodes, vec![End::node()]);
    let policies = world.shards.values().flat_map(|shard| shard.network_policies.values());
    let peers = policies.flat_map(|policy| {
        let (ingress, egress) = (&policy.spec.ingress, &policy.spec.egress);
        let (from, to) = (
            ingress.iter().flat_map(|it| &it.from),
            egress.iter().flat_map(|it| &it.to),
        );
        from.chain(to)
    });
    let blocks: Vec<_> = peers.filter_map(|peer| peer.ip_block.as_ref()).collect();
    for range in address::atoms(blocks.into_iter()) {
        ends.insert(Name::Outside(range), vec![End::outside(range)]);
    }
    ends
}

/// What one end reaches at another.
struct Row {
    from: Name,
    to: Name,
    /// Ports that are reached in any case.
    ports: PortSet,
    /// Ports that only some pods of the two ends have, or only some network plugins let through: they differ in whether an `ipBlock` covers pods and nodes.
    perhaps: PortSet,
}

/// Every pair that is wanted, of which a policy can say something: one end is a pod.
fn rows(world: &Snapshot, ends: &BTreeMap<Name, Vec<End>>, wanted: impl Fn(&Name, &Name) -> bool) -> Vec<Row> {
    let readings = [Reading::Least, Reading::Most].map(|reading| Policies::of(world, reading));
    let mut rows = Vec::new();
    for (to, targets) in ends {
        for (from, sources) in ends {
            let some_pod = matches!(from, Name::Workload(_)) || matches!(to, Name::Workload(_));
            if !some_pod || from == to || !wanted(from, to) {
                continue;
            }
            let pairs = sources.iter().flat_map(|from| targets.iter().map(move |to| (from, to)));
            let sets: BTreeSet<PortSet> = pairs
                .flat_map(|(from, to)| readings.each_ref().map(|policies| policies.allowed(from, to)))
                .collect();
            let ports = sets
                .iter()
                .cloned()
                .reduce(|one, other| one.both(&other))
                .unwrap_or_default();
            let any: PortSet = sets.iter().flat_map(PortSet::ranges).copied().collect();
            rows.push(Row {
                from: from.clone(),
                to: to.clone(),
                perhaps: any.without(&ports),
                ports,
            });
        }
    }
    rows
}

impl Row {
    fn as_json(&self) -> Value {
        json!({
            "from": self.from.as_json(), "to": self.to.as_json(),
            "ports": ports_as_json(&self.ports), "perhaps": ports_as_json(&self.perhaps),
        })
    }

    /// `TCP 80, perhaps UDP 53`.
    fn words(&self) -> String {
        match (self.ports.is_empty(), self.perhaps.is_empty()) {
            (true, true) => "nothing".to_owned(),
            (false, true) => self.ports.to_string(),
            (true, false) => format!("perhaps {}", self.perhaps),
            (false, false) => format!("{}, perhaps {}", self.ports, self.perhaps),
        }
    }
}

/// Ranges of ports; a protocol without ports is `other`.
fn ports_as_json(ports: &PortSet) -> Value {
    let range = |range: &PortRange| {
        let protocol = range.protocol.map_or("other", Protocol::as_str);
        json!({"protocol": protocol, "first": range.first, "last": range.last})
    };
    ports.ranges().map(range).collect()
}

/// By the end that is reached: who reaches the same is told once. `everyone`: the rows are those from every end.
fn write_table(rows: &[Row], everyone: bool, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let mut by_end: BTreeMap<&Name, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for row in rows {
        let froms = by_end.entry(&row.to).or_default().entry(row.words()).or_default();
        froms.push(row.from.to_string());
    }
    for (to, groups) in &by_end {
        writeln!(out, "{}", style.bold(&to.to_string()))?;
        let everyone = everyone && groups.len() == 1;
        for (ports, from) in groups {
            if everyone {
                writeln!(out, "  {ports}  from everyone")?;
            } else {
                writeln!(out, "  {ports}  from {}", from.join("; "))?;
            }
        }
    }
    if by_end.is_empty() {
        writeln!(out, "No pods, so nobody reaches anybody.")?;
    } else if rows.iter().any(|row| !row.perhaps.is_empty()) {
        let note = "perhaps: only some pods of that end, or only with network plugins that let an ipBlock cover pods and nodes";
        writeln!(out, "{}", style.faint(note))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    const SHOP: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db, namespace: shop}
spec: {selector: {matchLabels: {app: db}}, template: {metadata: {labels: {app: db}}, spec: {containers: [{name: c}]}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}, {from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 22}]}], egress: [{ports: [{port: http}]}]}
";

    async fn said(arguments: &[&str]) -> (String, anyhow::Result<Outcome>) {
        // Tests of one process run side by side.
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let file = std::env::temp_dir().join(format!("ironside-reach-{}-{number}.yaml", std::process::id()));
        std::fs::write(&file, SHOP).unwrap();
        let path = file.display().to_string();
        let words = ["ironside", "reach", &path]
            .into_iter()
            .chain(arguments.iter().copied());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = Cli::try_parse_from(words).unwrap().run(&mut out, &mut err).await;
        std::fs::remove_file(&file).unwrap();
        assert_eq!(String::from_utf8(err).unwrap(), "");
        (String::from_utf8(out).unwrap(), outcome)
    }

    #[tokio::test]
    async fn the_table_says_who_reaches_an_end() {
        let (text, outcome) = said(&["--to", "deployment/db"]).await;
        assert_eq!(outcome.unwrap(), Outcome::Clean);
        assert_eq!(
            text,
            "Deployment shop/db\n\
\x20 TCP 22  from outside, 10.0.0.0 to 10.255.255.255\n\
\x20 TCP 5432, perhaps TCP 22  from Deployment shop/web\n\
\x20 nothing  from outside, 0.0.0.0 to 9.255.255.255; outside, 11.0.0.0 to 255.255.255.255; outside, IPv6 addresses\n\
\x20 perhaps TCP 22  from other nodes\n\
perhaps: only some pods of that end, or only with network plugins that let an ipBlock cover pods and nodes\n"
        );
        let (text, _) = said(&["--to", "deployment/shop/web", "-n", "shop"]).await;
        assert_eq!(
            text,
            "Deployment shop/web\n\
\x20 TCP 8080  from Deployment shop/db\n\
\x20 all ports  from other nodes; outside, 0.0.0.0 to 9.255.255.255; outside, 10.0.0.0 to 10.255.255.255; outside, 11.0.0.0 to 255.255.255.255; outside, IPv6 addresses\n"
        );
    }

    #[tokio::test]
    async fn only_who_was_asked_about_is_named() {
        let (text, _) = said(&["--from", "deployment/db", "--to", "deployment/web"]).await;
        assert_eq!(text, "Deployment shop/web\n\x20 TCP 8080  from Deployment shop/db\n");
    }

    #[tokio::test]
    async fn the_list_is_for_programs() {
        let (text, _) = said(&["--from", "deployment/db", "--to", "deployment/web", "-o", "json"]).await;
        let list: Value = serde_json::from_str(&text).unwrap();
        let end = |name| json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": name});
        let ports = json!([{"protocol": "TCP", "first": 8080, "last": 8080}]);
        assert_eq!(
            list["items"],
            json!([{"from": end("db"), "to": end("web"), "ports": ports, "perhaps": []}])
        );
    }

    #[tokio::test]
    async fn who_is_nobody_is_said() {
        let (_, outcome) = said(&["--to", "deployment/gone"]).await;
        assert!(
            outcome
                .unwrap_err()
                .to_string()
                .starts_with("nobody is deployment/gone")
        );
        let wrong = Cli::try_parse_from(["ironside", "reach", "-", "--from", "web"])
            .unwrap_err()
            .to_string();
        assert!(wrong.contains("write KIND/NAME"), "{wrong}");
    }
}
