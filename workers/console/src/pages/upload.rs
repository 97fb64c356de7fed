//! `/upload`: the ways in which calls come in, a form that takes files, and how far the calls of these files are.

use askama::Template;
use axum::Router;
use axum::extract::multipart::{Field, Multipart};
use axum::extract::{DefaultBodyLimit, FromRequest as _, RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use domain::call::{CallDetails, CallId, CallKind};
use futures::StreamExt as _;
use queue_topology::intake::{Arrival, NewMaterial};
use uuid::Uuid;
use web::session::{CSRF_FIELD, CSRF_HEADER, check_form};
use web::{BringIn, Problem, files, media_type};

use super::samples::Samples;
use crate::form_parts::{broken, first_field, read_rest};
use crate::sections::Section;
use crate::texts::UploadTexts;
use crate::{Answer, Console, Fields, Visitor, show};

/// How many files one form may have, and how many calls the page follows.
const MAX_FILES: usize = 100;
const MAX_NAME_CHARS: usize = 200;

#[derive(Template)]
#[template(path = "upload/upload.html")]
struct Page<'a> {
    texts: &'static UploadTexts,
    csrf: &'a str,
    /// What is wrong with a file. The files before it were taken.
    problem: Option<String>,
    rows: Vec<Row>,
    samples: Samples,
    max_megabytes: u64,
    host: String,
}

/// A call of a file that was brought, and how far it is.
struct Row {
    id: String,
    name: String,
    status: &'static str,
    stages: Vec<(String, String)>,
}

pub(crate) fn routes() -> Router<Console> {
    // A recording is long. How long it may be is checked while it is stored.
    Router::new().route("/upload", get(show_page).post(upload)).layer(DefaultBodyLimit::disable())
}

async fn show_page(
    visitor: Visitor<BringIn>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let calls = fields.all("call").filter_map(|id| id.parse::<Uuid>().ok()).map(CallId);
    let calls: Vec<_> = calls.take(MAX_FILES).collect();
    page(&visitor, &console, &calls, None).await
}

async fn page(
    visitor: &Visitor<BringIn>,
    console: &Console,
    calls: &[CallId],
    problem: Option<Problem>,
) -> Answer {
    let mut rows = Vec::new();
    for id in calls {
        let call = visitor.store(console.store.call(visitor.workspace, *id).await)?;
        let call = call.filter(|call| visitor.sees.includes(&call.details));
        let runs = match &call {
            Some(_) => visitor.store(console.store.runs(visitor.workspace, *id).await)?,
            None => Vec::new(),
        };
        let name = call.as_ref().and_then(|call| call.details.topic.clone());
        rows.push(Row {
            id: id.to_string(),
            name: show::shortened(&name.unwrap_or_else(|| id.to_string())),
            // A call that was accepted has its row as soon as the first stage takes it.
            status: call.as_ref().map_or("queued", |call| call.status.name()),
            stages: runs.into_iter().map(|run| (run.stage, run.state)).collect(),
        });
    }
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.status);
    let content = Page {
        texts: UploadTexts::of(visitor.language),
        csrf: visitor.csrf(),
        problem: problem.map(said),
        rows,
        samples: Samples::of(visitor, console).await?,
        max_megabytes: console.installation.max_upload_bytes / (1024 * 1024),
        host: visitor.host().to_owned(),
    };
    visitor.page_with(status, Section::Upload, content.texts.title, &content)
}

/// What is wrong, with the name of the file before it.
fn said(problem: Problem) -> String {
    let errors: Vec<_> =
        problem.errors.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect();
    if errors.is_empty() { problem.detail } else { errors.join("; ") }
}

async fn upload(visitor: Visitor<BringIn>, State(console): State<Console>, request: Request) -> Answer {
    let refuse = |problem| visitor.refuse(problem);
    let (head, body) = request.into_parts();
    let header = head.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if media_type(&head.headers) != "multipart/form-data" {
        check_form(&head, header.as_deref().unwrap_or_default()).map_err(refuse)?;
        let detail = "the files must come as multipart/form-data";
        return Err(refuse(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)));
    }
    let request = Request::from_parts(head.clone(), body);
    let mut form = Multipart::from_request(request, &())
        .await
        .map_err(|error| refuse(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.body_text())))?;
    // The text of the form comes before the files, so that nothing of a form of somebody else is stored.
    let given = match header {
        Some(given) => given,
        None => first_field(&mut form, CSRF_FIELD).await.map_err(refuse)?,
    };
    check_form(&head, &given).map_err(refuse)?;
    let mut calls = Vec::new();
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(error) => return page(&visitor, &console, &calls, Some(broken("", &error))).await,
        };
        if field.file_name().is_none_or(str::is_empty) {
            continue;
        }
        let taken = if calls.len() == MAX_FILES {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "a form may have at most 100 files"))
        } else {
            take(&visitor, &console, field).await
        };
        match taken {
            Ok(call) => calls.push(call),
            Err(problem) => {
                read_rest(&mut form).await;
                return page(&visitor, &console, &calls, Some(problem)).await;
            }
        }
    }
    Ok(answer(&visitor, &calls))
}

/// Stores a file and brings its call in.
async fn take(visitor: &Visitor<BringIn>, console: &Console, field: Field<'_>) -> Result<CallId, Problem> {
    let name: String = field
        .file_name()
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME_CHARS)
        .collect();
    let pointer = name.clone();
    let content = field.map(|chunk| chunk.map_err(|error| broken(&pointer, &error)));
    let max = console.installation.max_upload_bytes;
    let (kind, stored) = files::either(&console.blobs, content, &name, max, Some(&name)).await?;
    let mut details = CallDetails { topic: Some(name.clone()), ..CallDetails::default() };
    details.metadata.insert("file_name".to_owned(), name.into());
    let arrival = Arrival {
        source: "upload".to_owned(),
        external_id: stored.digest.clone(),
        kind: CallKind::Phone,
        details,
        materials: vec![NewMaterial::File(kind, stored)],
    };
    let accepted = console
        .intake
        .accept(visitor.workspace, arrival)
        .await
        .map_err(|not_kept| Problem::new(StatusCode::SERVICE_UNAVAILABLE, not_kept.to_string()))?;
    Ok(accepted.call)
}

/// Shows how far the calls are.
fn answer(visitor: &Visitor<BringIn>, calls: &[CallId]) -> Response {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(calls.iter().map(|call| ("call", call.to_string())));
    visitor.go_to(&format!("/upload?{}", query.finish()))
}
