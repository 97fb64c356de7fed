//! `/effects`: changes in other systems that are not confirmed, and the decision about those that nobody knows.

mod resolve;

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use chrono_tz::Tz;
use store::{EffectFilter, EffectRow, EffectState};
use uuid::Uuid;
use web::{Problem, Read};

use crate::sections::Section;
use crate::texts::{EffectTexts, FrameTexts, fill};
use crate::{Answer, Console, Fields, Refusal, Visitor, show};

/// How many effects are listed, the oldest first. Whoever has more of them narrows the list.
const SHOWN: i64 = 500;
const FILTER: [&str; 2] = ["target", "state"];

#[derive(Template)]
#[template(path = "effects/list.html")]
struct List<'a> {
    texts: &'static EffectTexts,
    done: Option<String>,
    fields: &'a Fields,
    states: Vec<(&'static str, &'static str)>,
    is_filtered: bool,
    doubtful: i64,
    effects: Vec<Row>,
    query: String,
}

struct Row {
    id: Uuid,
    target: String,
    object: String,
    state: String,
    state_name: &'static str,
    call: String,
    code: String,
    since: String,
}

#[derive(Template)]
#[template(path = "effects/effect.html")]
struct One<'a> {
    texts: &'static EffectTexts,
    effect: &'a EffectRow,
    state_name: &'static str,
    about: &'static str,
    call: String,
    since: String,
    deadline: String,
    replaced: Option<String>,
    decision: Option<resolve::Form<'a>>,
    query: String,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/effects", get(list))
        .route("/effects/resolve", get(resolve::ask).post(resolve::all))
        .route("/effects/{id}", get(effect).post(resolve::one))
}

async fn list(visitor: Visitor<Read>, State(console): State<Console>, RawQuery(query): RawQuery) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let (texts, zone) = (EffectTexts::of(visitor.language), console.installation.timezone);
    let filter = filter(&fields);
    let effects = visitor.store(console.store.effects(visitor.workspace, &filter, SHOWN).await)?;
    let content = List {
        texts,
        done: done(&fields, texts),
        states: EffectState::ALL
            .iter()
            .map(|state| (state.name(), state_name(state.name(), texts)))
            .collect(),
        is_filtered: filter != EffectFilter::default(),
        doubtful: visitor.store(console.store.count_doubtful(visitor.workspace, &filter).await)?,
        effects: effects.into_iter().map(|effect| row(effect, texts, zone)).collect(),
        query: query_of(&fields, &[]),
        fields: &fields,
    };
    visitor.page(Section::Effects, FrameTexts::of(visitor.language).effects, &content)
}

async fn effect(
    visitor: Visitor<Read>,
    State(console): State<Console>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    show_effect(&visitor, &console, &id, &fields, resolve::Missing::default()).await
}

async fn show_effect<N>(
    visitor: &Visitor<N>,
    console: &Console,
    id: &str,
    fields: &Fields,
    missing: resolve::Missing,
) -> Answer {
    let (texts, zone) = (EffectTexts::of(visitor.language), console.installation.timezone);
    let effect = find(visitor, console, id).await?;
    let now = console.store.now();
    let is_doubtful = effect.state == EffectState::Unknown.name()
        || (effect.state == EffectState::Intent.name() && effect.deadline < now);
    let content = One {
        texts,
        state_name: state_name(&effect.state, texts),
        about: about(&effect.state, texts),
        call: effect.call_id.to_string(),
        since: show::time(effect.updated_at, zone),
        deadline: show::time(effect.deadline, zone),
        replaced: effect
            .replaced
            .as_ref()
            .and_then(|replaced| serde_json::to_string_pretty(&replaced.0).ok()),
        decision: is_doubtful.then(|| resolve::Form::new(texts, visitor.csrf(), fields, missing)),
        query: query_of(fields, &[]),
        effect: &effect,
    };
    visitor.page_with(missing.status(), Section::Effects, texts.effect, &content)
}

async fn find<N>(visitor: &Visitor<N>, console: &Console, id: &str) -> Result<EffectRow, Refusal> {
    let effect = match id.parse::<Uuid>() {
        Ok(id) => visitor.store(console.store.effect(visitor.workspace, id).await)?,
        Err(_) => None,
    };
    let texts = EffectTexts::of(visitor.language);
    effect.ok_or_else(|| visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_effect)))
}

fn filter(fields: &Fields) -> EffectFilter {
    EffectFilter {
        target: fields.given("target").map(str::to_owned),
        state: fields.given("state").and_then(|state| state.parse().ok()),
        since: None,
    }
}

fn query_of(fields: &Fields, more: &[(&str, &str)]) -> String {
    let of_filter = FILTER.iter().filter_map(|name| Some((*name, fields.given(name)?)));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(of_filter.chain(more.iter().copied()));
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// What a form did, as the address to which it led says it.
fn done(fields: &Fields, texts: &EffectTexts) -> Option<String> {
    let resolved = fields.given("resolved")?.parse::<u64>().ok()?;
    let batch = fields.text("batch").parse::<Uuid>().ok()?;
    Some(match resolved {
        0 => texts.not_resolved.to_owned(),
        _ => fill(texts.resolved, &[&resolved.to_string(), &batch.to_string()]),
    })
}

fn row(effect: EffectRow, texts: &'static EffectTexts, zone: Tz) -> Row {
    Row {
        id: effect.id,
        object: without_address(&effect.object, texts),
        state_name: state_name(&effect.state, texts),
        call: effect.call_id.to_string(),
        since: show::time(effect.updated_at, zone),
        target: effect.target,
        state: effect.state,
        code: effect.error_code.unwrap_or_default(),
    }
}

/// A list may be copied into a chat or a ticket, so it does not show the address of a person. The page of the effect does.
fn without_address(object: &str, texts: &EffectTexts) -> String {
    match object.split_once(':') {
        Some((kind, whose)) if whose.contains('@') => format!("{kind}:{}", texts.e_mail),
        _ => object.to_owned(),
    }
}

fn state_name(state: &str, texts: &EffectTexts) -> &'static str {
    match state {
        "intent" => texts.intent,
        "not_sent" => texts.not_sent,
        "outdated" => texts.outdated,
        "confirmed" => texts.confirmed,
        _ => texts.unknown,
    }
}

fn about(state: &str, texts: &EffectTexts) -> &'static str {
    match state {
        "intent" => texts.about_intent,
        "not_sent" => texts.about_not_sent,
        "outdated" => texts.about_outdated,
        "confirmed" => texts.about_confirmed,
        _ => texts.about_unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn every_state_has_a_name_and_a_sentence_of_its_own() {
        let texts = EffectTexts::of(Language::English);
        let names: std::collections::BTreeSet<_> = EffectState::ALL
            .iter()
            .map(|state| (state_name(state.name(), texts), about(state.name(), texts)))
            .collect();
        assert_eq!(names.len(), EffectState::ALL.len(), "{names:?}");
    }

    #[test]
    fn a_list_tells_no_address() {
        let texts = EffectTexts::of(Language::English);
        assert_eq!(without_address("contact:helen@example.com", texts), "contact:<e-mail>");
        assert_eq!(without_address("part:3", texts), "part:3");
    }
}
