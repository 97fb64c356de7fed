//! The routes for people who operate Debrief: queues, dead letters, effects, and the audit.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use queue_topology::{replay as replays, work};
use serde_json::{Value, json};
use store::DeadFilter;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Authorized, Params, Problem, ReadInstallation};

use crate::calls::body_params;
use crate::health::broker_state;
use crate::idempotency::answer_once;
use crate::request::{self, Answer, DEFAULT_LIMIT, Id, Operator, Reader, find, not_found};
use crate::state::Api;
use crate::view::{self, Audit, Batch, DeadLetterDetail, DeadLetters, Effects, Queues};

const MAX_FILTER_BYTES: usize = 16 * 1024;

/// What waits at each stage, as the broker and the store report it.
///
/// The numbers are those of all workspaces, so this takes a key of the workspace `default`.
#[utoipa::path(get, path = "/api/queues", operation_id = "listQueues", tag = "operations", responses((status = 200, body = Queues)))]
pub(crate) async fn queues(State(api): State<Api>, _: Authorized<ReadInstallation>) -> Answer<Json<Queues>> {
    let work = work::look(&api.store, Some(&*api.broker)).await?;
    Ok(Json(view::queues(broker_state(api.broker.state()), &work)))
}

fn dead_filter(params: &mut Params) -> DeadFilter {
    DeadFilter {
        stage: params.text("stage"),
        group: params.text("group"),
        since: params.moment("since", false),
        until: params.moment("until", true),
    }
}

/// The work that failed for good, and why. All dead letters are also counted by their cause.
#[utoipa::path(get, path = "/api/dead-letters", operation_id = "listDeadLetters", tag = "operations", 
    params(("stage" = Option<String>, Query, description = "Only letters of this stage"),
        ("group" = Option<String>, Query, description = "Only letters of this group, which have the same cause"),
        ("since" = Option<String>, Query, description = "Only letters that died at this time or later: RFC 3339 with an offset, or a day in UTC"),
        ("until" = Option<String>, Query, description = "Only letters that died at this time or earlier; a day means the whole day"),
        ("page" = Option<i64>, Query, description = "The number of the page, from 1"),
        ("limit" = Option<i64>, Query, description = "How many entries a page holds; 50 when it is absent")),
    responses((status = 200, body = DeadLetters),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn dead_letters(
    State(api): State<Api>,
    reader: Reader,
    uri: Uri,
) -> Answer<Json<DeadLetters>> {
    let mut params = Params::of_query(&uri);
    let (filter, page) = (dead_filter(&mut params), params.page(DEFAULT_LIMIT));
    params.check()?;
    let (letters, total) = api.store.dead_letters(reader.workspace, &filter, page).await?;
    let groups = api.store.dead_groups(reader.workspace).await?;
    Ok(Json(DeadLetters {
        items: letters.iter().map(view::dead_letter).collect(),
        groups: groups.iter().map(view::dead_group).collect(),
        page: request::number(page),
        limit: page.limit,
        total,
    }))
}

/// One dead letter, with its event.
#[utoipa::path(get, path = "/api/dead-letters/{id}", operation_id = "getDeadLetter", tag = "operations", params(("id" = Uuid, Path, description = "The id of the letter", example = "8a8f4a5e-2b7c-4d8e-9f10-1a2b3c4d5e6f")),
    responses((status = 200, body = DeadLetterDetail),
        (status = 404, description = "There is no such letter", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn dead_letter(
    State(api): State<Api>,
    reader: Reader,
    Id(id): Id,
) -> Answer<Json<DeadLetterDetail>> {
    let letter = match id.parse::<Uuid>() {
        Ok(uuid) => api.store.dead_letter(reader.workspace, uuid).await?,
        Err(_) => None,
    };
    let letter = letter.ok_or_else(|| not_found(format!("there is no dead letter `{id}`")))?;
    Ok(Json(view::dead_letter_detail(&letter)))
}

#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it only describes the body; the fields are read one by one, so that an error can name each of them"
)]
pub(crate) struct DeadLettersReplay {
    stage: Option<String>,
    group: Option<String>,
    /// Only letters that died at this time or later: RFC 3339 with an offset, or a day in UTC.
    since: Option<String>,
    /// Only letters that died at this time or earlier; a day means the whole day.
    until: Option<String>,
    /// Only counts the letters that match, and changes nothing. It is false where it is missing.
    dry_run: Option<bool>,
    /// Why they are done again. The audit keeps it.
    why: Option<String>,
}

/// Does dead letters again: those that match, or all.
///
/// A letter that was done again is marked, so that a second request for it changes nothing. When a batch was
/// interrupted, the same request within a day continues it, and the answer has `resumed` set. Letters that died after
/// the batch began do not belong to it.
#[utoipa::path(post, path = "/api/dead-letters/replay", operation_id = "replayDeadLetters", tag = "operations", security(("key" = ["operate"])),
    params(("Idempotency-Key" = Option<String>, Header, description = "A request with the same key within a day does nothing and gets the first answer")),
    request_body(content = Option<DeadLettersReplay>, content_type = "application/json"),
    responses((status = 200, body = Batch),
        (status = 409, description = "The request with this `Idempotency-Key` is still being done", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field that cannot be used, or this `Idempotency-Key` was sent with another request", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn replay(
    State(api): State<Api>,
    operator: Operator,
    request: Request,
) -> Answer<Json<Value>> {
    let key = web::idempotency_key(request.headers())?;
    let known = ["stage", "group", "since", "until", "dry_run", "why"];
    let mut params = body_params(request, &known, MAX_FILTER_BYTES).await?;
    let filter = dead_filter(&mut params);
    let dry_run = params.flag("dry_run");
    let why = params.text("why");
    params.check()?;
    // A dry run changes nothing. It is done every time, so that the count is never an old one.
    let key = key.filter(|_| !dry_run);
    let named = json!(["dead-letters", &filter.stage, &filter.group, &filter.since, &filter.until, &why]);
    let store = api.store.clone();
    answer_once(&api.store, operator.workspace, key, &named, async move {
        if dry_run {
            let matched = store.count_dead(operator.workspace, &filter).await?;
            return Ok(Batch { id: None, resumed: false, matched, replayed: 0 });
        }
        let who = (operator.workspace, &*operator.actor);
        Ok(view::batch(&replays::letters(&store, who, (&filter, why.as_deref()), None).await?))
    })
    .await
}

/// What people asked for by hand (replays and decisions on effects), and who asked, newest first.
#[utoipa::path(get, path = "/api/audit", operation_id = "listAudit", tag = "operations",
    params(("page" = Option<i64>, Query, description = "The number of the page, from 1"),
        ("limit" = Option<i64>, Query, description = "How many entries a page holds; 50 when it is absent")),
    responses((status = 200, body = Audit),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn audit(State(api): State<Api>, reader: Reader, uri: Uri) -> Answer<Json<Audit>> {
    let mut params = Params::of_query(&uri);
    let page = params.page(DEFAULT_LIMIT);
    params.check()?;
    let (rows, total) = api.store.audit(reader.workspace, page).await?;
    Ok(Json(Audit {
        items: rows.iter().map(view::audit_entry).collect(),
        page: request::number(page),
        limit: page.limit,
        total,
    }))
}

/// Changes that were made in other systems. With `call` they are all changes for this call; without it, the changes of
/// all calls that are not confirmed.
#[utoipa::path(get, path = "/api/effects", operation_id = "listEffects", tag = "operations", 
    params(("call" = Option<String>, Query, description = "The id of a call, ours or the source's. Without it, the answer lists the effects of all calls that are not confirmed"),
        ("page" = Option<i64>, Query, description = "The number of the page, from 1"),
        ("limit" = Option<i64>, Query, description = "How many entries a page holds; 50 when it is absent")),
    responses((status = 200, body = Effects),
        (status = 404, description = "There is no such call", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter that cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn effects(State(api): State<Api>, reader: Reader, uri: Uri) -> Answer<Json<Effects>> {
    let mut params = Params::of_query(&uri);
    let (call, page) = (params.text("call"), params.page(DEFAULT_LIMIT));
    params.check()?;
    let (effects, total) = match call {
        Some(id) => {
            let call = find(&api.store, &reader, &id).await?;
            let effects = api.store.effects_of(reader.workspace, call.id).await?;
            let total = i64::try_from(effects.len()).unwrap_or(i64::MAX);
            let [offset, limit] =
                [page.offset, page.limit].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
            (effects.into_iter().skip(offset).take(limit).collect(), total)
        }
        None => api.store.open_effects(reader.workspace, page).await?,
    };
    Ok(Json(Effects {
        items: effects.iter().map(view::effect).collect(),
        page: request::number(page),
        limit: page.limit,
        total,
    }))
}
