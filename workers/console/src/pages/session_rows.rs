//! How a session is shown in a list.

use chrono_tz::Tz;
use store::SessionRow;
use uuid::Uuid;

use crate::show;

pub(crate) struct SessionLine {
    pub(crate) id: Uuid,
    pub(crate) since: String,
    pub(crate) last_seen: String,
    pub(crate) address: String,
    pub(crate) browser: String,
    pub(crate) is_this: bool,
}

pub(crate) fn lines(rows: Vec<SessionRow>, this: Option<Uuid>, zone: Tz) -> Vec<SessionLine> {
    let line = |row: SessionRow| SessionLine {
        id: row.id,
        since: show::time(row.created_at, zone),
        last_seen: show::time(row.last_seen_at, zone),
        address: row.network,
        browser: row.user_agent,
        is_this: Some(row.id) == this,
    };
    rows.into_iter().map(line).collect()
}
