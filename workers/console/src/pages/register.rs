//! `/register`: the first administrator, and everybody who has an invitation.

use askama::Template;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use axum::routing::get;
use secrecy::SecretString;
use web::accounts::SESSION_LIFETIME;
use web::session::{CSRF_FIELD, Client, check_form};
use web::{AccountError, Problem};

use super::{first_administrator, seed, sign_in};
use crate::texts::AccountTexts;
use crate::visitor::Guest;
use crate::{Answer, Console, Fields};

#[derive(Template)]
#[template(path = "accounts/register.html")]
struct Page<'a> {
    texts: &'static AccountTexts,
    csrf: &'a str,
    login: &'a str,
    name: &'a str,
    invitation: &'a str,
    needs_key: bool,
    error: Option<String>,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new().route("/register", get(show).post(register))
}

async fn show(guest: Guest, State(console): State<Console>, uri: Uri) -> Answer {
    let fields = Fields::parse(uri.query().unwrap_or_default().as_bytes());
    page(&guest, &console, StatusCode::OK, &fields, None).await
}

async fn page(
    guest: &Guest,
    console: &Console,
    status: StatusCode,
    fields: &Fields,
    error: Option<String>,
) -> Answer {
    let texts = AccountTexts::of(guest.language);
    let told = |error: &AccountError| guest.refuse(Problem::new(seed::status(error), texts.error(error)));
    let token = fields.text("invitation");
    let (title, login) = if token.is_empty() {
        if guest.store(console.store.has_users().await)? {
            return Err(told(&AccountError::Closed));
        }
        (texts.register_first, fields.text("login").to_owned())
    } else {
        let open = console.accounts.invitation(token).await.map_err(|error| told(&error))?;
        (texts.register, open.ok_or_else(|| told(&AccountError::InvitationGone))?.login)
    };
    let content = Page {
        texts,
        csrf: guest.csrf(),
        login: &login,
        name: fields.text("name"),
        invitation: token,
        needs_key: !console.access.is_open(),
        error,
    };
    guest.page(status, title, &content)
}

async fn register(guest: Guest, State(console): State<Console>, request: Request) -> Answer {
    let (head, body) = sign_in::read(&guest, request).await?;
    if seed::is_program(&head.headers) {
        let answer = seed::register(&console, &head, &body).await;
        return Ok(answer.unwrap_or_else(Problem::into_response));
    }
    let fields = Fields::parse(&body);
    check_form(&head, fields.text(CSRF_FIELD)).map_err(|problem| guest.refuse(problem))?;
    let texts = AccountTexts::of(guest.language);
    let password: SecretString = fields.untrimmed("password").into();
    let made = match fields.text("invitation") {
        "" => {
            let actor = first_administrator::actor_of(&console, &head, fields.text("key")).await;
            let Some(actor) = actor.map_err(|problem| guest.refuse(problem))? else {
                let error = Some(texts.wrong_key.to_owned());
                return page(&guest, &console, StatusCode::FORBIDDEN, &fields, error).await;
            };
            console
                .accounts
                .register_first(fields.text("login"), fields.text("name"), &password, &actor)
                .await
        }
        token => console.accounts.accept(token, fields.text("name"), &password).await,
    };
    let begun = match made {
        Ok(user) => {
            first_administrator::close(&console).await;
            console.accounts.begin(user, &Client::of(&head), "password", SESSION_LIFETIME).await
        }
        Err(error) => Err(error),
    };
    match begun {
        Ok(begun) => Ok(sign_in::signed_in(&console, &head.headers, &begun, "/")),
        Err(error) => page(&guest, &console, seed::status(&error), &fields, Some(texts.error(&error))).await,
    }
}
