//! Connectivity tables of other projects, read in place where they are; without them the test says so and passes.
//!
//! A row is what one end reaches at another when all policies count: ingress of the one and egress of the other. The module's answer is compared with the whole
//! row, not with samples of it, unless the table itself holds samples only. In one direction it is compared with the evaluator that shares no code with it, at
//! every port where something can change; for ingress also the universe that plans are made with.

mod table;
mod topology;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::naive::{self, Blocks, End};
use super::snapshot;
use crate::model::Labels;
use crate::model::network::{IpBlock, NetworkPolicySpec, Protocol};
use crate::network::address::{Family, Range, atoms};
use crate::network::connectivity::{self, Direction, Policies};
use crate::network::infer::{self, Need, Port, Ports};
use crate::network::ports::{PortRange, PortSet};
use crate::network::reach::{Edge, Reach, Reading, Source, Universe};
use crate::world::Snapshot;
use table::{Row, Side};

/// What the tables need beyond NetworkPolicies of the networking API, which this module does not read.
const BEYOND: [&str; 2] = ["anp", "banp"];

/// Counts of one set, or of all.
#[derive(Debug, Default)]
struct Tally {
    /// Rows whose ports agree as a whole.
    whole: usize,
    /// Rows of which the table knows samples, and those agree.
    sampled: usize,
    /// Rows through an ingress controller that agree with what Ingresses are known to need.
    controller: usize,
    /// Ends and pieces of the address space for which the table has no row, and nothing is allowed.
    absent: usize,
    /// Rows that nothing can be said about, by reason.
    passed_over: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

#[test]
fn other_projects_truth_tables_agree() {
    let root = std::env::var("IRONSIDE_CORPUS").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let Ok(index) = std::fs::read_to_string(root.join("netpol/index.jsonl")) else {
        println!("no corpus at {}: skipped", root.display());
        return;
    };
    let (mut sets, mut beyond, mut agreeing, mut all) = (0, 0, 0, Tally::default());
    for line in index.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let features = case["features"].as_array().unwrap();
        if features
            .iter()
            .any(|feature| BEYOND.contains(&feature.as_str().unwrap()))
        {
            beyond += 1;
            continue;
        }
        let tally = Case::of(&root, &case).compare();
        sets += 1;
        agreeing += usize::from(tally.wrong.is_empty());
        all.add(&case["id"], tally);
    }
    println!(
        "{agreeing} of {sets} sets agree, {beyond} need admin network policies. Rows: {} as a whole, {} at the ports that were probed, {} through ingress \
         controllers, {} absent ones; {} differ; passed over: {:?}",
        all.whole,
        all.sampled,
        all.controller,
        all.absent,
        all.wrong.len(),
        all.passed_over
    );
    assert!(all.whole > 0, "the corpus is there and nothing was compared");
    assert_eq!(all.wrong, Vec::<String>::new());
}

impl Tally {
    fn add(&mut self, id: &Value, other: Self) {
        self.whole += other.whole;
        self.sampled += other.sampled;
        self.controller += other.controller;
        self.absent += other.absent;
        for (why, count) in other.passed_over {
            *self.passed_over.entry(why).or_default() += count;
        }
        self.wrong
            .extend(other.wrong.into_iter().map(|row| format!("{id}: {row}")));
    }

    fn pass_over(&mut self, why: &'static str) {
        *self.passed_over.entry(why).or_default() += 1;
    }
}

/// One set.
struct Case {
    rows: Vec<Row>,
    ends: BTreeMap<String, Vec<End>>,
    /// What the universe of each namespace says.
    universes: BTreeMap<String, Answers>,
    policies: Vec<Value>,
    world: Snapshot,
    /// Pieces of the address space that no block of a policy splits.
    outside: Vec<Range>,
    /// The table knows samples only.
    sampled: bool,
    /// Pairs without a row are denied, addresses outside included.
    closed: bool,
    /// Routes send traffic in, too; they are not read.
    routes: bool,
}

impl Case {
    fn of(root: &Path, case: &Value) -> Self {
        let folder = root.join(case["path"].as_str().unwrap());
        let all = topology::all(root, case);
        let policies: Vec<Value> = all
            .iter()
            .filter(|object| object["kind"] == "NetworkPolicy")
            .cloned()
            .collect();
        let world = snapshot(&all);
        let rules = || {
            let specs = world
                .shards
                .values()
                .flat_map(|shard| shard.network_policies.values())
                .map(|policy| &policy.spec);
            specs.flat_map(|spec| {
                let ingress = spec.ingress.iter().flat_map(|rule| &rule.from);
                ingress.chain(spec.egress.iter().flat_map(|rule| &rule.to))
            })
        };
        let blocks: Vec<&IpBlock> = rules().filter_map(|peer| peer.ip_block.as_ref()).collect();
        let mut outside = atoms(blocks.into_iter());
        outside.retain(|range| range.family == Family::V4);
        let says = |word: &str| case["note"].as_str().is_some_and(|note| note.contains(word));
        let rows = table::rows(&std::fs::read_to_string(folder.join("expected.csv")).unwrap());
        Self {
            ends: topology::ends(&all),
            sampled: folder.join("probe.json").exists() || says("recipe"),
            // Some of its tables are about the inside of the cluster only.
            closed: case["source"] == "netpol-analyzer" && rows.iter().any(Row::is_about_outside),
            rows,
            routes: case["features"].as_array().unwrap().contains(&"route".into()),
            universes: world
                .shards
                .keys()
                .map(|namespace| (namespace.to_string(), Answers::of(&world, namespace, &policies)))
                .collect(),
            policies,
            outside,
            world,
        }
    }

    fn compare(&self) -> Tally {
        const NOBODY: &str = "an end is no workload of the set, or is on the node's network";
        let mut tally = Tally::default();
        let policies = Policies::of(&self.world, Reading::Least);
        for row in &self.rows {
            match (&row.from, &row.to) {
                (Side::Controller, Side::Workload(to)) => match self.ends_of(to).first() {
                    Some(to) => self.through_controller(row, to, &policies, &mut tally),
                    None => tally.pass_over(NOBODY),
                },
                (Side::Workload(from), Side::Workload(to)) => {
                    let (from, to) = (self.ends_of(from), self.ends_of(to));
                    if from.is_empty() || to.is_empty() {
                        tally.pass_over(NOBODY);
                    }
                    for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from, to))) {
                        self.between(row, from, to, &policies, &mut tally);
                    }
                }
                (Side::Outside(range), Side::Workload(name)) | (Side::Workload(name), Side::Outside(range)) => {
                    let ends = self.ends_of(name);
                    if ends.is_empty() {
                        tally.pass_over(NOBODY);
                    }
                    for end in ends {
                        self.outside(row, *range, end, &policies, &mut tally);
                    }
                }
                _ => tally.pass_over("an end is neither a workload nor an address"),
            }
        }
        if self.closed {
            self.without_rows(&policies, &mut tally);
        }
        tally
    }

    /// One table applies policies to pods on the node's network. Kubernetes leaves open what happens to those, so nothing can be compared.
    fn ends_of(&self, name: &str) -> Vec<&End> {
        let on_node = |end: &&End| matches!(end, End::Pod { host_network: true, .. });
        let ends = self.ends.get(name).into_iter().flatten();
        ends.filter(|end| !on_node(end)).collect()
    }

    fn between(&self, row: &Row, from: &End, to: &End, policies: &Policies<'_>, tally: &mut Tally) {
        let (known_from, known_to) = (topology::known(from), topology::known(to));
        let found = table::with_ports(&policies.allowed(&known_from, &known_to));
        if self.sampled {
            let differs = |(protocol, port): &(Protocol, u16)| {
                let probe = [PortRange::one(*protocol, *port)].into_iter().collect();
                found.both(&probe).is_empty() == row.allowed
            };
            match row.probes.iter().find(|probe| differs(probe)) {
                Some(probe) => tally.wrong.push(format!("{row:?}: {probe:?} is otherwise")),
                None => tally.sampled += 1,
            }
        } else if found == row.ports {
            tally.whole += 1;
        } else {
            tally.wrong.push(format!("{row:?}: found {found}"));
        }
        self.sides(row, from, to, policies);
    }

    /// Each direction by itself, against the evaluator that shares no code, at every port where something can change.
    fn sides(&self, row: &Row, from: &End, to: &End, policies: &Policies<'_>) {
        let (known_from, known_to) = (topology::known(from), topology::known(to));
        let namespace = match to {
            End::Pod { namespace, .. } => namespace.as_str(),
            _ => "",
        };
        let universe = &self.universes[namespace];
        for (protocol, port) in table::edges(&self.policies, &row.ports) {
            let wire = (protocol.as_str(), port);
            let probe: PortSet = [PortRange::one(protocol, port)].into_iter().collect();
            for (direction, ingress) in [(Direction::Ingress, true), (Direction::Egress, false)] {
                let said = !policies.lets(direction, &known_from, &known_to).both(&probe).is_empty();
                let naive = naive::allows(&self.policies, ingress, from, to, wire, Blocks::OutsideOnly);
                assert_eq!(said, naive, "{row:?} {direction:?} {wire:?}");
                if ingress {
                    assert_eq!(naive, universe.permits(from, to, (protocol, port)), "{row:?} {wire:?}");
                }
            }
        }
    }

    fn outside(&self, row: &Row, range: Range, end: &End, policies: &Policies<'_>, tally: &mut Tally) {
        let known = topology::known(end);
        let inside = self.outside.iter().filter(|piece| range.contains(piece));
        let pieces: Vec<Range> = if self.outside.iter().any(|piece| range.contains(piece)) {
            inside.copied().collect()
        } else {
            vec![range] // a part of one piece
        };
        for piece in pieces {
            let address = connectivity::End::outside(piece);
            let found = match row.to {
                Side::Outside(_) => policies.allowed(&known, &address),
                _ => policies.allowed(&address, &known),
            };
            let found = table::with_ports(&found);
            let agrees = if self.sampled {
                row.probes.iter().all(|(protocol, port)| {
                    let probe = [PortRange::one(*protocol, *port)].into_iter().collect();
                    found.both(&probe).is_empty() != row.allowed
                })
            } else {
                found == row.ports
            };
            if !agrees {
                return tally.wrong.push(format!("{row:?}: {piece} found {found}"));
            }
        }
        *if self.sampled {
            &mut tally.sampled
        } else {
            &mut tally.whole
        } += 1;
    }

    /// Ingress controllers run somewhere: only what lets in every namespace lets them in.
    fn through_controller(&self, row: &Row, to: &End, policies: &Policies<'_>, tally: &mut Tally) {
        if self.routes {
            return tally.pass_over("through a Route, which is not read");
        }
        let End::Pod { namespace, labels, .. } = to else {
            return tally.pass_over("an end is no pod");
        };
        let labels: Labels = serde_json::from_value(labels.clone()).unwrap();
        let known = topology::known(to);
        let needed = infer::needs(&self.world, namespace, &[])
            .into_iter()
            .filter(|need| need.why.starts_with("Ingress ") && need.to.matches(&labels));
        let sent: PortSet = needed.flat_map(|need| numbers(&need)).collect();
        let controller = connectivity::End {
            is: Source::Pods {
                namespace: "where an ingress controller runs".into(),
                labels: Labels::default(),
            },
            namespace_labels: Labels::default(),
            ports: [].into(),
        };
        let found = sent.both(&policies.allowed(&controller, &known));
        if found == row.ports {
            tally.controller += 1;
        } else {
            tally.wrong.push(format!("{row:?}: found {found}"));
        }
    }

    /// Addresses outside have rows only where something is allowed.
    fn without_rows(&self, policies: &Policies<'_>, tally: &mut Tally) {
        let all = self
            .ends
            .keys()
            .flat_map(|name| self.ends_of(name).into_iter().map(move |end| (name, end)));
        for (name, end) in all {
            let known = topology::known(end);
            for piece in &self.outside {
                let address = connectivity::End::outside(*piece);
                for inward in [true, false] {
                    let listed = self.rows.iter().any(|row| {
                        let (outside, workload) = if inward {
                            (&row.from, &row.to)
                        } else {
                            (&row.to, &row.from)
                        };
                        matches!(outside, Side::Outside(range) if range.contains(piece))
                            && matches!(workload, Side::Workload(listed) if listed == name)
                    });
                    let found = match (listed, inward) {
                        (true, _) => continue,
                        (false, true) => policies.allowed(&address, &known),
                        (false, false) => policies.allowed(&known, &address),
                    };
                    if table::with_ports(&found).is_empty() {
                        tally.absent += 1;
                    } else {
                        let way = if inward { "from" } else { "to" };
                        tally.wrong.push(format!("{name} {way} {piece}: no row, found {found}"));
                    }
                }
            }
        }
    }
}

fn numbers(need: &Need) -> Vec<PortRange> {
    let Ports::These(ports) = &need.ports else {
        return Vec::new();
    };
    let number = |port: &Port| match port {
        Port::Numbers(range) => Some(*range),
        Port::Named(..) => None,
    };
    ports.iter().filter_map(number).collect()
}

/// What the module says about ingress of one namespace.
struct Answers {
    universe: Universe,
    reach: Reach,
}

impl Answers {
    fn of(world: &Snapshot, namespace: &str, policies: &[Value]) -> Self {
        let specs: Vec<NetworkPolicySpec> = policies
            .iter()
            .filter(|policy| policy["metadata"]["namespace"] == *namespace)
            .map(|policy| serde_json::from_value(policy["spec"].clone()).unwrap())
            .collect();
        let specs: Vec<&NetworkPolicySpec> = specs.iter().collect();
        let universe = Universe::new(world, namespace, &specs);
        let reach = universe.reach((0..specs.len()).map(|i| (i, Reading::Least)));
        Self { universe, reach }
    }

    fn permits(&self, from: &End, to: &End, (protocol, port): (Protocol, u16)) -> bool {
        let End::Pod { labels, .. } = to else {
            return true;
        };
        let universe = &self.universe;
        let labels: Labels = serde_json::from_value(labels.clone()).unwrap();
        let target = universe
            .targets
            .iter()
            .position(|target| target.labels == labels)
            .unwrap();
        let is_from = |source: &Source| match (source, from) {
            (
                Source::Pods { namespace: of, labels },
                End::Pod {
                    namespace,
                    labels: wanted,
                    ..
                },
            ) => **of == **namespace && json!(labels) == *wanted,
            (Source::AllPods { namespace: of }, End::Pod { namespace, .. }) => **of == **namespace,
            (Source::Addresses(range), End::V4(address)) => {
                range.family == Family::V4
                    && (range.first..=range.last).contains(&u128::from(u32::from_be_bytes(*address)))
            }
            _ => false,
        };
        let class = universe
            .classes
            .iter()
            .position(|class| class.sources.iter().any(is_from))
            .unwrap();
        let probe = PortRange::one(protocol, port);
        let port = universe.ports.iter().position(|piece| piece.contains(&probe)).unwrap();
        universe.permits(&self.reach, Edge { target, class, port })
    }
}
