//! Passes a form with files on to one of our own routes as it comes in. So memory does not grow with the files.

use std::io;

use axum::body::Body;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use domain::principal::Principal;
use futures::SinkExt as _;
use futures::channel::mpsc;
use serde_json::Value;
use uuid::Uuid;
use web::session::{CSRF_FIELD, CSRF_HEADER, check_form};
use web::{Problem, media_type};

use crate::form_parts::{first_field, read_rest};
use crate::own_api::{IDEMPOTENCY_KEY, OwnApi, key, read};

/// The field that names a form, so that one that is sent twice is one request.
pub(crate) const ONCE_FIELD: &str = "once";
/// How many pieces of a form wait for whoever reads them.
const WAITING: usize = 4;

/// Checks that our own page sent the form, and passes its other fields on to the route at `path`. A form whose pages have the
/// field [`ONCE_FIELD`] has it as the second one.
pub(crate) async fn form(
    api: &OwnApi,
    who: &Principal,
    request: Request,
    (path, is_named): (&str, bool),
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let header = head.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_form = media_type(&head.headers) == "multipart/form-data";
    if !is_form || header.is_some() {
        check_form(&head, header.as_deref().unwrap_or_default())?;
    }
    if !is_form {
        let detail = "the files must come as multipart/form-data";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    if header.is_some() {
        // A script says in headers what a form says in fields.
        let mut request = Request::post(path);
        for name in [CONTENT_TYPE.as_str(), CONTENT_LENGTH.as_str(), IDEMPOTENCY_KEY] {
            if let Some(value) = head.headers.get(name) {
                request = request.header(name, value);
            }
        }
        let request = request.body(body).map_err(|_| unusable())?;
        return Ok(api.send(who, request).await);
    }
    let request = Request::from_parts(head.clone(), body);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text()))?;
    // The text of the form comes before the files, so that nothing of a form of somebody else is stored.
    let given = first_field(&mut form, CSRF_FIELD).await?;
    check_form(&head, &given)?;
    let edge = format!("edge-{}", Uuid::new_v4().simple());
    let mut request =
        Request::post(path).header(CONTENT_TYPE, format!("multipart/form-data; boundary={edge}"));
    if is_named {
        request = request.header(IDEMPOTENCY_KEY, key(&first_field(&mut form, ONCE_FIELD).await?)?);
    }
    let (to, parts) = mpsc::channel(WAITING);
    let request = request.body(Body::from_stream(parts)).map_err(|_| unusable())?;
    let (response, ()) = tokio::join!(api.send(who, request), pass_on(&mut form, to, &edge));
    read_rest(&mut form).await;
    Ok(response)
}

/// What a route answered to a form.
pub(crate) async fn outcome(sent: Result<Response, Problem>) -> Result<Value, Problem> {
    read(sent?).await
}

fn unusable() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the form was not made by one of our pages")
}

type Part = io::Result<Bytes>;

/// Writes the fields as they come. It ends early where nobody reads them any more.
async fn pass_on(form: &mut Multipart, mut to: mpsc::Sender<Part>, edge: &str) {
    if let Err(Stopped::Broken(error)) = write(form, &mut to, edge).await {
        // Whoever reads sees that the form broke off. Where nobody reads any more, nobody has to.
        let _is_read = to.send(Err(io::Error::other(error))).await.is_ok();
    }
}

enum Stopped {
    /// The sender broke off.
    Broken(MultipartError),
    /// The answer was given before the form was read to its end.
    Answered,
}

impl From<MultipartError> for Stopped {
    fn from(error: MultipartError) -> Self {
        Self::Broken(error)
    }
}

impl From<mpsc::SendError> for Stopped {
    fn from(_: mpsc::SendError) -> Self {
        Self::Answered
    }
}

async fn write(form: &mut Multipart, to: &mut mpsc::Sender<Part>, edge: &str) -> Result<(), Stopped> {
    while let Some(mut field) = form.next_field().await? {
        let name = quoted(field.name().unwrap_or_default());
        let file = field.file_name().map(|file| format!("; filename=\"{}\"", quoted(file)));
        let file = file.unwrap_or_default();
        let head = format!("--{edge}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        to.send(Ok(head.into())).await?;
        while let Some(chunk) = field.chunk().await? {
            to.send(Ok(chunk)).await?;
        }
        to.send(Ok(Bytes::from_static(b"\r\n"))).await?;
    }
    to.send(Ok(format!("--{edge}--\r\n").into())).await?;
    Ok(())
}

/// A name between quotation marks, as browsers write it.
fn quoted(name: &str) -> String {
    let plain: String = name.chars().filter(|c| !c.is_control()).collect();
    plain.replace('"', "%22")
}
