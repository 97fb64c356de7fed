//! `/calls/views`: the views of the list of calls, each with a name. A view is for the person who keeps it, or for everybody
//! who sees all calls of the workspace. An agent who sees only her own calls has only her own views, because a name or a
//! filter of another view could tell her about calls of others.

use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use store::{MAX_VIEWS, NewView, SavedView, ViewKept};
use uuid::Uuid;
use web::{Operate, Problem, ReadOwn};

use super::filters::{self, Filters};
use crate::sections::Section;
use crate::texts::{CallsTexts, ViewTexts, fill};
use crate::{Answer, Console, Fields, Posted, Refusal, Visitor};

const MAX_NAME_CHARS: usize = 100;
/// The longest query that is kept. The filters of a form are far shorter.
const MAX_QUERY_BYTES: usize = 8000;

#[derive(Template)]
#[template(path = "calls/views.html")]
struct Page<'a> {
    texts: &'static ViewTexts,
    csrf: &'a str,
    /// The list that the form keeps.
    query: &'a str,
    filters: Vec<(&'a str, &'a str)>,
    name: &'a str,
    is_shared: bool,
    problem: Option<&'a str>,
    views: Vec<SavedView>,
    may_share: bool,
}

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/calls/views", get(show_page).post(keep))
        .route("/calls/views/{id}/remove", post(remove))
}

/// Whether the visitor may change what everybody sees.
fn may_share<N>(visitor: &Visitor<N>) -> bool {
    visitor.may::<Operate>() && !visitor.sees.is_restricted()
}

/// The views that the visitor sees.
pub(super) async fn of<N>(visitor: &Visitor<N>, console: &Console) -> Result<Vec<SavedView>, Refusal> {
    let with_shared = !visitor.sees.is_restricted();
    visitor.store(console.store.saved_views(visitor.workspace, &visitor.actor, with_shared).await)
}

async fn show_page(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = query.unwrap_or_default();
    let typed = Typed { name: "", is_shared: false, problem: None, status: StatusCode::OK };
    page(&visitor, &console, &query, typed).await
}

/// What stands in the form, and what is wrong with it.
#[derive(Clone, Copy)]
struct Typed<'a> {
    name: &'a str,
    is_shared: bool,
    problem: Option<&'a str>,
    status: StatusCode,
}

async fn page(visitor: &Visitor<ReadOwn>, console: &Console, query: &str, typed: Typed<'_>) -> Answer {
    let query = filters::kept(&Fields::parse(query.as_bytes()));
    let fields = Fields::parse(query.as_bytes());
    let content = Page {
        texts: ViewTexts::of(visitor.language),
        csrf: visitor.csrf(),
        query: &query,
        filters: fields.iter().collect(),
        name: typed.name,
        is_shared: typed.is_shared,
        problem: typed.problem,
        views: of(visitor, console).await?,
        may_share: may_share(visitor),
    };
    visitor.page_with(typed.status, Section::Calls, content.texts.title, &content)
}

async fn keep(visitor: Visitor<ReadOwn>, State(console): State<Console>, Posted(fields): Posted) -> Answer {
    let texts = ViewTexts::of(visitor.language);
    let (name, is_shared) = (fields.text("name"), fields.given("shared").is_some());
    let list = Fields::parse(fields.text("query").as_bytes());
    let query = filters::kept(&list);
    let again = async |status, problem: &str| {
        let typed = Typed { name, is_shared, problem: Some(problem), status };
        page(&visitor, &console, &query, typed).await
    };
    if is_shared && !may_share(&visitor) {
        return Err(visitor.refuse(Problem::new(StatusCode::FORBIDDEN, texts.may_not_share)));
    }
    let is_name =
        !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS && !name.chars().any(char::is_control);
    if !is_name {
        return again(StatusCode::UNPROCESSABLE_ENTITY, texts.wrong_name).await;
    }
    let time = (console.store.now(), console.installation.timezone);
    let can_be_used = Filters::read(&list, time, CallsTexts::of(visitor.language)).can_be_used();
    if !can_be_used || query.len() > MAX_QUERY_BYTES || query.contains("%00") {
        return again(StatusCode::UNPROCESSABLE_ENTITY, texts.wrong_list).await;
    }
    let view =
        NewView { workspace: visitor.workspace, owner: &visitor.actor, is_shared, name, query: &query };
    match visitor.store(console.store.keep_view(view).await)? {
        ViewKept::Kept(_) => Ok(visitor.go_to(&format!("/calls?{query}"))),
        ViewKept::NameTaken => again(StatusCode::CONFLICT, texts.name_taken).await,
        ViewKept::TooMany => {
            again(StatusCode::CONFLICT, &fill(texts.too_many, &[&MAX_VIEWS.to_string()])).await
        }
    }
}

async fn remove(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(_): Posted,
) -> Answer {
    let none = || {
        let texts = ViewTexts::of(visitor.language);
        visitor.refuse(Problem::new(StatusCode::NOT_FOUND, texts.no_such_view))
    };
    let id = id.parse::<Uuid>().map_err(|_| none())?;
    let who = (visitor.workspace, &*visitor.actor);
    let removed = visitor.store(console.store.remove_view(who, id, may_share(&visitor)).await)?;
    if removed { Ok(visitor.go_to("/calls/views")) } else { Err(none()) }
}
