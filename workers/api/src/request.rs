//! Reads from a request what most routes need: who sends it, and which call it is about. It also says how a request is
//! refused.

use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::call::{Call, CallId};
use domain::principal::Principal;
use platform::blobs::BlobError;
use store::{Page, Store, StoreError};
use uuid::Uuid;
use web::recording::RecordingError;
use web::{Authorized, Operate, Problem, Read, ReadOwn};

/// How long an answer may take. A database that is only busy answers sooner.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How many entries of a list an answer has, unless the request says another number.
pub(crate) const DEFAULT_LIMIT: i64 = 50;

/// Why a request is refused.
pub(crate) struct Refusal(Problem);

pub(crate) type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "failed to read the store for a request");
        unavailable("the store cannot be used at the moment")
    }
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        tracing::warn!(%error, "failed to read a blob for a request");
        unavailable("the blobs cannot be read at the moment")
    }
}

impl From<RecordingError> for Refusal {
    fn from(error: RecordingError) -> Self {
        match error {
            RecordingError::Store(error) => error.into(),
            RecordingError::Blob(error) => error.into(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

fn unavailable(detail: &str) -> Refusal {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER).into()
}

pub(crate) fn not_found(detail: impl Into<String>) -> Refusal {
    Problem::new(StatusCode::NOT_FOUND, detail).into()
}

/// Answers with status 503 when the answer takes too long, for example because the database hangs. A POST and a
/// PATCH have no time limit, because they change something and must come to their end.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::POST | Method::PATCH) {
        return next.run(request).await;
    }
    match tokio::time::timeout(MAX_ANSWER_TIME, next.run(request)).await {
        Ok(response) => response,
        Err(_) => unavailable("there was no answer in time").into_response(),
    }
}

/// The sender of a request, whose key may read. This stands before a handler's other arguments, so that a sender without
/// such a key learns nothing from the checks of the other arguments.
pub(crate) type Reader = Authorized<Read>;
/// The sender of a request, who may read calls, and perhaps only the own ones.
pub(crate) type CallReader = Authorized<ReadOwn>;
/// The sender of a request, whose key may have something done again.
pub(crate) type Operator = Authorized<Operate>;

/// The id in the path, decoded. The path has only one.
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(id)| id);
        // PostgreSQL refuses NUL in a text, so no row can have such an id.
        let readable = id.filter(|id| !id.contains('\0'));
        readable
            .map(Self)
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the id in the path cannot be read"))
    }
}

/// The call with this id, if the sender may see it. It is our id or the source's.
pub(crate) async fn find(store: &Store, who: &Principal, id: &str) -> Answer<Call> {
    let ours = match id.parse::<Uuid>() {
        Ok(uuid) => store.call(who.workspace, CallId(uuid)).await?,
        Err(_) => None,
    };
    match ours {
        Some(call) => seen(who, Some(call), id),
        None => find_by_source_id(store, who, id).await,
    }
}

/// The call with this id of its source. Blanks around an id do not count when a call arrives, so they do not count here.
pub(crate) async fn find_by_source_id(store: &Store, who: &Principal, id: &str) -> Answer<Call> {
    let found = match store.call_by_external_id(who.workspace, id).await? {
        None if id.trim().len() < id.len() => store.call_by_external_id(who.workspace, id.trim()).await?,
        found => found,
    };
    seen(who, found, id)
}

/// A call that the sender may not see is answered as if it were not there.
fn seen(who: &Principal, call: Option<Call>, id: &str) -> Answer<Call> {
    call.filter(|call| who.sees.includes(&call.details))
        .ok_or_else(|| not_found(format!("there is no call `{id}`")))
}

/// The number of a page. The first page has the number 1.
pub(crate) fn number(page: Page) -> i64 {
    page.offset / page.limit + 1
}
