//! Metrics in Prometheus' text format, as far as tests ask for them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// One scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics(Vec<Sample>);

/// One line of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name, with `_bucket`, `_sum`, `_count` for histograms.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

impl Metrics {
    /// Reads a scrape.
    ///
    /// # Errors
    /// A line is neither a comment nor a sample.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|line| sample(line).with_context(|| format!("a sample: {line}")))
            .collect::<Result<_>>()
            .map(Self)
    }

    /// All samples.
    pub fn samples(&self) -> &[Sample] {
        &self.0
    }

    /// The samples of one name that carry these labels (and perhaps others).
    pub fn of<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        let fits = |sample: &&Sample| {
            labels
                .iter()
                .all(|(label, value)| sample.labels.get(*label).is_some_and(|seen| seen == value))
        };
        self.0.iter().filter(move |sample| sample.name == name).filter(fits)
    }

    /// The sum over the samples of one name that carry these labels; nothing if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut values = self.of(name, labels).map(|sample| sample.value).peekable();
        values.peek()?;
        Some(values.sum())
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, labels, rest) = if let Some((name, rest)) = line.split_once('{') {
        let (labels, rest) = labels(rest)?;
        (name, labels, rest)
    } else {
        let (name, rest) = line.split_once(' ')?;
        (name, BTreeMap::new(), rest)
    };
    let value = rest.split_whitespace().next()?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        other => other.parse().ok()?,
    };
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// Labels up to the closing brace, and what follows it. Values may hold braces, commas and escaped quotes.
fn labels(mut text: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        loop {
            match characters.next()? {
                (end, '"') => {
                    text = &rest[end + 1..];
                    break;
                }
                (_, '\\') => match characters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        }
        labels.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format_is_read() {
        let text = "# HELP a b\n# TYPE a gauge\na 1\nb{x=\"1\",y=\"q\\\"},{\"} 2.5 1700000000\nb{x=\"2\"} +Inf\nc_bucket{le=\"+Inf\"} 3\n";
        let metrics = Metrics::parse(text).unwrap();
        assert_eq!(metrics.sum("a", &[]), Some(1.0));
        assert_eq!(metrics.sum("b", &[("x", "1")]), Some(2.5));
        assert_eq!(metrics.of("b", &[("x", "1")]).next().unwrap().labels["y"], "q\"},{");
        assert_eq!(metrics.sum("b", &[]), Some(f64::INFINITY));
        assert_eq!(metrics.sum("c_bucket", &[("le", "+Inf")]), Some(3.0));
        assert_eq!(metrics.sum("d", &[]), None);
        assert!(Metrics::parse("nonsense\n").is_err());
    }
}
