//! `/login/oidc`: sends the browser to the provider that signs people in, and takes it back.
//!
//! What ties the way back to this browser is one secret in a cookie, which is good for one sign-in.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::{HOST, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use domain::moment::Moment;
use platform::http;
use providers::oidc::{Back, OidcError};
use secrecy::ExposeSecret as _;
use url::form_urlencoded::byte_serialize;
use web::accounts::Identity;
use web::session::{self, Client, set_cookie};

use super::language::local_path;
use super::oidc_provider::Provider;
use super::{seed, sign_in};
use crate::texts::AccountTexts;
use crate::visitor::Guest;
use crate::{Answer, Console, Fields, frame};

const COOKIE: &str = "debrief_oidc";
/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_mins(10);
const BACK: &str = "/login/oidc/back";

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/login/oidc", get(begin)).route(BACK, get(finish))
}

/// Sends the browser to the provider.
async fn begin(
    guest: Guest,
    State(console): State<Console>,
    Extension(provider): Extension<Provider>,
    uri: Uri,
    headers: HeaderMap,
) -> Answer {
    let Some(oidc) = &provider.0 else { return Ok(frame::go_to("/login")) };
    // The first administrator has to show that the installation is hers, and a provider cannot say that.
    if !guest.store(console.store.has_users().await)? {
        return Ok(frame::go_to("/register"));
    }
    let fields = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    let texts = AccountTexts::of(guest.language);
    let who = (&guest, &provider);
    let Some(redirect) = our_address(&console, &headers) else {
        let said = texts.oidc_no_address.to_owned();
        return sign_in::page(who, &headers, StatusCode::CONFLICT, &fields, Some(said));
    };
    match oidc.begin(&redirect, session::dice()).await {
        Ok(begun) => {
            let next: String = byte_serialize(local_path(fields.text("next")).as_bytes()).collect();
            let kept = format!("{}.{next}", begun.secret.expose_secret());
            let mut response = frame::go_to(&begun.location);
            keep(&mut response, &set_cookie(&headers, COOKIE, &kept, Some(PATIENCE), "Lax"));
            Ok(response)
        }
        Err(error) => refused(who, &headers, &fields, &error),
    }
}

/// Takes the browser back from the provider, and signs the person in.
async fn finish(
    guest: Guest,
    State(console): State<Console>,
    Extension(provider): Extension<Provider>,
    head: Parts,
) -> Answer {
    let Some(oidc) = &provider.0 else { return Ok(frame::go_to("/login")) };
    let headers = &head.headers;
    let said = Fields::parse(head.uri.query().unwrap_or_default().as_bytes());
    let said = |name: &str| Some(said.text(name).to_owned()).filter(|text| !text.is_empty());
    let back = Back { code: said("code"), state: said("state"), iss: said("iss"), error: said("error") };
    let kept = session::our_cookie(headers, COOKIE).and_then(|kept| kept.split_once('.'));
    // The text behind the point is written as in a form.
    let next = kept.map(|(_, next)| format!("next={next}")).unwrap_or_default();
    let fields = Fields::parse(next.as_bytes());
    let redirect = our_address(&console, headers).unwrap_or_default();
    let person = oidc.finish(&redirect, kept.map(|(secret, _)| secret), &back, Moment::now()).await;
    let mut response = match person {
        Ok(person) => {
            let who = Identity {
                issuer: person.issuer,
                subject: person.subject,
                verified_email: person.verified_email,
                name: person.name,
            };
            match console.accounts.sign_in_verified(&who, person.role, &Client::of(&head)).await {
                Ok(begun) => {
                    sign_in::end_before(&console, headers).await;
                    sign_in::signed_in(&console, headers, &begun, local_path(fields.text("next")))
                }
                Err(error) => {
                    let said = AccountTexts::of(guest.language).error(&error);
                    let status = seed::status(&error);
                    sign_in::page((&guest, &provider), headers, status, &fields, Some(said))?
                }
            }
        }
        Err(error) => refused((&guest, &provider), headers, &fields, &error)?,
    };
    // The secret is good for one sign-in, however that ended.
    keep(&mut response, &set_cookie(headers, COOKIE, "", Some(Duration::ZERO), "Lax"));
    Ok(response)
}

fn refused(who: (&Guest, &Provider), headers: &HeaderMap, fields: &Fields, error: &OidcError) -> Answer {
    tracing::warn!(%error, "somebody was not signed in at the provider");
    let status = match error {
        OidcError::Unusable(_) => StatusCode::BAD_GATEWAY,
        OidcError::NotBegunHere | OidcError::Refused(_) | OidcError::NotAccepted(_) => {
            StatusCode::UNAUTHORIZED
        }
    };
    let said = AccountTexts::of(who.0.language).oidc_error(error);
    sign_in::page(who, headers, status, fields, Some(said))
}

/// Our own address for the way back, as it is registered at the provider. Without a setting it is known on this machine
/// only, because a browser could name any host.
fn our_address(console: &Console, headers: &HeaderMap) -> Option<String> {
    if let Some(public) = &console.installation.public_url {
        return Some(http::join(public, BACK));
    }
    let host = headers.get(HOST)?.to_str().ok()?;
    session::is_plain_loopback(headers).then(|| format!("http://{host}{BACK}"))
}

/// Adds a header that gives the browser a cookie.
fn keep(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
