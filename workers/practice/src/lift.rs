//! Compares scores before and after practice, with an interval that says how sure that is.
//!
//! The interval is Welch's: neither the numbers of calls nor their spread have to be equal. With few calls it is wide, and that is
//! the truth. A difference in time is no proof of its cause, and nobody here says so.

use serde::Serialize;
use utoipa::ToSchema;

/// Fewer scores than this on one side are not enough to compare.
pub const FEWEST: usize = 5;
/// A score is a whole number. Its rounding alone has this variance, so equal scores are not taken for certainty.
const VARIANCE_OF_ROUNDING: f64 = 1.0 / 12.0;

/// The quantile of 97.5 % of Student's distribution, for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// Some scores, and what they are like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ScoreGroup)]
pub struct Group {
    pub count: usize,
    /// The mean of the scores. Null where there are none.
    pub mean: Option<f64>,
}

impl Group {
    pub fn of(scores: &[f64]) -> Self {
        Self { count: scores.len(), mean: mean(scores).map(rounded) }
    }
}

/// What a comparison shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    NotEnoughCalls,
    Higher,
    Lower,
    /// The interval holds 0: what there is may be chance.
    NoDifferenceShown,
}

/// How much higher the later scores are than the earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Comparison {
    pub verdict: Verdict,
    /// The difference of the means in points. Null where there are not enough calls.
    pub difference: Option<f64>,
    /// The ends of the interval in which the difference lies with 95 %.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// The same as a sentence.
    pub says: String,
}

/// Compares `later` scores with `earlier` ones. The names of both are for the sentence.
pub fn compare((earlier_name, earlier): (&str, &[f64]), (later_name, later): (&str, &[f64])) -> Comparison {
    let missing = |name: &str, scores: &[f64]| {
        let missing = FEWEST.saturating_sub(scores.len());
        (missing > 0).then(|| format!("{missing} more of {name}"))
    };
    let (Some(from), Some(to)) = (measured(earlier), measured(later)) else {
        let parts: Vec<String> =
            missing(earlier_name, earlier).into_iter().chain(missing(later_name, later)).collect();
        return Comparison {
            verdict: Verdict::NotEnoughCalls,
            difference: None,
            low: None,
            high: None,
            says: format!("Not enough calls: {} would be needed.", parts.join(" and ")),
        };
    };
    let difference = to.mean - from.mean;
    let (one, other) = (from.variance / from.count, to.variance / to.count);
    let freedom =
        (one + other).powi(2) / (one.powi(2) / (from.count - 1.0) + other.powi(2) / (to.count - 1.0));
    let half = student(freedom) * (one + other).sqrt();
    let (low, high) = (difference - half, difference + half);
    let verdict = if low > 0.0 {
        Verdict::Higher
    } else if high < 0.0 {
        Verdict::Lower
    } else {
        Verdict::NoDifferenceShown
    };
    let shown = match verdict {
        Verdict::Higher => format!("{later_name} score higher than {earlier_name}"),
        Verdict::Lower => format!("{later_name} score lower than {earlier_name}"),
        _ => format!("no difference is shown between {earlier_name} and {later_name}"),
    };
    let mut says = format!(
        "{shown}: {:+.1} points, with 95 % between {:+.1} and {:+.1}.",
        rounded(difference),
        rounded(low),
        rounded(high)
    );
    if let Some(first) = says.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Comparison {
        verdict,
        difference: Some(rounded(difference)),
        low: Some(rounded(low)),
        high: Some(rounded(high)),
        says,
    }
}

struct Measured {
    count: f64,
    mean: f64,
    variance: f64,
}

/// `None` where there are too few.
fn measured(scores: &[f64]) -> Option<Measured> {
    if scores.len() < FEWEST {
        return None;
    }
    let (count, mean) = (count(scores), mean(scores)?);
    let squares: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
    Some(Measured { count, mean, variance: (squares / (count - 1.0)).max(VARIANCE_OF_ROUNDING) })
}

#[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^52 scores")]
fn count(scores: &[f64]) -> f64 {
    scores.len() as f64
}

fn mean(scores: &[f64]) -> Option<f64> {
    (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / count(scores))
}

/// The quantile for the next lower number of degrees of freedom in the table, which makes the interval wider and never too narrow.
fn student(freedom: f64) -> f64 {
    match freedom {
        freedom if freedom >= 120.0 => 1.980,
        freedom if freedom >= 60.0 => 2.000,
        freedom if freedom >= 40.0 => 2.021,
        freedom if freedom >= 30.0 => 2.042,
        freedom => {
            let place = (1..=30_u8).rev().find(|place| f64::from(*place) <= freedom).unwrap_or(1);
            STUDENT[usize::from(place) - 1]
        }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "real calls before practice";
    const AFTER: &str = "real calls after it";

    fn lift(before: &[f64], after: &[f64]) -> Comparison {
        compare((BEFORE, before), (AFTER, after))
    }

    #[test]
    fn too_few_calls_are_said_to_be_too_few_and_how_many_are_missing() {
        let few = lift(&[50.0; 4], &[90.0; 12]);
        assert_eq!((few.verdict, few.difference, few.low), (Verdict::NotEnoughCalls, None, None));
        assert_eq!(few.says, "Not enough calls: 1 more of real calls before practice would be needed.");
        let none = lift(&[], &[90.0]);
        assert!(
            none.says.contains("5 more of real calls before practice and 4 more of real calls after it"),
            "{none:?}"
        );
    }

    #[test]
    fn the_interval_is_that_of_welch() {
        // Computed by hand: the means are 52 and 66, the variances 10 and 24.5, the degrees of freedom 6.8.
        let found = lift(&[48.0, 50.0, 52.0, 54.0, 56.0], &[59.0, 64.0, 66.0, 69.0, 72.0]);
        assert_eq!((found.verdict, found.difference), (Verdict::Higher, Some(14.0)));
        // 14 ± 2.447 × √(10/5 + 24.5/5)
        assert_eq!((found.low, found.high), (Some(7.6), Some(20.4)));
        assert_eq!(
            found.says,
            "Real calls after it score higher than real calls before practice: +14.0 points, with 95 % between +7.6 and +20.4."
        );
    }

    #[test]
    fn what_may_be_chance_is_not_called_a_lift_and_a_fall_is_called_a_fall() {
        let noisy = [20.0, 80.0, 35.0, 60.0, 50.0, 90.0];
        let higher: Vec<f64> = noisy.iter().map(|score| score + 5.0).collect();
        assert_eq!(lift(&noisy, &higher).verdict, Verdict::NoDifferenceShown);
        assert_eq!(lift(&[70.0; 6], &[40.0; 6]).verdict, Verdict::Lower);
        let equal = lift(&[70.0; 6], &[70.0; 6]);
        assert!(equal.verdict == Verdict::NoDifferenceShown && equal.low < equal.high, "{equal:?}");
    }

    #[test]
    fn more_calls_of_the_same_kind_make_the_interval_narrower() {
        let (before, after) = ([40.0, 50.0, 60.0, 45.0, 55.0], [50.0, 60.0, 70.0, 55.0, 65.0]);
        let few = lift(&before, &after);
        let many = lift(&before.repeat(8), &after.repeat(8));
        assert!(many.low > few.low && many.high < few.high, "{few:?} {many:?}");
        assert_eq!(many.verdict, Verdict::Higher);
    }
}
