//! The console: what people see and do in a browser. It is another reader of the same store, and what it changes goes
//! through the same functions as the API and the commands.
//!
//! How a page is made:
//!
//! - A file in `pages/` is one room of the console, for example the queues. It has its routes, what it reads, and the
//!   structs of its templates. Its templates are in `templates/<room>/`, and its words in `texts/<room>.rs`, in every
//!   language.
//! - A handler's first argument is a [`Visitor`], whose type says which right the handler needs. A handler that changes
//!   something takes a [`Posted`] form as its last argument; this has checked that the form was ours.
//! - A handler answers with [`Visitor::page`], and with a [`Refusal`] where it cannot. Both are pages in the same
//!   [`frame`].
//! - Every page works without scripts. An element with the attribute `data-live` is fetched again when something changed
//!   ([`updates`]). No page has a script or a style inside; the browser is told to refuse them.

mod assets;
mod bounds;
mod changes;
mod chart;
mod csrf;
mod ended;
mod fields;
mod form_parts;
mod frame;
mod marked;
mod own_api;
mod pages;
mod refusal;
mod relay;
mod sections;
mod show;
mod state;
mod texts;
mod updates;
mod visitor;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use tower::ServiceExt as _;

pub use changes::Updates;
pub use own_api::OwnApi;
pub use state::{Console, MakeSamples, PracticeSound, ProviderStates};

use csrf::Posted;
use fields::Fields;
use refusal::Refusal;
use visitor::Visitor;

/// What a handler answers.
type Answer = Result<Response, Refusal>;

/// All routes of the console. The caller has to pass the routes of all roles together to [`web::finish`], and then to
/// [`at_the_root`].
pub fn router(console: Console) -> Router {
    let keeping = from_fn_with_state(console.clone(), ended::keep_typed);
    routes(&console).layer(keeping).layer(axum::middleware::from_fn(frame::protect)).with_state(console)
}

fn routes(console: &Console) -> Router<Console> {
    Router::new()
        .merge(pages::overview::routes())
        .merge(pages::signing_in(console))
        .merge(pages::register::routes())
        .merge(pages::account::routes())
        .merge(pages::users::routes())
        .merge(pages::keys::routes())
        .merge(pages::audit::routes())
        .merge(pages::search::routes())
        .merge(pages::analytics::routes())
        .merge(pages::queues::routes())
        .merge(pages::dead_letters::routes())
        .merge(pages::effects::routes())
        .merge(pages::providers::routes())
        .merge(pages::deployment::routes())
        .merge(pages::settings::routes())
        .merge(pages::language::routes())
        .merge(pages::calls::routes())
        .merge(pages::call::routes())
        .merge(pages::upload::routes())
        .merge(pages::samples::routes())
        .merge(pages::live::routes())
        .merge(pages::practice::routes())
        .route("/updates", get(updates::stream))
        .route("/assets/{name}", get(assets::serve))
}

/// Shows the console's first page to a browser that asks for `/`. A program gets what it would get without the console.
pub fn at_the_root(router: Router, console: Console) -> Router {
    router.layer(from_fn_with_state(console, first_page))
}

async fn first_page(State(console): State<Console>, request: Request, next: Next) -> Response {
    let is_for_people = matches!(*request.method(), Method::GET | Method::HEAD)
        && request.uri().path() == "/"
        && web::accept::prefers_html(&web::accept::accepted(request.headers()));
    if !is_for_people {
        return next.run(request).await;
    }
    let page = pages::overview::at_the_root().layer(axum::middleware::from_fn(frame::protect));
    page.with_state(console).oneshot(request).await.unwrap_or_else(|never| match never {})
}
