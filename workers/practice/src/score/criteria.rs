//! The files of criteria. They are compiled in, and each has a version, so that a score says by which rule it was made.

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the files of criteria use this word")]
pub struct Criteria {
    pub name: String,
    pub version: u32,
    pub title: String,
    pub(super) criteria: Vec<Criterion>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Criterion {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) weight: u32,
    pub(super) signals: Vec<Signal>,
}

/// What is looked for. `points` are for each turn, and at most `most` in all.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Signal {
    OpenQuestions {
        points: i64,
        most: i64,
        says: String,
    },
    /// Questions with one of the phrases.
    AsksAbout {
        phrases: Vec<String>,
        points: i64,
        most: i64,
        says: String,
    },
    TakesUp {
        points: i64,
        most: i64,
        says: String,
    },
    /// Our share of the words is between the two.
    TalkShare {
        from: f64,
        to: f64,
        points: i64,
        says: String,
    },
    /// None of our turns has more words.
    LongestTurn {
        words: usize,
        points: i64,
        says: String,
    },
    Proof {
        points: i64,
        most: i64,
        says: String,
    },
    /// The words of an answer stand in the material.
    FromMaterial {
        points: i64,
        most: i64,
        says: String,
    },
    UnprovenNumbers {
        points: i64,
        most: i64,
        says: String,
    },
    ObjectionsMet {
        points: i64,
        most: i64,
        says: String,
    },
    ObjectionsMissed {
        points: i64,
        most: i64,
        says: String,
    },
    NextStep {
        points: i64,
        most: i64,
        says: String,
    },
    NextStepDated {
        points: i64,
        most: i64,
        says: String,
    },
}

impl Criteria {
    /// Reads a file of criteria. The error says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let criteria: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let is_name = |name: &str| {
            (1..=50).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let names = criteria.criteria.iter().map(|one| &one.name).chain([&criteria.name]);
        if let Some(name) = names.into_iter().find(|name| !is_name(name)) {
            return Err(format!("`{name}` is no name: a name has small letters, digits and `_`"));
        }
        let weights: u32 = criteria.criteria.iter().map(|one| one.weight).fold(0, u32::saturating_add);
        if weights != 100 {
            return Err(format!("the weights have to make 100, and they make {weights}"));
        }
        Ok(criteria)
    }
}

static ALL: LazyLock<Vec<Criteria>> = LazyLock::new(|| {
    [
        include_str!("../../criteria/sales.json"),
        include_str!("../../criteria/meddicc.json"),
        include_str!("../../criteria/bant.json"),
        include_str!("../../criteria/spin.json"),
    ]
    .into_iter()
    .filter_map(|file| Criteria::read(file).ok())
    .collect()
});

/// Every file of criteria. The first is the one for practice.
pub fn all() -> &'static [Criteria] {
    &ALL
}

/// The criteria with this name.
pub fn named(name: &str) -> Option<&'static Criteria> {
    ALL.iter().find(|criteria| criteria.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_criteria_can_be_read() {
        let names: Vec<&str> = all().iter().map(|criteria| criteria.name.as_str()).collect();
        assert_eq!(names, ["sales", "meddicc", "bant", "spin"]);
        for criteria in all() {
            assert!(criteria.version > 0 && !criteria.title.is_empty());
        }
    }
}
