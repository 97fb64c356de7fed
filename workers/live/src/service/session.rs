//! Finds the session that a request names, if its sender may see it.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use domain::call::Call;
use domain::principal::Principal;
use std::time::Duration;
use store::StoreError;
use store::live::LiveSession;
use web::Problem;

use super::Live;

const COME_BACK_IN: Duration = Duration::from_secs(5);
/// The longest id of a session.
const MAX_ID_CHARS: usize = 255;

/// The id of the session in the path.
pub(crate) struct SessionId(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for SessionId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(id)| id);
        let usable = id.filter(|id| check(id).is_ok());
        usable
            .map(Self)
            .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "the id in the path cannot be read"))
    }
}

/// Whether a text can be the id of a session.
pub(crate) fn check(id: &str) -> Result<(), String> {
    if id.trim().is_empty() {
        return Err("must not be empty".into());
    }
    if id.chars().count() > MAX_ID_CHARS {
        return Err(format!("must have at most {MAX_ID_CHARS} characters"));
    }
    if id.chars().any(char::is_control) {
        return Err("must not contain control characters".into());
    }
    Ok(())
}

/// The answer to a request while the store cannot be used.
pub(crate) fn away(error: &StoreError) -> Problem {
    tracing::warn!(%error, "failed to use the store for a live call");
    let detail = "the store cannot be used at the moment; send it again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(COME_BACK_IN)
}

/// The answer to a request about a session that is not there.
pub(crate) fn unknown(id: &str) -> Problem {
    let shown: String = id.chars().take(80).collect();
    Problem::new(StatusCode::NOT_FOUND, format!("there is no session `{shown}`"))
}

/// The answer to audio for a session that has ended.
pub(crate) fn ended() -> Problem {
    Problem::new(StatusCode::CONFLICT, "the session has ended and takes no more audio")
}

impl Live {
    /// The session with this id and its call. Somebody who may not see the call is told that there is none.
    pub(crate) async fn session(&self, who: &Principal, id: &str) -> Result<(LiveSession, Call), Problem> {
        let session =
            self.store.live_session(who.workspace, id.trim()).await.map_err(|error| away(&error))?;
        let session = session.ok_or_else(|| unknown(id))?;
        let call = self.store.call(who.workspace, session.call).await.map_err(|error| away(&error))?;
        let call = call.filter(|call| who.sees.includes(&call.details)).ok_or_else(|| unknown(id))?;
        Ok((session, call))
    }
}
