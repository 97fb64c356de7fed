//! Decides which telephone calls are transcribed: by department, length and direction.
//!
//! A call that is filtered is kept, and says why. It costs nothing. When a later delivery changes what is known of it,
//! such as its length, it goes on.

use std::fmt;
use std::time::Duration;

use crate::blank::given;
use crate::call::{CallDetails, CallKind, Direction};
use crate::moment::in_words;
use crate::note::Note;
use crate::parties::SupportLines;

/// The code of the note on a call that is filtered.
pub const NOTE: &str = "call_filtered";

/// The telephone calls that are transcribed. Without any setting it is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Only calls of these departments. Empty: of all.
    pub departments: Vec<String>,
    /// Only calls of at least this length.
    pub min_duration: Option<Duration>,
    /// Only calls of these directions. Empty: of both.
    pub directions: Vec<Direction>,
}

/// Why a call is not transcribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filtered {
    /// `None` where the department of the call is not known.
    Department(Option<String>),
    TooShort {
        was: Duration,
        least: Duration,
    },
    Direction(Direction),
}

impl Filters {
    /// Why a call of this kind with these details is not transcribed. A call whose length or direction nobody knows
    /// passes, because it may be one of those that are wanted. A meeting always passes.
    pub fn against(&self, kind: CallKind, details: &CallDetails, lines: &SupportLines) -> Option<Filtered> {
        if kind != CallKind::Phone {
            return None;
        }
        let department = given(details.department.as_ref());
        let is_wanted = |name: &str| self.departments.iter().any(|wanted| same(wanted, name));
        if !self.departments.is_empty() && !department.is_some_and(is_wanted) {
            return Some(Filtered::Department(department.map(str::to_owned)));
        }
        let was = details.said_duration_ms().and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        if let Some((was, least)) = was.zip(self.min_duration)
            && was < least
        {
            return Some(Filtered::TooShort { was, least });
        }
        let direction = lines.parties_of(kind, details).known_direction;
        direction
            .filter(|direction| !self.directions.is_empty() && !self.directions.contains(direction))
            .map(Filtered::Direction)
    }
}

/// Upper and lower case and the blanks around and between the words of a department do not count.
fn same(one: &str, other: &str) -> bool {
    let words = |text: &str| text.to_lowercase().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    words(one) == words(other)
}

impl Filtered {
    /// Whether a delivery alone can say so. Another delivery, or the directory, may know the department.
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Department(None))
    }

    pub fn note(&self) -> Note {
        Note::new(NOTE, format!("The call is not transcribed: {self}."))
    }
}

impl fmt::Display for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Department(Some(name)) => write!(f, "the department `{name}` is not among DEPARTMENTS"),
            Self::Department(None) => {
                f.write_str("its department is not known, and only those of DEPARTMENTS are transcribed")
            }
            Self::TooShort { was, least } => {
                let (was, least) = (in_words(*was), in_words(*least));
                write!(f, "it took {was}, and MIN_DURATION is {least}")
            }
            Self::Direction(Direction::Incoming) => {
                f.write_str("it is incoming, and DIRECTIONS does not name that")
            }
            Self::Direction(Direction::Outgoing) => {
                f.write_str("it is outgoing, and DIRECTIONS does not name that")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(filters: &Filters, kind: CallKind, details: &CallDetails) -> Option<String> {
        let lines = SupportLines::new(vec!["+12025550100".into()], None);
        filters.against(kind, details, &lines).map(|why| why.to_string())
    }

    fn call(department: Option<&str>, seconds: Option<i64>, from: &str) -> CallDetails {
        CallDetails {
            department: department.map(str::to_owned),
            duration_ms: seconds.map(|seconds| seconds * 1000),
            from_number: Some(from.to_owned()),
            to_number: Some("+12025550100".to_owned()),
            ..CallDetails::default()
        }
    }

    #[test]
    fn only_calls_of_the_named_departments_pass_and_the_reason_is_said() {
        let filters = Filters { departments: vec!["CUSTOMER SUPPORT".into()], ..Filters::default() };
        let of = |department| against(&filters, CallKind::Phone, &call(department, None, "+12025550131"));
        assert_eq!(of(Some(" customer  Support")), None);
        assert_eq!(of(Some("Sales")).unwrap(), "the department `Sales` is not among DEPARTMENTS");
        assert!(of(None).unwrap().starts_with("its department is not known"));
        assert!(!Filtered::Department(None).is_certain());
    }

    #[test]
    fn a_call_of_exactly_the_least_length_and_one_of_unknown_length_pass() {
        let filters = Filters { min_duration: Some(Duration::from_secs(10)), ..Filters::default() };
        let of = |seconds| against(&filters, CallKind::Phone, &call(None, seconds, "+12025550131"));
        assert_eq!((of(Some(10)), of(None)), (None, None));
        assert_eq!(of(Some(9)).unwrap(), "it took 9 s, and MIN_DURATION is 10 s");
    }

    #[test]
    fn the_direction_is_the_one_that_the_numbers_tell() {
        let filters = Filters { directions: vec![Direction::Outgoing], ..Filters::default() };
        let of = |from| against(&filters, CallKind::Phone, &call(None, None, from));
        assert_eq!(of("+12025550100"), None);
        assert_eq!(of("+12025550131").unwrap(), "it is incoming, and DIRECTIONS does not name that");
        assert_eq!(against(&filters, CallKind::Phone, &CallDetails::default()), None);
    }

    #[test]
    fn a_meeting_is_never_filtered() {
        let filters = Filters {
            departments: vec!["Sales".into()],
            min_duration: Some(Duration::from_hours(1)),
            directions: vec![Direction::Outgoing],
        };
        for kind in [CallKind::Meeting, CallKind::Session, CallKind::Practice] {
            assert_eq!(against(&filters, kind, &call(None, Some(1), "+12025550131")), None);
        }
    }
}
