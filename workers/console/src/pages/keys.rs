//! `/keys`: the keys of programs. A key is shown once, when it is made.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use domain::principal::{Scope, Scopes};
use secrecy::ExposeSecret as _;
use store::{KeyCreation, KeyRevocation, NewKey};
use web::{Administer, Problem};

use crate::sections::Section;
use crate::texts::{AccountTexts, FrameTexts};
use crate::{Answer, Console, Fields, Posted, Visitor, show};

const MAX_NAME_CHARS: usize = 64;

struct Row {
    name: String,
    scopes: String,
    made: String,
    by: String,
    revoked: Option<String>,
}

#[derive(Template)]
#[template(path = "accounts/keys.html")]
struct Page<'a> {
    texts: &'static AccountTexts,
    csrf: &'a str,
    keys: Vec<Row>,
    name: &'a str,
    chosen: Scopes,
    error: Option<&'static str>,
    made: Option<&'a str>,
}

impl Page<'_> {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes references")]
    fn is_chosen(&self, scope: &Scope) -> bool {
        self.chosen.has(*scope)
    }
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/keys", get(list).post(create)).route("/keys/revoke", post(revoke))
}

async fn list(visitor: Visitor<Administer>, State(console): State<Console>) -> Answer {
    page(&visitor, &console, StatusCode::OK, &Fields::default(), None, None).await
}

fn scopes(fields: &Fields) -> Scopes {
    fields.all("scope").filter_map(Scope::from_name).collect()
}

async fn page(
    visitor: &Visitor<Administer>,
    console: &Console,
    status: StatusCode,
    fields: &Fields,
    error: Option<&'static str>,
    made: Option<&str>,
) -> Answer {
    let zone = console.installation.timezone;
    let keys = visitor.store(console.store.keys(visitor.workspace).await)?.into_iter().map(|key| Row {
        scopes: key.scopes.to_string(),
        made: show::time(key.created_at, zone),
        by: key.created_by,
        revoked: key.revoked_at.map(|at| show::time(at, zone)),
        name: key.name,
    });
    let content = Page {
        texts: AccountTexts::of(visitor.language),
        csrf: visitor.csrf(),
        keys: keys.collect(),
        name: fields.text("name"),
        chosen: scopes(fields),
        error,
        made,
    };
    visitor.page_with(status, Section::Keys, FrameTexts::of(visitor.language).keys, &content)
}

/// Whether a name can stand in lists, in logs and on the command line.
fn is_name(text: &str) -> bool {
    let is_usable = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    text.starts_with(char::is_alphanumeric)
        && text.chars().count() <= MAX_NAME_CHARS
        && text.chars().all(is_usable)
}

async fn create(
    visitor: Visitor<Administer>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let texts = AccountTexts::of(visitor.language);
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let (name, scopes) = (fields.text("name"), scopes(&fields));
    if !is_name(name) {
        return page(&visitor, &console, bad, &fields, Some(texts.key_name_wrong), None).await;
    }
    if scopes == Scopes::default() {
        return page(&visitor, &console, bad, &fields, Some(texts.scopes_missing), None).await;
    }
    let workspace = visitor.store(console.store.workspace_name(visitor.workspace).await)?;
    let missing = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, "there is no such workspace"));
    let workspace = workspace.ok_or_else(missing)?;
    let key = web::key::generate();
    let hash = web::key::hash(key.expose_secret());
    let new = NewKey { workspace: &workspace, name, scopes, hash: &hash, actor: &visitor.actor };
    match visitor.store(console.store.create_key(new).await)? {
        KeyCreation::Created { .. } => {
            super::first_administrator::close(&console).await;
            let made = Some(key.expose_secret());
            page(&visitor, &console, StatusCode::OK, &Fields::default(), None, made).await
        }
        KeyCreation::NameTaken => {
            page(&visitor, &console, StatusCode::CONFLICT, &fields, Some(texts.key_taken), None).await
        }
    }
}

async fn revoke(
    visitor: Visitor<Administer>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let revoked = console.store.revoke_key(visitor.workspace, fields.text("name"), &visitor.actor).await;
    match visitor.store(revoked)? {
        KeyRevocation::Revoked { .. } | KeyRevocation::RevokedBefore(_) => Ok(visitor.go_to("/keys")),
        KeyRevocation::Unknown => {
            Err(visitor.refuse(Problem::new(StatusCode::NOT_FOUND, "the workspace has no key of this name")))
        }
    }
}
