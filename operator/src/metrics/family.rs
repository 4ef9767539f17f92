//! The gauges and counters that are computed at scrape time: one table of names, meanings and labels.

use prometheus::core::Desc;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

/// Declares one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Name, with prefix and unit.
    pub name: &'static str,
    /// What it says, for people.
    pub help: &'static str,
    /// Names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
}

impl Definition {
    /// The descriptor that the registry asks for.
    pub fn desc(&self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(|label| (*label).to_owned()).collect();
        Desc::new(
            self.name.to_owned(),
            self.help.to_owned(),
            labels,
            std::collections::HashMap::new(),
        )
    }

    fn is_counter(&self) -> bool {
        self.name.ends_with("_total")
    }
}

/// The series of one metric.
#[derive(Debug)]
pub struct Family {
    definition: &'static Definition,
    series: Vec<Metric>,
}

impl Family {
    /// No series yet.
    pub const fn of(definition: &'static Definition) -> Self {
        Self {
            definition,
            series: Vec::new(),
        }
    }

    /// Adds a series. `values` are those of the definition's labels, in its order.
    pub fn add<const N: usize>(&mut self, values: [&str; N], value: f64) {
        debug_assert_eq!(N, self.definition.labels.len(), "{}", self.definition.name);
        let labels = self.definition.labels.iter().zip(values).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value(value.to_owned());
            pair
        });
        let mut metric = Metric::from_label(labels.collect());
        if self.definition.is_counter() {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.series.push(metric);
    }

    /// A family with one series without labels.
    pub fn single(definition: &'static Definition, value: f64) -> Self {
        let mut family = Self::of(definition);
        family.add([], value);
        family
    }

    /// As the registry takes it; `None` without series, for a family without series is not valid.
    pub fn finish(self) -> Option<MetricFamily> {
        if self.series.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(self.definition.name.to_owned());
        family.set_help(self.definition.help.to_owned());
        family.set_field_type(if self.definition.is_counter() {
            MetricType::COUNTER
        } else {
            MetricType::GAUGE
        });
        family.set_metric(self.series);
        Some(family)
    }
}

/// A count as a sample. Counts stay far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub const fn sample(count: u64) -> f64 {
    count as f64
}
