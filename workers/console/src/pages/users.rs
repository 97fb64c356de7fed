//! `/users`: who belongs to the workspace, what each may do, and who is invited.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use domain::account::{Role, UserId};
use domain::principal::AgentIdentity;
use secrecy::{ExposeSecret as _, SecretString};
use store::{UserChange, UserRow};
use uuid::Uuid;
use web::session::is_plain_loopback;
use web::{Administer, Problem};

use super::seed;
use super::session_rows::{self, SessionLine, lines};
use crate::sections::Section;
use crate::texts::{AccountTexts, FrameTexts, fill};
use crate::{Answer, Console, Fields, Posted, Refusal, Visitor, show};

type Administrator = Visitor<Administer>;

struct Invited {
    id: Uuid,
    login: String,
    role: &'static str,
    by: String,
    expires: String,
}

#[derive(Template)]
#[template(path = "accounts/users.html")]
struct List<'a> {
    texts: &'static AccountTexts,
    csrf: &'a str,
    users: Vec<UserRow>,
    invited: Vec<Invited>,
    login: &'a str,
    role: &'a str,
    agent: &'a str,
    error: Option<String>,
    /// The words about a new invitation, and its link.
    link: Option<(String, String)>,
    has_users: bool,
}

#[derive(Template)]
#[template(path = "accounts/user.html")]
struct One<'a> {
    texts: &'static AccountTexts,
    csrf: &'a str,
    user: UserRow,
    sessions: Vec<SessionLine>,
    error: Option<String>,
}

impl One<'_> {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a template passes references")]
    fn has_role(&self, role: &Role) -> bool {
        self.user.role == Some(*role)
    }
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/users", get(list))
        .route("/users/invite", post(invite))
        .route("/users/invitations/{id}/revoke", post(revoke))
        .route("/users/{id}", get(one))
        .route("/users/{id}/role", post(change_role))
        .route("/users/{id}/disable", post(disable))
        .route("/users/{id}/enable", post(enable))
        .route("/users/{id}/password", post(set_password))
        .route("/users/{id}/sessions", post(end_sessions))
}

async fn list(visitor: Administrator, State(console): State<Console>) -> Answer {
    list_page(&visitor, &console, StatusCode::OK, &Fields::default(), None, None).await
}

async fn list_page(
    visitor: &Administrator,
    console: &Console,
    status: StatusCode,
    fields: &Fields,
    error: Option<String>,
    link: Option<(String, String)>,
) -> Answer {
    let texts = AccountTexts::of(visitor.language);
    let zone = console.installation.timezone;
    let invited = visitor.store(console.store.invitations(visitor.workspace).await)?;
    let invited = invited.into_iter().map(|row| Invited {
        id: row.id,
        role: texts.role_name(row.role.parse().ok().as_ref()),
        login: row.login,
        by: row.created_by,
        expires: show::time(row.expires_at, zone),
    });
    let content = List {
        texts,
        csrf: visitor.csrf(),
        users: visitor.store(console.store.users(visitor.workspace).await)?,
        invited: invited.collect(),
        login: fields.text("login"),
        role: fields.given("role").unwrap_or("viewer"),
        agent: fields.text("agent"),
        error,
        link,
        has_users: visitor.store(console.store.has_users().await)?,
    };
    visitor.page_with(status, Section::Users, FrameTexts::of(visitor.language).users, &content)
}

/// The role of a form, and the agent that belongs to it. The agent can be named by an address or a number that the
/// directory of agents has.
fn role_of(
    texts: &'static AccountTexts,
    console: &Console,
    fields: &Fields,
) -> Result<(Role, Option<String>), &'static str> {
    let role: Role = fields.text("role").parse().map_err(|_| texts.wrong_role)?;
    if role != Role::Agent {
        return Ok((role, None));
    }
    let agents = &console.installation.agents;
    let given = fields.given("agent").unwrap_or_else(|| fields.text("login"));
    let known = agents.by_email(given).or_else(|| agents.by_phone(given));
    let name = known.and_then(|agent| agent.name.as_deref()).or(fields.given("agent")).unwrap_or_default();
    let identity = AgentIdentity::new(name).ok_or(texts.agent_missing)?;
    Ok((role, Some(identity.name().to_owned())))
}

async fn invite(
    visitor: Administrator,
    State(console): State<Console>,
    headers: HeaderMap,
    Posted(fields): Posted,
) -> Answer {
    let texts = AccountTexts::of(visitor.language);
    // The first account has to be an administrator's: with it, everybody has to sign in.
    if !visitor.store(console.store.has_users().await)? {
        return Ok(visitor.go_to("/register"));
    }
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let (role, agent) = match role_of(texts, &console, &fields) {
        Ok(role) => role,
        Err(error) => return list_page(&visitor, &console, bad, &fields, Some(error.to_owned()), None).await,
    };
    let who = (visitor.workspace, &*visitor.actor);
    match console.accounts.invite(who, fields.text("login"), role, agent.as_deref()).await {
        Ok((login, token)) => {
            let base = base(&console, &headers);
            let link = format!("{base}/register?invitation={}", token.expose_secret());
            let link = Some((fill(texts.invited, &[&login]), link));
            list_page(&visitor, &console, StatusCode::OK, &Fields::default(), None, link).await
        }
        Err(error) => {
            list_page(&visitor, &console, seed::status(&error), &fields, Some(texts.error(&error)), None)
                .await
        }
    }
}

/// The address under which people reach this console.
fn base(console: &Console, headers: &HeaderMap) -> String {
    if let Some(url) = &console.installation.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if is_plain_loopback(headers) { "http" } else { "https" };
    format!("{scheme}://{host}")
}

async fn revoke(
    visitor: Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let id: Uuid = id.parse().map_err(|_| missing(&visitor))?;
    let who = (visitor.workspace, &*visitor.actor);
    if !visitor.store(console.store.revoke_invitation(who, id).await)? {
        return Err(missing(&visitor));
    }
    Ok(visitor.go_to("/users"))
}

fn missing(visitor: &Administrator) -> Refusal {
    visitor.refuse(Problem::new(StatusCode::NOT_FOUND, "the workspace has no such account or invitation"))
}

/// The account in the path.
async fn find(visitor: &Administrator, console: &Console, id: &str) -> Result<UserRow, Refusal> {
    let id = id.parse().map(UserId).map_err(|_| missing(visitor))?;
    let user = visitor.store(console.store.user(visitor.workspace, id).await)?;
    user.map(|known| known.user).ok_or_else(|| missing(visitor))
}

async fn one(visitor: Administrator, State(console): State<Console>, Path(id): Path<String>) -> Answer {
    let user = find(&visitor, &console, &id).await?;
    one_page(&visitor, &console, StatusCode::OK, user, None).await
}

async fn one_page(
    visitor: &Administrator,
    console: &Console,
    status: StatusCode,
    user: UserRow,
    error: Option<&str>,
) -> Answer {
    let sessions = visitor.store(console.store.sessions(visitor.workspace, user.id).await)?;
    let this = visitor.signed_in.as_ref().map(|who| who.session);
    let title = user.name.clone();
    let content = One {
        texts: AccountTexts::of(visitor.language),
        csrf: visitor.csrf(),
        sessions: lines(sessions, this, console.installation.timezone),
        error: error.map(ToOwned::to_owned),
        user,
    };
    visitor.page_with(status, Section::Users, &title, &content)
}

/// Shows what became of a change.
async fn changed(visitor: &Administrator, console: &Console, user: UserRow, change: UserChange) -> Answer {
    console.access.forget_sessions();
    match change {
        UserChange::LastAdministrator => {
            let error = AccountTexts::of(visitor.language).last_administrator;
            one_page(visitor, console, StatusCode::CONFLICT, user, Some(error)).await
        }
        UserChange::Done | UserChange::Nothing => Ok(visitor.go_to(&format!("/users/{}", user.id))),
    }
}

async fn change_role(
    visitor: Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let user = find(&visitor, &console, &id).await?;
    match role_of(AccountTexts::of(visitor.language), &console, &fields) {
        Err(error) => one_page(&visitor, &console, StatusCode::UNPROCESSABLE_ENTITY, user, Some(error)).await,
        Ok((role, agent)) => {
            let who = (visitor.workspace, &*visitor.actor);
            let change = console.store.change_user(who, user.id, role, agent.as_deref()).await;
            changed(&visitor, &console, user, visitor.store(change)?).await
        }
    }
}

async fn disable(
    visitor: Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let user = find(&visitor, &console, &id).await?;
    let change = console.store.disable_user((visitor.workspace, &*visitor.actor), user.id).await;
    changed(&visitor, &console, user, visitor.store(change)?).await
}

async fn enable(
    visitor: Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let user = find(&visitor, &console, &id).await?;
    let change = console.store.enable_user((visitor.workspace, &*visitor.actor), user.id).await;
    changed(&visitor, &console, user, visitor.store(change)?).await
}

async fn set_password(
    visitor: Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let user = find(&visitor, &console, &id).await?;
    let password: SecretString = fields.untrimmed("password").into();
    let who = (visitor.workspace, &*visitor.actor);
    match console.accounts.set_password(who, user.id, &user.login, &password).await {
        Ok(_) => changed(&visitor, &console, user, UserChange::Done).await,
        Err(error) => {
            let told = AccountTexts::of(visitor.language).error(&error);
            one_page(&visitor, &console, seed::status(&error), user, Some(&told)).await
        }
    }
}

async fn end_sessions(
    visitor: Administrator,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let user = find(&visitor, &console, &id).await?;
    let only = session_rows::named(&visitor, &fields)?;
    let ended = console.store.end_sessions((visitor.workspace, &*visitor.actor), user.id, only, None).await;
    visitor.store(ended)?;
    changed(&visitor, &console, user, UserChange::Done).await
}
