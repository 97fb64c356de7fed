//! `/audit`: who changed what, newest first.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::routing::get;
use domain::moment::Moment;
use store::{Action, AuditCursor, AuditFilter};
use web::Read;

use crate::sections::Section;
use crate::texts::{AccountTexts, FrameTexts};
use crate::{Answer, Console, Fields, Visitor, show};

const PAGE: i64 = 50;

struct Row {
    at: String,
    who: String,
    what: String,
    asked: String,
    done: i64,
}

#[derive(Template)]
#[template(path = "accounts/audit.html")]
struct Page<'a> {
    texts: &'static AccountTexts,
    /// Every action, and whether the page shows only it.
    actions: Vec<(&'static str, bool)>,
    actor: &'a str,
    rows: Vec<Row>,
    /// The query of the next page.
    older: Option<String>,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/audit", get(list))
}

async fn list(visitor: Visitor<Read>, State(console): State<Console>, uri: Uri) -> Answer {
    let fields = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let filter = AuditFilter {
        action: Action::ALL.iter().copied().find(|action| action.name() == fields.text("action")),
        actor: fields.given("actor").map(|actor| actor.replace('\0', "")),
        ..AuditFilter::default()
    };
    let after = cursor(fields.text("after"));
    let found = console.store.audit_matching(visitor.workspace, &filter, after, PAGE + 1).await;
    let mut found = visitor.store(found)?;
    let has_more = found.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    if has_more {
        found.pop();
    }
    let last = found.last().filter(|_| has_more);
    let older = last.map(|row| fields.query_with("after", &format!("{}.{}", row.at.micros(), row.id)));
    let zone = console.installation.timezone;
    let rows = found.into_iter().map(|row| Row {
        at: show::time(row.at, zone),
        who: row.actor,
        what: row.action,
        asked: row.asked,
        done: row.done,
    });
    let content = Page {
        texts: AccountTexts::of(visitor.language),
        actions: Action::ALL.iter().map(|one| (one.name(), filter.action == Some(*one))).collect(),
        actor: fields.text("actor"),
        rows: rows.collect(),
        older,
    };
    visitor.page(Section::Audit, FrameTexts::of(visitor.language).audit, &content)
}

/// Where the page begins. A text that is no place in the list means its beginning.
fn cursor(text: &str) -> Option<AuditCursor> {
    let (at, id) = text.split_once('.')?;
    Some(AuditCursor { at: Moment::from_micros(at.parse().ok()?), id: id.parse().ok()? })
}
