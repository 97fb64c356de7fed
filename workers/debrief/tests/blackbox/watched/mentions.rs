//! Finds the metrics and labels that a text names: a query, a rule, a page, or the template of a chart.

use std::collections::BTreeMap;

use super::exposition::Labels;

/// A metric that a text names, with the labels beside it.
pub(super) struct Mention {
    pub(super) metric: String,
    /// The labels, each with the values that are written out.
    pub(super) labels: BTreeMap<String, Vec<String>>,
}

/// Every metric that the text names, with the labels in its braces and in `by (…)`. A `by` is looked for in the same
/// line, before the metric.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut grouped: Vec<String> = Vec::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("debrief_") {
            if let Some(labels) = before.rsplit_once("by (").and_then(|(_, labels)| labels.split_once(')')) {
                grouped = labels.0.split(',').map(|label| label.trim().to_owned()).collect();
            }
            let length = after.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(after.len());
            let (name, behind) = after.split_at(length);
            let mut labels: BTreeMap<String, Vec<String>> =
                grouped.iter().map(|label| (label.clone(), Vec::new())).collect();
            if let Some(braces) =
                behind.strip_prefix('{').and_then(|inside| inside.split_once(['}', '[']).map(|both| both.0))
            {
                labels.extend(matchers(braces));
            }
            found.push(Mention { metric: format!("debrief_{name}"), labels });
            rest = behind;
        }
    }
    found
}

/// The labels of `a="x", b=~"y|z"`, with their values. What a template fills in is no value.
fn matchers(braces: &str) -> impl Iterator<Item = (String, Vec<String>)> + '_ {
    braces.split(',').filter_map(|matcher| {
        let (label, value) = matcher.split_once('=')?;
        let label = label.trim().trim_end_matches('!').to_owned();
        let value =
            value.trim_start_matches('~').trim().strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        let is_written_out = |value: &&str| !value.contains(['$', '{', '*']);
        let values = value.filter(is_written_out).map(|value| value.split('|').map(str::to_owned).collect());
        label.chars().all(|c| c.is_ascii_lowercase() || c == '_').then(|| (label, values.unwrap_or_default()))
    })
}

/// The metrics in the table of `METRICS.md`, with their labels and the values that stand in parentheses.
pub(super) fn documented(page: &str) -> BTreeMap<String, Labels> {
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(str::trim);
        let name = cells.next().unwrap_or_default().trim_matches('`').to_owned();
        let mut labels = Labels::new();
        let (mut last, mut is_inside) = (String::new(), false);
        for (index, part) in cells.next().unwrap_or_default().split('`').enumerate() {
            if index % 2 == 0 {
                is_inside = (is_inside || part.contains('(')) && !part.contains(')');
            } else if is_inside {
                labels.entry(last.clone()).or_default().extend(part.split_whitespace().map(str::to_owned));
            } else {
                part.clone_into(&mut last);
                labels.entry(last.clone()).or_default();
            }
        }
        (name, labels)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_found_with_its_labels_in_a_query_and_in_a_template() {
        let found = mentions(
            "sum by (stage, lane) (rate(debrief_a_total{namespace=~\"$namespace\",outcome=~\"retry|dead\",x!=\"y\"}[1m])) / debrief_b",
        );
        assert_eq!(
            found.iter().map(|one| one.metric.as_str()).collect::<Vec<_>>(),
            ["debrief_a_total", "debrief_b"]
        );
        let labels: Vec<&str> = found[0].labels.keys().map(String::as_str).collect();
        assert_eq!(labels, ["lane", "namespace", "outcome", "stage", "x"]);
        assert_eq!(found[0].labels["outcome"], ["retry", "dead"]);
        assert_eq!(
            (found[0].labels["x"].as_slice(), found[0].labels["namespace"].len()),
            (&["y".to_owned()][..], 0)
        );
        let found = mentions("query: max(debrief_c{stage={{ $role | quote }}{{ if $s }},{{ $s }}{{ end }}})");
        assert_eq!(found[0].labels.keys().collect::<Vec<_>>(), ["stage"]);
    }

    #[test]
    fn the_table_says_labels_and_their_values() {
        let table =
            documented("| `debrief_a` | `stage`, `state` (`on off`) | meaning `x` | |\n| `b` | | | |");
        assert_eq!(table["debrief_a"]["state"], ["off", "on"].map(str::to_owned).into());
        assert!(table["debrief_a"]["stage"].is_empty() && table["b"].is_empty());
    }
}
