//! How the scores of a salesperson went over time, as a picture of the server.

use chrono_tz::Tz;
use store::{MeetingRow, SalespersonRow};
use uuid::Uuid;

use super::kept::overall;
use crate::chart::{Line, lines};
use crate::show;
use crate::texts::{PracticeTexts, fill};

/// How many of the last meetings the picture shows.
const SHOWN: usize = 30;

pub(super) struct Progress {
    pub(super) product: String,
    pub(super) chart: String,
    /// The last score, and what it was at first.
    pub(super) says: String,
    /// Each meeting with its score, the oldest first.
    pub(super) scores: Vec<(Uuid, u32)>,
}

/// The progress with each product. A single score is no progress yet. `meetings` has the newest first.
pub(super) fn of_each(
    salespersons: &[SalespersonRow],
    meetings: &[MeetingRow],
    zone: Tz,
    texts: &'static PracticeTexts,
) -> Vec<Progress> {
    salespersons.iter().filter_map(|one| of(one, meetings, zone, texts)).collect()
}

fn of(
    salesperson: &SalespersonRow,
    meetings: &[MeetingRow],
    zone: Tz,
    texts: &'static PracticeTexts,
) -> Option<Progress> {
    let scored = meetings
        .iter()
        .filter(|meeting| meeting.salesperson == salesperson.id)
        .filter_map(|meeting| Some((meeting.id, meeting.ended_at?, overall(meeting)?)));
    let mut scored: Vec<_> = scored.take(SHOWN).collect();
    scored.reverse();
    let [(_, first_at, first), .., (_, last_at, last)] = scored.as_slice() else { return None };
    let values: Vec<_> = scored.iter().map(|(_, _, score)| Some(i64::from(*score))).collect();
    let says = fill(texts.progress_says, &[&first.to_string(), &last.to_string(), &scored.len().to_string()]);
    let ends = (show::time(*first_at, zone), show::time(*last_at, zone));
    let line = Line { class: "score", values: &values };
    Some(Progress {
        product: show::shortened(&salesperson.product_name),
        chart: lines(&[line], &says, (&ends.0, &ends.1)),
        says,
        scores: scored.iter().map(|(id, _, score)| (*id, *score)).collect(),
    })
}
