//! An `OpenID` Connect provider: its description, its keys, the page that sends the browser back, and tokens.
//!
//! Nobody has to sign in: the provider always recognizes the person that `POST /_control/person` names. With
//! `POST /_control/cheat` it makes tokens that nobody may accept, one way to cheat at a time, and `POST /_control/rotate`
//! gives it a new key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use crate::provider::{Provider, Setting, Site};
use crate::state::{BoundedMap, lock};

pub static PROVIDER: Provider = Provider { name: "oidc", made_once: &[], routes, refusal, settings };

pub const CLIENT_ID: &str = "debrief";
pub const CLIENT_SECRET: &str = "simulated:secret";
const MAX_CODES: usize = 1_000;
/// How long a token is good, in seconds.
const GOOD_FOR: i64 = 300;

fn settings(address: &str) -> Vec<Setting> {
    vec![
        ("OIDC_ISSUER", address.to_owned()),
        ("OIDC_CLIENT_ID", CLIENT_ID.to_owned()),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ("OIDC_TITLE", "the simulated provider".to_owned()),
    ]
}

/// A key, with the id under which it is listed.
struct Key {
    id: String,
    pair: EcdsaKeyPair,
}

impl Key {
    /// # Panics
    /// Panics where the system has no random numbers.
    fn new() -> Self {
        let dice = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::generate_pkcs8(kind, &dice)
            .and_then(|pkcs8| Ok(EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &dice)?))
            .expect("a key can be made");
        Self { id: Uuid::new_v4().to_string(), pair }
    }

    fn listed(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": part(1), "y": part(33)})
    }

    fn signature(&self, message: &str) -> String {
        let signed = self.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a text can be signed");
        URL_SAFE_NO_PAD.encode(signed.as_ref())
    }
}

/// What the browser was sent with.
#[derive(Clone)]
struct Grant {
    redirect: String,
    nonce: String,
    challenge: String,
}

struct Account {
    base: String,
    key: Mutex<Key>,
    person: Mutex<Value>,
    /// The way in which the next tokens cheat. Empty where they are as they should be.
    cheat: Mutex<String>,
    codes: Mutex<BoundedMap<Grant>>,
}

fn routes(site: &Site<'_>) -> Router {
    let person =
        json!({"sub": "1001", "email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace"});
    let account = Arc::new(Account {
        base: site.base.to_owned(),
        key: Mutex::new(Key::new()),
        person: Mutex::new(person),
        cheat: Mutex::default(),
        codes: Mutex::new(BoundedMap::new(MAX_CODES)),
    });
    Router::new()
        .route("/.well-known/openid-configuration", get(description))
        .route("/jwks", get(keys))
        .route("/authorize", get(authorize))
        .route("/token", post(token))
        .route("/_control/person", post(set_person))
        .route("/_control/cheat", post(set_cheat))
        .route("/_control/rotate", post(rotate))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
        .with_state(account)
}

fn refusal(status: StatusCode) -> Response {
    error(status, "server_error")
}

fn error(status: StatusCode, name: &str) -> Response {
    (status, Json(json!({ "error": name }))).into_response()
}

async fn set_person(State(account): State<Arc<Account>>, Json(person): Json<Value>) -> StatusCode {
    *lock(&account.person) = person;
    StatusCode::NO_CONTENT
}

async fn set_cheat(State(account): State<Arc<Account>>, cheat: String) -> StatusCode {
    *lock(&account.cheat) = cheat;
    StatusCode::NO_CONTENT
}

async fn rotate(State(account): State<Arc<Account>>) -> StatusCode {
    *lock(&account.key) = Key::new();
    StatusCode::NO_CONTENT
}

async fn description(State(account): State<Arc<Account>>) -> Json<Value> {
    let base = &account.base;
    let cheat = lock(&account.cheat).clone();
    let issuer = if cheat == "description" { "https://elsewhere.example.com" } else { base };
    let keys = if cheat == "private" { "https://10.0.0.1/jwks".to_owned() } else { format!("{base}/jwks") };
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": keys,
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

async fn keys(State(account): State<Arc<Account>>) -> Json<Value> {
    let other = json!({"kty": "RSA", "use": "enc", "kid": "of-encryption", "n": "AQAB", "e": "AQAB"});
    Json(json!({ "keys": [other, lock(&account.key).listed()] }))
}

/// Sends the browser back with a code, as a provider does that has recognized the person.
async fn authorize(
    State(account): State<Arc<Account>>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let text = |name: &str| asked.get(name).cloned().unwrap_or_default();
    let is_known = text("client_id") == CLIENT_ID && text("response_type") == "code";
    let is_tied = text("code_challenge_method") == "S256" && !text("code_challenge").is_empty();
    let Ok(mut back) = Url::parse(&text("redirect_uri")) else {
        return error(StatusCode::BAD_REQUEST, "invalid_request");
    };
    if !is_known || !is_tied || !text("scope").split(' ').any(|scope| scope == "openid") {
        return error(StatusCode::BAD_REQUEST, "invalid_request");
    }
    let cheat = lock(&account.cheat).clone();
    if cheat == "denied" {
        back.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", &text("state"));
        return (StatusCode::FOUND, [(header::LOCATION, String::from(back))]).into_response();
    }
    let code = Uuid::new_v4().to_string();
    let grant =
        Grant { redirect: text("redirect_uri"), nonce: text("nonce"), challenge: text("code_challenge") };
    lock(&account.codes).insert(code.clone(), grant);
    let iss = if cheat == "mix_up" { "https://elsewhere.example.com" } else { &account.base };
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &text("state"))
        .append_pair("iss", iss);
    (StatusCode::FOUND, [(header::LOCATION, String::from(back))]).into_response()
}

async fn token(
    State(account): State<Arc<Account>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let basic =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let pair = basic.and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok());
    // Both parts are written as in a form (RFC 6749, 2.3.1).
    let secret = CLIENT_SECRET.replace(':', "%3A");
    if pair != Some(format!("{CLIENT_ID}:{secret}")) {
        return error(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    // A code is good once.
    let grant = lock(&account.codes).remove(text("code"));
    let verifier = URL_SAFE_NO_PAD.encode(Sha256::digest(text("code_verifier")));
    match grant {
        Some(grant) if grant.redirect == text("redirect_uri") && grant.challenge == verifier => Json(json!({
            "access_token": "simulated", "token_type": "Bearer", "expires_in": GOOD_FOR,
            "id_token": account.id_token(&grant),
        }))
        .into_response(),
        _ => error(StatusCode::BAD_REQUEST, "invalid_grant"),
    }
}

impl Account {
    /// A token about the person, which cheats as it was asked to.
    fn id_token(&self, grant: &Grant) -> String {
        let cheat = lock(&self.cheat).clone();
        let key = lock(&self.key);
        let now = Utc::now().timestamp();
        let mut head = json!({"alg": "ES256", "typ": "JWT", "kid": key.id});
        let mut claims = lock(&self.person).clone();
        claims["iss"] = json!(self.base);
        claims["aud"] = json!(CLIENT_ID);
        claims["iat"] = json!(now);
        claims["exp"] = json!(now + GOOD_FOR);
        claims["nonce"] = json!(grant.nonce);
        match cheat.as_str() {
            "alg_none" => head["alg"] = json!("none"),
            "alg_hs256" => head["alg"] = json!("HS256"),
            "alg_other_kind" => head["alg"] = json!("RS256"),
            "unlisted_key" => head["kid"] = json!("unlisted"),
            "crit" => head["crit"] = json!(["b64"]),
            "issuer" => claims["iss"] = json!("https://elsewhere.example.com"),
            "audience" => claims["aud"] = json!("another-client"),
            "audiences" => claims["aud"] = json!([CLIENT_ID, "another-client"]),
            "party" => claims["azp"] = json!("another-client"),
            "over" => claims["exp"] = json!(now - 61),
            "old" => claims["iat"] = json!(now - 3_600),
            "future" => claims["iat"] = json!(now + 3_600),
            "not_yet" => claims["nbf"] = json!(now + 3_600),
            "nonce" => claims["nonce"] = json!("another-sign-in"),
            "no_nonce" => claims["nonce"] = json!(""),
            "subject" => claims["sub"] = json!(""),
            _ => {}
        }
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(&head), encoded(&claims));
        let signature = match cheat.as_str() {
            "alg_none" => String::new(),
            // The secret that both sides know would be the public key.
            "alg_hs256" => {
                let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.pair.public_key().as_ref());
                URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, message.as_bytes()))
            }
            "foreign_key" => Key::new().signature(&message),
            _ => key.signature(&message),
        };
        if cheat == "changed" {
            claims["email"] = json!("root@example.com");
            claims["sub"] = json!("1");
            return format!("{}.{}.{signature}", encoded(&head), encoded(&claims));
        }
        format!("{message}.{signature}")
    }
}
