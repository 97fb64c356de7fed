//! `/account`: the visitor's own password, sessions, and workspaces.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use domain::call::WorkspaceId;
use store::{SignedIn, WorkspaceRow};
use uuid::Uuid;
use web::session::Client;
use web::{Problem, ReadOwn};

use super::session_rows::{self, SessionLine, lines};
use super::{seed, sign_in};
use crate::sections::Section;
use crate::texts::{AccountTexts, FrameTexts};
use crate::{Answer, Console, Posted, Refusal, Visitor};

#[derive(Template)]
#[template(path = "accounts/account.html")]
struct Page<'a> {
    texts: &'static AccountTexts,
    csrf: &'a str,
    who: &'a SignedIn,
    error: Option<String>,
    sessions: Vec<SessionLine>,
    workspaces: Vec<WorkspaceRow>,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/account", get(show))
        .route("/account/password", post(change_password))
        .route("/account/sessions", post(end_sessions))
        .route("/account/workspace", post(enter))
}

/// Who is signed in. A visitor with a key has no account.
fn who(visitor: &Visitor<ReadOwn>) -> Result<Arc<SignedIn>, Refusal> {
    let missing = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, "nobody is signed in here"));
    visitor.signed_in.clone().ok_or_else(missing)
}

async fn show(visitor: Visitor<ReadOwn>, State(console): State<Console>) -> Answer {
    page(&visitor, &console, StatusCode::OK, None).await
}

async fn page(
    visitor: &Visitor<ReadOwn>,
    console: &Console,
    status: StatusCode,
    error: Option<String>,
) -> Answer {
    let who = who(visitor)?;
    let sessions = visitor.store(console.store.sessions(who.home, who.user).await)?;
    let workspaces = if who.administers_installation() {
        visitor.store(console.store.workspaces().await)?
    } else {
        Vec::new()
    };
    let content = Page {
        texts: AccountTexts::of(visitor.language),
        csrf: visitor.csrf(),
        error,
        sessions: lines(sessions, Some(who.session), console.installation.timezone),
        workspaces,
        who: &who,
    };
    visitor.page_with(status, Section::Overview, FrameTexts::of(visitor.language).account, &content)
}

async fn change_password(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    request: Request,
) -> Answer {
    let (parts, body) = request.into_parts();
    let client = Client::of(&parts);
    let headers = parts.headers.clone();
    let Posted(fields) = Posted::from_request(Request::from_parts(parts, body), &console).await?;
    let who = who(&visitor)?;
    let (old, new) = (fields.untrimmed("old").into(), fields.untrimmed("password").into());
    match console.accounts.change_password(&who, &old, &new, &client).await {
        Ok(begun) => Ok(sign_in::signed_in(&console, &headers, &begun, "/account")),
        Err(error) => {
            let told = AccountTexts::of(visitor.language).error(&error);
            // A wrong password does not mean that nobody is signed in.
            let status = match seed::status(&error) {
                StatusCode::UNAUTHORIZED => StatusCode::UNPROCESSABLE_ENTITY,
                status => status,
            };
            page(&visitor, &console, status, Some(told)).await
        }
    }
}

/// Ends one of the visitor's own sessions, or all but the one of this browser.
async fn end_sessions(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let who = who(&visitor)?;
    let only = session_rows::named(&visitor, &fields)?;
    let ended =
        console.store.end_sessions((who.home, &visitor.actor), who.user, only, Some(who.session)).await;
    visitor.store(ended)?;
    console.access.forget_sessions();
    Ok(visitor.go_to("/account"))
}

async fn enter(visitor: Visitor<ReadOwn>, State(console): State<Console>, Posted(fields): Posted) -> Answer {
    let who = who(&visitor)?;
    let workspace = fields.text("workspace").parse::<Uuid>().map(WorkspaceId);
    let missing = || visitor.refuse(Problem::new(StatusCode::NOT_FOUND, "there is no such workspace"));
    let workspace = workspace.map_err(|_| missing())?;
    if !visitor.store(console.store.enter_workspace(&who, workspace).await)? {
        return Err(missing());
    }
    console.access.forget_sessions();
    Ok(visitor.go_to("/"))
}
