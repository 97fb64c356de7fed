//! `/login` and `/logout`.

use askama::Template;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::{HOST, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use web::Problem;
use web::accounts::{Begun, SESSION_LIFETIME};
use web::session::{self, CSRF_FIELD, Client, check_form};

use super::oidc_provider::Provider;
use super::seed;
use crate::pages::language::local_path;
use crate::texts::AccountTexts;
use crate::visitor::Guest;
use crate::{Answer, Console, Fields, Posted, frame};

const MAX_BODY_BYTES: u64 = 64 * 1024;

#[derive(Template)]
#[template(path = "accounts/login.html")]
struct Page<'a> {
    texts: &'static AccountTexts,
    csrf: &'a str,
    login: &'a str,
    next: &'a str,
    error: Option<String>,
    is_not_encrypted: bool,
    /// What the link to the provider says, and where it leads.
    provider: Option<(String, String)>,
}

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/login", get(show).post(sign_in)).route("/logout", post(sign_out))
}

async fn show(
    guest: Guest,
    State(console): State<Console>,
    Extension(provider): Extension<Provider>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    if !guest.store(console.store.has_users().await)? {
        return Ok(frame::go_to("/register"));
    }
    let fields = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    page((&guest, &provider), &headers, StatusCode::OK, &fields, None)
}

/// The page. `error` says why somebody is not signed in.
pub(super) fn page(
    (guest, provider): (&Guest, &Provider),
    headers: &HeaderMap,
    status: StatusCode,
    fields: &Fields,
    error: Option<String>,
) -> Answer {
    let texts = AccountTexts::of(guest.language);
    // A browser says where a request comes from only to an address that it takes for a safe one.
    let is_not_encrypted = !headers.contains_key("sec-fetch-site") && headers.contains_key(HOST);
    let content = Page {
        texts,
        csrf: guest.csrf(),
        login: fields.text("login"),
        next: local_path(fields.text("next")),
        error,
        is_not_encrypted: is_not_encrypted && !session::is_plain_loopback(headers),
        provider: provider.link(texts, local_path(fields.text("next"))),
    };
    guest.page(status, texts.sign_in, &content)
}

async fn sign_in(
    guest: Guest,
    State(console): State<Console>,
    Extension(provider): Extension<Provider>,
    request: Request,
) -> Answer {
    let (head, body) = read(&guest, request).await?;
    if seed::is_program(&head.headers) {
        let answer = seed::login(&console, &head, &body).await;
        return Ok(answer.unwrap_or_else(Problem::into_response));
    }
    let fields = Fields::parse(&body);
    check_form(&head, fields.text(CSRF_FIELD)).map_err(|problem| guest.refuse(problem))?;
    let password = fields.untrimmed("password").into();
    let how = ("password", SESSION_LIFETIME);
    match console.accounts.sign_in(fields.text("login"), &password, &Client::of(&head), how).await {
        Ok(begun) => {
            end_before(&console, &head.headers).await;
            Ok(signed_in(&console, &head.headers, &begun, local_path(fields.text("next"))))
        }
        Err(error) => {
            let said = AccountTexts::of(guest.language).error(&error);
            page((&guest, &provider), &head.headers, seed::status(&error), &fields, Some(said))
        }
    }
}

/// Ends the session from before a sign-in: nobody goes on with what was known of it.
pub(super) async fn end_before(console: &Console, headers: &HeaderMap) {
    if let Some(token) = session::token(headers)
        && let Err(error) = console.accounts.sign_out(token).await
    {
        tracing::warn!(%error, "failed to end the session from before a sign-in");
    }
}

/// Reads the body of a form or of a program's request.
pub(crate) async fn read(guest: &Guest, request: Request) -> Result<(Parts, Bytes), crate::Refusal> {
    let (head, body) = request.into_parts();
    let body =
        web::raw(&head.headers, body, MAX_BODY_BYTES).await.map_err(|problem| guest.refuse(problem))?;
    Ok((head, body))
}

/// Gives the browser its session, and sends it on.
pub(crate) fn signed_in(console: &Console, headers: &HeaderMap, begun: &Begun, next: &str) -> Response {
    console.access.forget_sessions();
    let mut response = frame::go_to(next);
    if let Ok(cookie) = HeaderValue::from_str(&session::set_token(headers, &begun.token, begun.lifetime)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

/// Ends the session. A visitor who has none is sent to the same page.
async fn sign_out(
    guest: Guest,
    State(console): State<Console>,
    headers: HeaderMap,
    Posted(_): Posted,
) -> Answer {
    if let Some(token) = session::token(&headers) {
        let ended = console.accounts.sign_out(token).await;
        ended.map_err(|error| guest.refuse(seed::problem(&error)))?;
        console.access.forget_sessions();
    }
    let mut response = frame::go_to("/login");
    if let Ok(cookie) = HeaderValue::from_str(&session::clear_token(&headers)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
