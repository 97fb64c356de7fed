//! Deciding about effects that nobody knows: one of them, or all that match.

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use queue_topology::resolution::{self, Decision, Which};
use web::Operate;

use super::{FILTER, filter, find, query_of, show_effect};
use crate::sections::Section;
use crate::texts::{EffectTexts, fill};
use crate::{Answer, Console, Fields, Posted, Visitor};

/// The questions of a decision, as they come back when one was left open.
#[derive(Template)]
#[template(path = "effects/form.html")]
pub(super) struct Form<'a> {
    texts: &'static EffectTexts,
    csrf: &'a str,
    fields: &'a Fields,
    missing: Missing,
}

impl<'a> Form<'a> {
    pub(super) fn new(
        texts: &'static EffectTexts,
        csrf: &'a str,
        fields: &'a Fields,
        missing: Missing,
    ) -> Self {
        Self { texts, csrf, fields, missing }
    }
}

/// Which questions were left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    choice: bool,
    looked: bool,
    why: bool,
}

impl Missing {
    fn of(fields: &Fields) -> Self {
        Self {
            choice: !matches!(fields.text("as"), "sent" | "resend"),
            looked: fields.given("looked").is_none(),
            why: fields.given("why").is_none(),
        }
    }

    fn is_any(self) -> bool {
        self != Self::default()
    }

    pub(super) fn status(self) -> StatusCode {
        if self.is_any() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
    }
}

#[derive(Template)]
#[template(path = "effects/resolve.html")]
struct Ask<'a> {
    texts: &'static EffectTexts,
    would: String,
    matched: i64,
    chosen: Vec<(&'static str, &'a str)>,
    decision: Form<'a>,
    query: String,
}

/// Says how many effects match, and changes nothing.
pub(super) async fn ask(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    show_question(&visitor, &console, &fields, Missing::default()).await
}

async fn show_question(
    visitor: &Visitor<Operate>,
    console: &Console,
    fields: &Fields,
    missing: Missing,
) -> Answer {
    let texts = EffectTexts::of(visitor.language);
    let matched = visitor.store(console.store.count_doubtful(visitor.workspace, &filter(fields)).await)?;
    let content = Ask {
        texts,
        would: fill(texts.would, &[&matched.to_string()]),
        matched,
        chosen: FILTER.iter().filter_map(|name| Some((*name, fields.given(name)?))).collect(),
        decision: Form::new(texts, visitor.csrf(), fields, missing),
        query: query_of(fields, &[]),
    };
    visitor.page_with(missing.status(), Section::Effects, texts.resolve_title, &content)
}

/// Decides about all effects that match.
pub(super) async fn all(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let missing = Missing::of(&fields);
    if missing.is_any() {
        return show_question(&visitor, &console, &fields, missing).await;
    }
    decide(&visitor, &console, &fields, Which::All(filter(&fields))).await
}

/// Decides about one effect.
pub(super) async fn one(
    visitor: Visitor<Operate>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let effect = find(&visitor, &console, &id).await?;
    let missing = Missing::of(&fields);
    if missing.is_any() {
        return show_effect(&visitor, &console, &id, &fields, missing).await;
    }
    decide(&visitor, &console, &fields, Which::These(vec![effect.id])).await
}

async fn decide(visitor: &Visitor<Operate>, console: &Console, fields: &Fields, which: Which) -> Answer {
    let decision =
        Decision { which, sent: fields.text("as") == "sent", why: fields.given("why").map(str::to_owned) };
    let who = (visitor.workspace, &*visitor.actor);
    let done = visitor.store(resolution::resolve(&console.store, who, &decision, |_, _| ()).await)?;
    Ok(visitor.go_to(&format!("/effects?resolved={}&batch={}", done.resolved, done.batch)))
}
