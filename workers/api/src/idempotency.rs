//! Does a request with an `Idempotency-Key` only once. A client sends a request again when the first answer was lost,
//! and then it gets the first answer.
//!
//! A key stands for one request: for its route and its content. The store keeps the answer for a day. The same key
//! with another request is refused, because the answer of the first request would be wrong for it. The work goes on to
//! its end even when the client stops waiting.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use domain::call::WorkspaceId;
use serde::Serialize;
use serde_json::Value;
use store::{KeyClaim, Store};
use uuid::Uuid;
use web::Problem;

use crate::request::Answer;

const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Does `work`, or gives the answer of the first time. Without a `key` the work is always done. `request` is the
/// route and the content of the request.
pub(crate) async fn answer_once<T: Serialize + Send + 'static>(
    store: &Store,
    workspace: WorkspaceId,
    key: Option<String>,
    request: &Value,
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<Json<Value>> {
    let Some(key) = key else { return Ok(Json(view(&work.await?)?)) };
    let id = Uuid::new_v5(&workspace.0, key.as_bytes());
    let request = Uuid::new_v5(&workspace.0, request.to_string().as_bytes());
    match store.claim_key(workspace, id, request).await? {
        KeyClaim::Yours => {}
        KeyClaim::Answered(answer) => {
            return Ok(Json(serde_json::from_str(&answer).map_err(|_| internal_error())?));
        }
        KeyClaim::Taken => return Err(web::key_of_another_request().into()),
        KeyClaim::InProgress => {
            let detail = "the request with this Idempotency-Key is still being done";
            return Err(Problem::new(StatusCode::CONFLICT, detail).retry_after(RETRY_AFTER).into());
        }
    }
    let store = store.clone();
    let done = tokio::spawn(async move {
        let answer = match work.await {
            Ok(answer) => view(&answer)?,
            Err(refusal) => {
                store.release_key(workspace, id).await?;
                return Err(refusal);
            }
        };
        store.answer_key(workspace, id, &answer.to_string()).await?;
        Ok(Json(answer))
    });
    done.await.map_err(|_| internal_error())?
}

fn view(answer: &impl Serialize) -> Answer<Value> {
    Ok(serde_json::to_value(answer).map_err(|_| internal_error())?)
}

fn internal_error() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is an error in Debrief; its log says more")
}
