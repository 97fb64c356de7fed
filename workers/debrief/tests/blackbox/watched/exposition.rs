//! Reads the Prometheus text format, as far as our own metrics use it.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a metric, each with its values.
pub(super) type Labels = BTreeMap<String, BTreeSet<String>>;

/// What a process shows at `/metrics`.
pub(super) struct Exposition(Vec<Series>);

struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Exposition {
    pub(super) fn read(text: &str) -> Self {
        let series = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(
            series.map(|line| Series::read(line).unwrap_or_else(|| panic!("not a series: {line}"))).collect(),
        )
    }

    /// The value of the series that has at least these labels.
    pub(super) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &&Series| {
            let mut all = labels.iter();
            series.name == name
                && all.all(|(label, value)| series.labels.get(*label).is_some_and(|own| own == value))
        };
        let mut found = self.0.iter().filter(has);
        let value = found.next()?.value;
        assert_eq!(found.count(), 0, "{name} {labels:?} is more than one series");
        Some(value)
    }

    /// The labels of all series with this name. A histogram can be named without its endings.
    pub(super) fn labels_of(&self, name: &str) -> Option<Labels> {
        let mut labels: Option<Labels> = None;
        for series in self.0.iter().filter(|series| series.name == name || base(&series.name) == name) {
            let labels = labels.get_or_insert_default();
            for (label, value) in &series.labels {
                labels.entry(label.clone()).or_default().insert(value.clone());
            }
        }
        labels
    }

    /// Every metric with its labels. A histogram stands once, without its endings and without `le`.
    pub(super) fn metrics(&self) -> BTreeMap<String, Labels> {
        let names: BTreeSet<&str> = self.0.iter().map(|series| base(&series.name)).collect();
        let labels = |name: &str| {
            let mut labels = self.labels_of(name).unwrap_or_default();
            labels.remove("le");
            // The SDK names itself on `target_info`.
            labels.retain(|label, _| !label.starts_with("telemetry_sdk_"));
            labels
        };
        names.into_iter().map(|name| (name.to_owned(), labels(name))).collect()
    }

    pub(super) fn all_labels(&self) -> BTreeSet<&str> {
        self.0.iter().flat_map(|series| series.labels.keys().map(String::as_str)).collect()
    }
}

fn base(name: &str) -> &str {
    let endings = ["_seconds_bucket", "_seconds_sum", "_seconds_count"];
    match endings.iter().find(|ending| name.ends_with(**ending)) {
        Some(ending) => &name[..name.len() - ending.len() + "_seconds".len()],
        None => name,
    }
}

impl Series {
    /// Reads `name{label="value",…} 1.5`. No value of ours has a quote in it.
    fn read(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = match series.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}')?),
            None => (series, ""),
        };
        let labels = labels.split_terminator("\",").filter(|label| !label.is_empty());
        let labels = labels
            .map(|label| {
                let (name, value) = label.split_once("=\"")?;
                Some((name.to_owned(), value.trim_end_matches('"').to_owned()))
            })
            .collect::<Option<_>>()?;
        Some(Self { name: name.to_owned(), labels, value: value.parse().ok()? })
    }
}
