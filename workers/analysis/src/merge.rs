//! Joins the readings that a model made of the parts of a long transcript.

use std::collections::HashMap;
use std::hash::Hash;

use domain::analysis::{Priority, Resolution};

use crate::schema::{ActionReading, Reading};
use crate::text;

/// Joins the readings of all parts, which are given in their order. There is no result when there are no parts.
///
/// - Texts stand one after the other, without repetitions.
/// - The sentiment, the tone and the category are those of most parts. If two are equally frequent, the earlier wins.
/// - The concern is the first one.
/// - The resolution is the last one that is known.
/// - The priority is the highest one.
pub(crate) fn merge(parts: Vec<Reading>) -> Option<Reading> {
    if parts.len() < 2 {
        return parts.into_iter().next();
    }
    let texts = |of: fn(&Reading) -> &Vec<String>| {
        distinct(parts.iter().flat_map(|part| of(part).clone()), |text| text::folded(text))
    };
    let resolutions = || parts.iter().rev().map(|part| part.resolution);
    Some(Reading {
        summary: parts.iter().map(|part| part.summary.trim()).collect::<Vec<_>>().join(" "),
        key_points: texts(|part| &part.key_points),
        topics: texts(|part| &part.topics),
        sentiment: most_frequent(parts.iter().map(|part| part.sentiment), |sentiment| *sentiment as u8)?,
        tone: most_frequent(parts.iter().map(|part| part.tone), |tone| *tone as u8)?,
        concern: parts.iter().find_map(|part| part.concern.clone()),
        category: most_frequent(parts.iter().map(|part| part.category), |category| *category as u8)?,
        action_items: distinct(
            parts.iter().flat_map(|part| part.action_items.clone()),
            |item: &ActionReading| text::folded(&item.text),
        ),
        customer_requests: texts(|part| &part.customer_requests),
        resolution: resolutions().find(|known| *known != Resolution::Unknown).unwrap_or(Resolution::Unknown),
        priority: highest(parts.iter().map(|part| part.priority)),
        contacts: parts.iter().flat_map(|part| part.contacts.clone()).collect(),
    })
}

fn distinct<T>(all: impl Iterator<Item = T>, by: impl Fn(&T) -> Vec<String>) -> Vec<T> {
    let mut seen = std::collections::HashSet::new();
    all.filter(|item| seen.insert(by(item))).collect()
}

fn most_frequent<T: Copy, K: Hash + Eq>(all: impl Iterator<Item = T>, by: impl Fn(&T) -> K) -> Option<T> {
    let mut counts: HashMap<K, usize> = HashMap::new();
    let mut in_order = Vec::new();
    for item in all {
        *counts.entry(by(&item)).or_default() += 1;
        in_order.push(item);
    }
    in_order
        .into_iter()
        .reduce(|best, next| if counts[&by(&next)] > counts[&by(&best)] { next } else { best })
}

fn highest(all: impl Iterator<Item = Priority>) -> Priority {
    let all: Vec<Priority> = all.collect();
    [Priority::High, Priority::Medium].into_iter().find(|level| all.contains(level)).unwrap_or(Priority::Low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::analysis::{Category, Sentiment, Tone};

    fn reading(summary: &str, sentiment: Sentiment, resolution: Resolution, priority: Priority) -> Reading {
        Reading {
            summary: summary.into(),
            key_points: vec!["The line is dead.".into()],
            topics: vec![summary.to_lowercase()],
            sentiment,
            tone: Tone::Neutral,
            concern: (summary == "Two.").then(|| "A new line.".into()),
            category: Category::Technical,
            action_items: vec![ActionReading { text: "Send a technician.".into(), owner: None, due: None }],
            customer_requests: Vec::new(),
            resolution,
            priority,
            contacts: Vec::new(),
        }
    }

    #[test]
    fn readings_are_joined_without_repetitions_and_the_last_known_resolution_is_kept() {
        let merged = merge(vec![
            reading("One.", Sentiment::Negative, Resolution::Pending, Priority::Low),
            reading("Two.", Sentiment::Positive, Resolution::Resolved, Priority::High),
            reading("Three.", Sentiment::Positive, Resolution::Unknown, Priority::Medium),
        ])
        .unwrap();
        assert_eq!(merged.summary, "One. Two. Three.");
        assert_eq!((merged.key_points.len(), merged.topics.len(), merged.action_items.len()), (1, 3, 1));
        assert_eq!((merged.sentiment, merged.resolution), (Sentiment::Positive, Resolution::Resolved));
        assert_eq!(merged.priority, Priority::High);
        assert_eq!(merged.concern.as_deref(), Some("A new line."));
    }

    #[test]
    fn the_reading_of_a_single_part_is_not_changed() {
        let one = reading("One.", Sentiment::Neutral, Resolution::Unknown, Priority::Low);
        assert_eq!(merge(vec![one.clone()]), Some(one));
    }
}
