//! `POST /register` and `POST /login` for programs: JSON or basic auth comes in, and JSON goes out. A program gets a token
//! and no cookie, so a page of somebody else cannot sign a browser in this way.

use axum::Json;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use web::accounts::TOKEN_LIFETIME;
use web::session::Client;
use web::{AccountError, Problem};

use crate::Console;
use crate::pages::first_administrator;

/// Whether a program asks, and not one of our forms.
pub(crate) fn is_program(headers: &HeaderMap) -> bool {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json"));
    is_json || headers.contains_key(AUTHORIZATION)
}

/// The status of an error, for programs and for pages.
pub(crate) fn status(error: &AccountError) -> StatusCode {
    match error {
        AccountError::Wrong => StatusCode::UNAUTHORIZED,
        AccountError::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        AccountError::Busy(_) | AccountError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        AccountError::Weak(_) | AccountError::UnusableLogin | AccountError::LoginTaken => {
            StatusCode::BAD_REQUEST
        }
        AccountError::Closed
        | AccountError::InvitationGone
        | AccountError::NotInvited(_)
        | AccountError::NotVerified => StatusCode::FORBIDDEN,
    }
}

pub(crate) fn problem(error: &AccountError) -> Problem {
    let problem = Problem::new(status(error), error.to_string());
    match error {
        AccountError::TooMany(wait) => problem.retry_after(*wait),
        _ => problem,
    }
}

pub(crate) async fn login(console: &Console, head: &Parts, body: &Bytes) -> Result<Response, Problem> {
    let (name, password) = match web::session::basic(&head.headers) {
        Some(basic) => basic,
        None => required(&object(body)?)?,
    };
    let how = ("token", TOKEN_LIFETIME);
    let begun = console.accounts.sign_in(&name, &password, &Client::of(head), how).await;
    let begun = begun.map_err(|error| problem(&error))?;
    let token = Json(json!({"token": begun.token.expose_secret()}));
    Ok(([(CACHE_CONTROL, "no-store")], token).into_response())
}

pub(crate) async fn register(console: &Console, head: &Parts, body: &Bytes) -> Result<Response, Problem> {
    let body = object(body)?;
    let (login, password) = required(&body)?;
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    match text("invitation") {
        "" => {
            let bearer = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let bearer = bearer.and_then(|value| value.split_once(' ')).map_or("", |(_, key)| key.trim());
            let key = if text("key").is_empty() { bearer } else { text("key") };
            let actor = first_administrator::actor_of(console, head, key).await?;
            let actor = actor.ok_or_else(|| {
                let detail = "an account is made by an invitation; the first administrator is made by whoever shows a key \
                     with the scope `administer`, in the field `key` or as a bearer token";
                Problem::new(StatusCode::FORBIDDEN, detail)
            });
            // Where there is an account already, no key opens this door, so the key is not asked for.
            let closed = console.store.has_users().await.map_err(AccountError::from);
            if closed.map_err(|error| problem(&error))? {
                return Err(problem(&AccountError::Closed));
            }
            let made = console.accounts.register_first(&login, text("name"), &password, &actor?).await;
            made.map_err(|error| problem(&error))?;
        }
        token => {
            let made = console.accounts.accept(token, text("name"), &password).await;
            made.map_err(|error| problem(&error))?;
        }
    }
    first_administrator::close(console).await;
    Ok((StatusCode::CREATED, Json(json!({"message": "Registered successfully!"}))).into_response())
}

fn object(body: &Bytes) -> Result<Value, Problem> {
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the body is no JSON: {error}"))
    })?;
    Ok(body)
}

fn required(body: &Value) -> Result<(String, SecretString), Problem> {
    match (body["username"].as_str(), body["password"].as_str()) {
        (Some(name), Some(password)) if !name.is_empty() && !password.is_empty() => {
            Ok((name.to_owned(), password.into()))
        }
        _ => Err(Problem::new(StatusCode::BAD_REQUEST, "Username and password are required!")),
    }
}
