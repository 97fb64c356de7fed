//! A replay that its sender asks for twice, because the first answer got lost, is done once.
//!
//! The `Idempotency-Key` together with what is asked for names the request; the store keeps its answer for
//! a day. What was asked for is done to its end even where the asker has gone meanwhile.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use domain::call::WorkspaceId;
use serde::Serialize;
use serde_json::Value;
use store::{KeyClaim, Store};
use uuid::Uuid;
use web::Problem;

use crate::ask::Answer;

const COME_BACK_IN: Duration = Duration::from_secs(5);

/// Does `work`, or answers what it answered before. Without a `key` it is always done.
pub(crate) async fn once<T: Serialize + Send + 'static>(
    store: &Store,
    workspace: WorkspaceId,
    key: Option<String>,
    asked: &Value,
    work: impl Future<Output = Answer<T>> + Send + 'static,
) -> Answer<Json<Value>> {
    let Some(key) = key else { return Ok(Json(view(&work.await?)?)) };
    let id = Uuid::new_v5(&workspace.0, format!("{key}\n{asked}").as_bytes());
    match store.claim_key(workspace, id).await? {
        KeyClaim::Yours => {}
        KeyClaim::Answered(answer) => return Ok(Json(serde_json::from_str(&answer).map_err(|_| ours())?)),
        KeyClaim::InProgress => {
            let detail = "the request with this Idempotency-Key is still being done";
            return Err(Problem::new(StatusCode::CONFLICT, detail).retry_after(COME_BACK_IN).into());
        }
    }
    let store = store.clone();
    let done = tokio::spawn(async move {
        let answer = match work.await {
            Ok(answer) => view(&answer)?,
            Err(refused) => {
                store.release_key(workspace, id).await?;
                return Err(refused);
            }
        };
        store.answer_key(workspace, id, &answer.to_string()).await?;
        Ok(Json(answer))
    });
    done.await.map_err(|_| ours())?
}

fn view(answer: &impl Serialize) -> Answer<Value> {
    Ok(serde_json::to_value(answer).map_err(|_| ours())?)
}

fn ours() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this is a mistake of ours; the log says more")
}
