//! The routes of calls: statistics, the list, one call, its timeline, and its replay.

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use domain::call::CallStatus;
use domain::moment::Moment;
use queue_topology::replay as replays;
use serde::Serialize;
use serde_json::{Value, json};
use store::CallFilter;
use utoipa::ToSchema;
use web::{Params, Problem};

use crate::health::StatsView;
use crate::idempotency::answer_once;
use crate::request::{
    self, Answer, CallReader, DEFAULT_LIMIT, Id, Operator, Reader, find, find_by_source_id,
};
use crate::state::Api;
use crate::view::{self, CallList, CallView, Replayed, SourceCallView, TimelineView};

/// The body of a replay holds only the name of a stage.
const MAX_REPLAY_BYTES: usize = 4096;

#[derive(Serialize, ToSchema)]
pub(crate) struct StatsAnswer {
    stats: StatsView,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Moment,
}

/// The number of calls, in all and by result.
#[utoipa::path(get, path = "/stats", operation_id = "stats", tag = "calls", responses((status = 200, body = StatsAnswer)))]
pub(crate) async fn stats(State(api): State<Api>, reader: Reader) -> Answer<Json<StatsAnswer>> {
    let stats = api.store.stats(reader.workspace, view::SLACK_POST).await?.into();
    Ok(Json(StatsAnswer { stats, timestamp: Moment::now() }))
}

/// The call with this id of its source. When several sources use the same id, it is the newest call.
#[utoipa::path(get, path = "/call/{call_id}", operation_id = "callBySourceId", tag = "calls", params(("call_id" = String, Path, description = "The source's own id")),
    responses((status = 200, body = SourceCallView),
        (status = 404, description = "There is no such call", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn by_source_id(
    State(api): State<Api>,
    reader: CallReader,
    Id(id): Id,
) -> Answer<Json<SourceCallView>> {
    let call = find_by_source_id(&api.store, &reader, &id).await?;
    let transcript = api.store.transcript(reader.workspace, call.id).await?;
    let analysis = api.store.analysis(reader.workspace, call.id).await?;
    let effects = api.store.effects_of(reader.workspace, call.id).await?;
    Ok(Json(view::source_call(&call, transcript.as_ref(), analysis.as_ref(), &effects)))
}

/// Calls, newest first.
///
/// The part of the list is chosen by `page` or by `skip`. A request with both is refused.
#[utoipa::path(get, path = "/api/calls/history", operation_id = "listCalls", tag = "calls", 
    params(("page" = Option<i64>, Query, minimum = 1, description = "The number of the page, from 1"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "How many calls a page holds; 50 when it is absent"),
        ("skip" = Option<i64>, Query, minimum = 0, description = "How many calls to leave out at the start; it cannot be used together with `page`"),
        ("status" = Option<String>, Query, description = "One of `queued`, `processing`, `waiting`, `completed`, `failed`, `no_recording`, `filtered`"),
        ("source" = Option<String>, Query, description = "The system that gave the call its external id"),
        ("agent" = Option<String>, Query, description = "The agent's name"),
        ("from" = Option<String>, Query, description = "Only calls received at this time or later: RFC 3339 with an offset, or a day in UTC"),
        ("to" = Option<String>, Query, description = "Only calls received at this time or earlier; a day means the whole day")),
    responses((status = 200, body = CallList),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn history(State(api): State<Api>, reader: CallReader, uri: Uri) -> Answer<Json<CallList>> {
    let mut params = Params::of_query(&uri);
    let page = params.page(DEFAULT_LIMIT);
    let statuses = format!("one of {}", CallStatus::NAMES.join(", "));
    let filter = CallFilter {
        status: params.read("status", &statuses, |name| name.parse().ok()),
        source: params.text("source"),
        agent: params.text("agent"),
        from: params.moment("from", false),
        to: params.moment("to", true),
    };
    params.check()?;
    let (calls, total) = match filter.seen_by(&reader.sees) {
        Some(filter) => api.store.calls(reader.workspace, &filter, page).await?,
        None => (Vec::new(), 0),
    };
    Ok(Json(CallList {
        calls: calls.iter().map(|call| view::summary(call, &api.installation.lines)).collect(),
        page: request::number(page),
        limit: page.limit,
        skip: page.offset,
        total,
    }))
}

/// A call with its analysis and its effects.
#[utoipa::path(get, path = "/api/calls/{id}", operation_id = "getCall", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = CallView),
        (status = 404, description = "There is no such call", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn one(State(api): State<Api>, reader: CallReader, Id(id): Id) -> Answer<Json<CallView>> {
    let call = find(&api.store, &reader, &id).await?;
    let analysis = api.store.analysis(reader.workspace, call.id).await?;
    let effects = api.store.effects_of(reader.workspace, call.id).await?;
    let heard = api.store.audio_facts(reader.workspace, call.id).await?;
    let notes = api.store.transcript(reader.workspace, call.id).await?.map(|transcript| transcript.notes);
    let attempts = api.store.speech_attempts(reader.workspace, call.id).await?;
    let scores = api.store.call_scores(reader.workspace, call.id).await?;
    let view = view::call(
        &call,
        &api.installation.lines,
        analysis.as_ref(),
        &effects,
        &notes.unwrap_or_default(),
        heard.as_ref(),
    );
    Ok(Json(view.transcribed(&attempts).judged(&scores)))
}

/// What happened to a call.
///
/// It lists what arrived about the call, which stages worked on it, how long and how often they worked, and what they
/// changed in other systems.
#[utoipa::path(get, path = "/api/calls/{id}/timeline", operation_id = "getTimeline", tag = "calls", params(("id" = String, Path, description = "Our id or the source's id")),
    responses((status = 200, body = TimelineView),
        (status = 404, description = "There is no such call", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn timeline(
    State(api): State<Api>,
    reader: CallReader,
    Id(id): Id,
) -> Answer<Json<TimelineView>> {
    let Api { store, .. } = &api;
    let call = find(store, &reader, &id).await?;
    let delivered = store.deliveries(reader.workspace, call.id).await?;
    let runs = store.runs(reader.workspace, call.id).await?;
    let ended = store.ended_runs(reader.workspace, call.id).await?;
    let effects = store.effects_of(reader.workspace, call.id).await?;
    let attempts = store.speech_attempts(reader.workspace, call.id).await?;
    let timeline = view::timeline(&call, &delivered, &runs, &ended, &effects, store.now());
    Ok(Json(timeline.transcribed(&attempts)))
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it only describes the body; the fields are read one by one, so that an error can name each of them"
)]
pub(crate) struct ReplayBody {
    /// The first stage that is done again: `transcription` (the default), `analysis`, `crm`, `slack` or `score`. The stages
    /// after it are done again, too.
    from: Option<String>,
}

/// Does a call again, from a stage on.
///
/// What the call made in other systems is updated and not made a second time.
#[utoipa::path(post, path = "/api/calls/{id}/replay", operation_id = "replayCall", tag = "calls", security(("key" = ["operate"])), params(("id" = String, Path, description = "Our id or the source's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "A request with the same key within a day does nothing and gets the first answer")),
    request_body(content = Option<ReplayBody>, content_type = "application/json"),
    responses((status = 202, body = Replayed),
        (status = 404, description = "There is no such call", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The call never came to that stage, or the request with this `Idempotency-Key` is still being done", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such stage, or this `Idempotency-Key` was sent with another request", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn replay(
    State(api): State<Api>,
    operator: Operator,
    Id(id): Id,
    request: Request,
) -> Answer<(StatusCode, Json<Value>)> {
    let key = web::idempotency_key(request.headers())?;
    let mut params = body_params(request, &["from"], MAX_REPLAY_BYTES).await?;
    let stages = format!("one of {}", replays::Start::names().join(", "));
    let from = params.read("from", &stages, replays::Start::named);
    params.check()?;
    let from = from.unwrap_or(replays::Start::WHOLE_CALL);
    let stage = from.stage;
    let call = find(&api.store, &operator, &id).await?;
    let (store, id) = (api.store.clone(), call.id);
    let workspace = operator.workspace;
    let named = json!(["replay", id, stage]);
    let replayed = answer_once(&api.store, workspace, key, &named, async move {
        let who = (operator.workspace, &*operator.actor);
        let replays::Replayed { generation, .. } = replays::call(&store, who, id, from)
            .await?
            .ok_or_else(|| Problem::new(StatusCode::CONFLICT, format!("the call never came to {stage}")))?;
        Ok(Replayed {
            call_id: id.0,
            from: stage,
            generation,
            status_url: format!("/api/calls/{id}/timeline"),
        })
    });
    Ok((StatusCode::ACCEPTED, replayed.await?))
}

/// The fields of a JSON body. A missing body and a null are read as an object without fields.
pub(crate) async fn body_params(request: Request, known: &[&str], max: usize) -> Answer<Params> {
    let (parts, body) = request.into_parts();
    let bytes = web::raw(&parts.headers, body, max as u64).await?;
    if bytes.is_empty() {
        return Ok(Params::default());
    }
    let body = web::json(&parts.headers, Body::from(bytes), max as u64).await?;
    Ok(if body.is_null() { Params::default() } else { Params::of_json(&body, known) })
}
