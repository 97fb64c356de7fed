//! How a session is shown in a list, and which one a form ends.

use axum::http::StatusCode;
use chrono_tz::Tz;
use store::SessionRow;
use uuid::Uuid;
use web::Problem;

use crate::{Fields, Refusal, Visitor, show};

pub(crate) struct SessionLine {
    pub(crate) id: Uuid,
    pub(crate) since: String,
    pub(crate) last_seen: String,
    pub(crate) address: String,
    pub(crate) browser: String,
    pub(crate) is_this: bool,
}

/// The session that a form names, or none where it means every session. A name that cannot be read must not mean every one.
pub(crate) fn named<N>(visitor: &Visitor<N>, fields: &Fields) -> Result<Option<Uuid>, Refusal> {
    let none = |_| visitor.refuse(Problem::new(StatusCode::NOT_FOUND, "there is no such session"));
    fields.given("session").map(str::parse).transpose().map_err(none)
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
