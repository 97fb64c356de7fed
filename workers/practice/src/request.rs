//! What all routes of practice share: how a request is refused, what an answer looks like, and which id is meant.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use domain::moment::Moment;
use platform::blobs::BlobError;
use serde::Serialize;
use serde_json::Value;
use store::{KeyClaim, Store, StoreError};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Authorized, Practise, Problem, ReadOwn};

const RETRY_AFTER: Duration = Duration::from_secs(5);
/// The longest JSON body, in bytes. A turn may bring its sound with it.
pub(crate) const MAX_JSON_BYTES: u64 = 16 * 1024 * 1024;

/// Who reads.
pub(crate) type Reader = Authorized<ReadOwn>;
/// Who takes part.
pub(crate) type Trainee = Authorized<Practise>;

/// Why a request is refused.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) Problem);

pub(crate) type Answer<T> = Result<T, Refusal>;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "failed to use the store for a request of practice");
        unavailable("the store cannot be used at the moment")
    }
}

impl From<BlobError> for Refusal {
    fn from(error: BlobError) -> Self {
        tracing::warn!(%error, "failed to use the blobs for a request of practice");
        unavailable("the blobs cannot be used at the moment")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

pub(crate) fn unavailable(detail: &str) -> Refusal {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_AFTER).into()
}

pub(crate) fn not_found(what: &str) -> Refusal {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no such {what}")).into()
}

pub(crate) fn conflict(detail: impl Into<String>) -> Refusal {
    Problem::new(StatusCode::CONFLICT, detail).into()
}

/// The form of every answer of practice that is no error.
#[derive(Serialize, ToSchema)]
pub(crate) struct Answered<T> {
    success: bool,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Moment,
    data: T,
    /// What happened, in a sentence.
    message: Option<String>,
}

impl<T> Answered<T> {
    pub(crate) fn of(data: T, message: impl Into<String>) -> Json<Self> {
        Json(Self { success: true, timestamp: Moment::now(), data, message: Some(message.into()) })
    }

    pub(crate) fn plain(data: T) -> Json<Self> {
        Json(Self { success: true, timestamp: Moment::now(), data, message: None })
    }
}

/// What was removed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Removed {
    /// The id of what was removed.
    pub(crate) id: Uuid,
}

/// The id in the path. A text that is no id is the id of nothing.
pub(crate) struct Id(pub(crate) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = id.and_then(|Path(id)| id.parse().ok());
        id.map(Self)
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the id in the path is the id of nothing"))
    }
}

/// Reads the body as JSON.
pub(crate) async fn json(parts: &Parts, body: Body) -> Result<Value, Problem> {
    web::json(&parts.headers, body, MAX_JSON_BYTES).await
}

/// Does `work`, or gives the answer of the first time where the request comes again with its `Idempotency-Key`. The work
/// goes on to its end even when the client stops waiting.
pub(crate) async fn once<T: Serialize + Send + 'static>(
    store: &Store,
    who: &Trainee,
    parts: &Parts,
    asked: &Value,
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<Value> {
    let workspace = who.workspace;
    let Some(key) = web::idempotency_key(&parts.headers)? else { return view(&finished(work).await?) };
    let id = Uuid::new_v5(&workspace.0, key.as_bytes());
    let asked = serde_json::json!([parts.uri.path(), asked]);
    let asked = Uuid::new_v5(&workspace.0, asked.to_string().as_bytes());
    match store.claim_key(workspace, id, asked).await? {
        KeyClaim::Yours => {}
        KeyClaim::Answered(answer) => {
            return serde_json::from_str(&answer).map_err(|_| internal_error().into());
        }
        KeyClaim::Taken => return Err(web::key_of_another_request().into()),
        KeyClaim::InProgress => {
            let detail = "the request with this Idempotency-Key is still being done";
            return Err(Problem::new(StatusCode::CONFLICT, detail).retry_after(RETRY_AFTER).into());
        }
    }
    let store = store.clone();
    finished(async move {
        match work.await {
            Ok(done) => {
                let answer = view(&done)?;
                store.answer_key(workspace, id, &answer.to_string()).await?;
                Ok(answer)
            }
            Err(refusal) => {
                store.release_key(workspace, id).await?;
                Err(refusal)
            }
        }
    })
    .await
}

/// Does the work to its end, even when nobody waits for it any more.
pub(crate) async fn finished<T: Send + 'static>(
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<T> {
    tokio::spawn(work).await.map_err(|_| internal_error())?
}

pub(crate) fn view(answer: &impl Serialize) -> Answer<Value> {
    serde_json::to_value(answer).map_err(|_| internal_error().into())
}

pub(crate) fn internal_error() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is an error in Debrief; its log says more")
}
