//! Zoom: the tokens of an account, its users, the recordings of their meetings, and the webhooks about them.
//!
//! `POST /_control/meetings` brings a meeting, with its participants and the contents of its files. The answer is what
//! Zoom's webhooks would say, signed, and with `?notify=` they are also sent. `POST /_control/expire` ends every token.

mod account;
mod webhook;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::provider::{Provider, Setting, Site};
use account::Account;

pub static PROVIDER: Provider = Provider { name: "zoom", made_once: &[], routes, refusal, settings };

/// The secret token of the app.
pub const SECRET_TOKEN: &str = "simulated";
/// The longest meeting that is taken, with the contents of its files.
const MAX_MEETING_BYTES: usize = 256 * 1024 * 1024;
/// The most entries that a page has.
const MAX_PAGE: usize = 10;
/// The longest time that a list of recordings covers, in days.
const MAX_DAYS: i64 = 31;
const SCOPES: &str = "user:read:list_users:admin cloud_recording:read:list_user_recordings:admin \
    cloud_recording:read:list_recording_files:admin meeting:read:list_past_participants:admin";

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("ZOOM_WEBHOOK_SECRET_TOKEN", SECRET_TOKEN.to_owned()),
        ("ZOOM_ACCOUNT_ID", "simulated".to_owned()),
        ("ZOOM_CLIENT_ID", "simulated".to_owned()),
        ("ZOOM_CLIENT_SECRET", "simulated".to_owned()),
        ("ZOOM_BASE_URL", format!("{address}/v2")),
        ("ZOOM_RATE", "1000/s".to_owned()),
    ]
}

fn routes(site: &Site<'_>) -> Router {
    let account = Arc::new(Account::new(site.base, site.control.clone()));
    let api = Router::new()
        .route("/v2/users", get(users))
        .route("/v2/users/{user}/recordings", get(recordings_of_user))
        .route("/v2/meetings/{meeting}/recordings", get(recordings))
        .route("/v2/past_meetings/{meeting}/participants", get(participants))
        .layer(from_fn_with_state(account.clone(), only_with_token));
    Router::new()
        .route("/oauth/token", post(token))
        .route("/rec/webhook_download/{file}", get(download))
        .route("/_control/meetings", post(bring).layer(DefaultBodyLimit::max(MAX_MEETING_BYTES)))
        .route("/_control/expire", post(expire))
        .merge(api)
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(account)
}

/// Zoom says in the words of a 429 which of its limits was passed.
fn refusal(status: StatusCode) -> Response {
    let (code, message) = match status {
        StatusCode::UNAUTHORIZED => (124, "Invalid access token."),
        StatusCode::NOT_FOUND => (3001, "Meeting does not exist."),
        StatusCode::TOO_MANY_REQUESTS => {
            (429, "You have reached the maximum per-second rate limit for this API. Try again later.")
        }
        other => (u64::from(other.as_u16()), other.canonical_reason().unwrap_or("Error")),
    };
    error(status, code, message)
}

fn error(status: StatusCode, code: u64, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message }))).into_response()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

async fn only_with_token(State(account): State<Arc<Account>>, request: Request, next: Next) -> Response {
    if bearer(request.headers()).is_none_or(|token| !account.knows_token(token)) {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    next.run(request).await
}

#[derive(Deserialize)]
struct Grant {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    account_id: String,
}

async fn token(
    State(account): State<Arc<Account>>,
    Query(grant): Query<Grant>,
    headers: HeaderMap,
) -> Response {
    let basic =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let pair = basic.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    let signed_in = pair.is_some_and(|pair| {
        pair.split_once(':').is_some_and(|(id, secret)| !id.is_empty() && !secret.is_empty())
    });
    if grant.grant_type != "account_credentials" || grant.account_id.is_empty() || !signed_in {
        let refused = json!({ "reason": "Invalid client_id or client_secret", "error": "invalid_client" });
        return (StatusCode::BAD_REQUEST, Json(refused)).into_response();
    }
    let token = account.new_token();
    Json(json!({
        "access_token": token, "token_type": "bearer", "expires_in": 3599, "scope": SCOPES,
        "api_url": account.base,
    }))
    .into_response()
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    status: String,
    page_size: Option<usize>,
    #[serde(default)]
    next_page_token: String,
}

impl Listing {
    /// One page of `entries`, as the field `name` of the answer.
    fn page(&self, name: &str, entries: &[Value]) -> Response {
        let size = self.page_size.unwrap_or(30).clamp(1, MAX_PAGE);
        let first: usize = match self.next_page_token.as_str() {
            "" => 0,
            token => match token.strip_prefix("page-").and_then(|first| first.parse().ok()) {
                Some(first) => first,
                None => {
                    return error(StatusCode::BAD_REQUEST, 300, "The next page token is invalid or expired.");
                }
            },
        };
        let page: Vec<_> = entries.iter().skip(first).take(size).collect();
        let end = first + page.len();
        let next = if end < entries.len() { format!("page-{end}") } else { String::new() };
        Json(json!({
            "page_size": size, "total_records": entries.len(), "next_page_token": next, name: page,
        }))
        .into_response()
    }
}

async fn users(State(account): State<Arc<Account>>, Query(listing): Query<Listing>) -> Response {
    let users = if listing.status == "inactive" { Vec::new() } else { account.users() };
    listing.page("users", &users)
}

async fn recordings_of_user(
    State(account): State<Arc<Account>>,
    Path(user): Path<String>,
    Query(listing): Query<Listing>,
) -> Response {
    let day = |text: &str| text.parse::<chrono::NaiveDate>().ok();
    let (Some(from), Some(to)) = (day(&listing.from), day(&listing.to)) else {
        return error(StatusCode::BAD_REQUEST, 300, "The from and to dates are invalid.");
    };
    if to < from || (to - from).num_days() > MAX_DAYS {
        return error(StatusCode::BAD_REQUEST, 300, "The maximum range is one month.");
    }
    let meetings = account.recorded(&user, from, to);
    listing.page("meetings", &meetings)
}

/// The uuid in a path. One that begins with a slash or holds two in a row has to be encoded twice.
fn uuid(path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains("//") {
        return None;
    }
    if !path.contains('%') {
        return Some(path.to_owned());
    }
    let pair = format!("x={}", path.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, uuid)| uuid.into_owned())
}

async fn recordings(State(account): State<Arc<Account>>, Path(meeting): Path<String>) -> Response {
    match uuid(&meeting).and_then(|uuid| account.meeting(&uuid)) {
        Some(meeting) => Json(meeting).into_response(),
        None => error(StatusCode::NOT_FOUND, 3301, "This recording does not exist."),
    }
}

async fn participants(
    State(account): State<Arc<Account>>,
    Path(meeting): Path<String>,
    Query(listing): Query<Listing>,
) -> Response {
    match uuid(&meeting).and_then(|uuid| account.participants(&uuid)) {
        Some(people) => listing.page("participants", &people),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

async fn download(
    State(account): State<Arc<Account>>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Response {
    let may = bearer(&headers).is_some_and(|token| account.knows_token(token) || account.opens(token, &file));
    if !may {
        return refusal(StatusCode::UNAUTHORIZED);
    }
    match account.file(&file) {
        Some(file) => ([(header::CONTENT_TYPE, file.content_type)], file.bytes).into_response(),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

#[derive(Deserialize)]
struct Notify {
    /// The address to which the webhooks are sent.
    notify: Option<String>,
}

/// Takes a meeting in. Its body is a meeting as the API lists it, with `participants`, and with the `content` or the
/// `content_base64` of each of its files.
async fn bring(
    State(account): State<Arc<Account>>,
    Query(Notify { notify }): Query<Notify>,
    Json(meeting): Json<Value>,
) -> Response {
    let brought = match account.bring(meeting) {
        Ok(brought) => brought,
        Err(problem) => return (StatusCode::UNPROCESSABLE_ENTITY, problem).into_response(),
    };
    let webhooks = webhook::of(&brought);
    if let Some(address) = notify {
        for webhook in webhooks.clone() {
            account.control.in_background(webhook.deliver(address.clone()));
        }
    }
    Json(webhooks).into_response()
}

/// Ends every token, those of webhooks included.
async fn expire(State(account): State<Arc<Account>>) -> StatusCode {
    account.end_tokens();
    StatusCode::NO_CONTENT
}
