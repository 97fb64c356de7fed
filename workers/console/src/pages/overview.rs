//! `/`: how many calls there are, the newest of them, and what is on and off.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use domain::call::Call;
use store::{CallFilter, EffectName, Page, Stats};
use web::{BringIn, ReadOwn};

use super::samples::Samples;
use crate::sections::Section;
use crate::texts::{FrameTexts, OverviewTexts};
use crate::{Answer, Console, Visitor, show};

const NEWEST: Page = Page { offset: 0, limit: 10 };
/// The effect by which a call counts as posted.
const SLACK_POST: EffectName<'static> = EffectName { target: "slack", object: "post" };

#[derive(Template)]
#[template(path = "overview/overview.html")]
struct Overview<'a> {
    texts: &'static OverviewTexts,
    stats: Option<Stats>,
    calls: Vec<Row>,
    services: &'a [(&'static str, bool)],
    roles: String,
    may_bring_in: bool,
    csrf: &'a str,
    samples: Samples,
}

struct Row {
    id: String,
    at: String,
    with: String,
    source: String,
    status: &'static str,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
}

/// The page for a browser that asks for `/`, which others answer too.
pub(crate) fn at_the_root() -> Router<Console> {
    Router::new().route("/", get(show_page))
}

async fn show_page(visitor: Visitor<ReadOwn>, State(console): State<Console>) -> Answer {
    // Counts over the calls of everybody are nothing for somebody who sees only her own.
    let stats = if visitor.sees.is_restricted() {
        None
    } else {
        Some(visitor.store(console.store.stats(visitor.workspace, SLACK_POST).await)?)
    };
    let calls = match CallFilter::default().seen_by(&visitor.sees) {
        Some(filter) => {
            visitor.store(console.store.page_of_calls(visitor.workspace, &filter, NEWEST).await)?
        }
        None => Vec::new(),
    };
    let content = Overview {
        texts: OverviewTexts::of(visitor.language),
        stats,
        calls: calls.iter().map(|call| row(call, &console)).collect(),
        services: &console.services,
        roles: console.roles.join(" "),
        may_bring_in: visitor.may::<BringIn>(),
        csrf: visitor.csrf(),
        samples: Samples::of(&visitor, &console).await?,
    };
    visitor.page(Section::Overview, FrameTexts::of(visitor.language).overview, &content)
}

fn row(call: &Call, console: &Console) -> Row {
    let details = &call.details;
    let number = details.from_number.as_deref().or(details.to_number.as_deref());
    Row {
        id: call.id.to_string(),
        at: show::time(call.received_at, console.installation.timezone),
        with: number.unwrap_or(&call.external_id).to_owned(),
        source: call.source.clone(),
        status: call.status.name(),
    }
}
