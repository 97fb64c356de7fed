//! Turns a request into an arrival, in the same way for every source.
//!
//! A [`Source`] decides how it recognises its sender, how long a body may be, how a body is read and what the answer
//! is. The order of the steps stands only here: first the length is checked, then the sender. Then the body is read,
//! then the intake takes the arrivals, and only then the sender gets an answer.

use axum::Json;
use axum::body::Body;
use axum::extract::{Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use domain::call::CallId;
use queue_topology::intake::{Accepted, Arrival, Nudge};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use web::Problem;

use crate::refusal::not_kept;
use crate::request_key::RequestKey;
use crate::{Ingest, form};

/// The longest body of a webhook, in bytes. The webhooks that we know are some kilobytes long.
pub(crate) const MAX_WEBHOOK_BYTES: u64 = 1024 * 1024;

/// One kind of sender. Its file in `sources/` holds everything that is special about this sender: the path, the check
/// of the sender, the reading, the answer and the description for the OpenAPI document.
pub(crate) trait Source: Send + Sync + Sized {
    /// How the source recognises its sender.
    const SENDER: Sender<Self>;

    /// The longest body, in bytes. A longer one is refused before anything looks at it.
    fn max_bytes(&self) -> u64;

    /// Reads the request of a sender that was checked already.
    fn read(&self, sent: Sent) -> impl Future<Output = Result<Read, Problem>> + Send;

    /// The answer once everything is kept. There is one [`Accepted`] for each arrival, in the same order, and none
    /// for a nudge.
    fn answer(&self, accepted: &[Accepted]) -> Response;
}

/// The ways in which a source can recognise its sender.
pub(crate) enum Sender<S> {
    /// By a key that we gave to the sender. A sender without one is refused before the body is read.
    Key(web::Door),
    /// By a proof that only the provider can have made, such as a signature over the body. The check gets the bytes
    /// of the body as they came, before anything parses them.
    Signature(fn(&S, &Parts, &[u8]) -> Result<(), Problem>),
}

/// The content of a request.
pub(crate) enum Read {
    /// Calls. The list is empty where the sender tells of something that we do not need.
    Arrivals(Vec<Arrival>),
    /// A hint that something may have happened to a call that we know already.
    Nudge(Nudge),
    /// A question that is answered at once, such as whether this address belongs to us.
    Reply(Response),
}

/// A request whose sender was checked.
pub(crate) struct Sent {
    pub(crate) head: Parts,
    body: Body,
    max_bytes: u64,
}

impl Sent {
    #[cfg(feature = "testing")]
    pub(crate) fn of(request: Request) -> Self {
        let (head, body) = request.into_parts();
        Self { head, body, max_bytes: MAX_WEBHOOK_BYTES }
    }

    fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The query: the part of the address behind the `?`.
    pub(crate) fn query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }

    pub(crate) fn idempotency_key(&self) -> Result<Option<String>, Problem> {
        web::idempotency_key(self.headers())
    }

    /// Reads the body as JSON.
    pub(crate) async fn json(self) -> Result<Value, Problem> {
        web::json(&self.head.headers, self.body, self.max_bytes).await
    }

    /// Reads the body as it came.
    pub(crate) async fn bytes(self) -> Result<Bytes, Problem> {
        web::raw(&self.head.headers, self.body, self.max_bytes).await
    }

    /// Opens the body as a form, which is then read part by part.
    pub(crate) async fn form(self) -> Result<Multipart, Problem> {
        form::open(Request::from_parts(self.head, self.body), self.max_bytes).await
    }
}

impl Ingest {
    /// Handles one request to `source`.
    pub(crate) async fn receive<S: Source>(&self, source: S, request: Request) -> Result<Response, Problem> {
        let (head, mut body) = request.into_parts();
        let max_bytes = source.max_bytes();
        let mut key = None;
        let workspace = match S::SENDER {
            Sender::Key(door) => {
                let workspace = self.access.admit(door, &head).await?.workspace;
                key = RequestKey::read(workspace, &head);
                workspace
            }
            Sender::Signature(check) => {
                let bytes = web::raw(&head.headers, body, max_bytes).await?;
                check(&source, &head, &bytes)?;
                body = bytes.into();
                // The secret that proves the sender stands in our configuration, and the configuration belongs to
                // this workspace.
                web::INSTALLATION
            }
        };
        match source.read(Sent { head, body, max_bytes }).await? {
            Read::Arrivals(arrivals) => {
                let claimed = match key {
                    Some(key) => Some(key.claim(self.intake.cache.as_ref(), &arrivals).await?),
                    None => None,
                };
                let mut accepted = Vec::with_capacity(arrivals.len());
                for arrival in arrivals {
                    let skipped = self.settings.skipped(&arrival);
                    match self.intake.accept(workspace, arrival).await {
                        Ok(one) => accepted.push(Accepted { skipped, ..one }),
                        Err(refused) => {
                            if let Some(claimed) = claimed {
                                claimed.give_up(self.intake.cache.as_ref()).await;
                            }
                            return Err(not_kept(refused));
                        }
                    }
                }
                Ok(source.answer(&accepted))
            }
            Read::Nudge(nudge) => {
                self.intake.nudge(nudge).await.map_err(not_kept)?;
                Ok(source.answer(&[]))
            }
            Read::Reply(response) => Ok(response),
        }
    }
}

/// The answer to an upload. The call is on disk and will be worked on.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct AcceptedView {
    /// Our id of the call.
    #[schema(value_type = String, format = Uuid)]
    call_id: CallId,
    status_url: String,
}

/// 202 with our id of the one call that was uploaded.
pub(crate) fn upload_accepted(accepted: &[Accepted]) -> Response {
    let Some(Accepted { call, .. }) = accepted.first() else { return StatusCode::ACCEPTED.into_response() };
    let view = AcceptedView { call_id: *call, status_url: format!("/api/calls/{call}") };
    (StatusCode::ACCEPTED, Json(view)).into_response()
}

#[cfg(test)]
mod tests;
