//! The routes that the pages ask inside the process. They keep what they were asked, and answer as a test wants.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use web::OnBehalfOf;

#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    asked: Vec<Asked>,
    /// What is answered next. After the last one, everything is done.
    answers: Vec<(StatusCode, Value)>,
}

/// One request of a page.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) what: String,
    pub(crate) who: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Api {
    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub(crate) fn answers(&self, status: StatusCode, body: Value) {
        self.0.lock().unwrap().answers.push((status, body));
    }

    /// What was asked since the last time.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

async fn answer(State(api): State<Api>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let who = head.extensions.get::<OnBehalfOf>().map(|OnBehalfOf(who)| who.actor.to_string());
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let asked = Asked {
        what: format!("{} {}", head.method, head.uri),
        who: who.unwrap_or_default(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let mut kept = api.0.lock().unwrap();
    kept.asked.push(asked);
    let next = (!kept.answers.is_empty()).then(|| kept.answers.remove(0));
    let (status, body) = next.unwrap_or((StatusCode::OK, json!({})));
    (status, axum::Json(body)).into_response()
}
