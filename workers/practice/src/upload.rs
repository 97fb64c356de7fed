//! Reads the form with which a salesperson brings a product and its files.

use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};
use domain::call::WorkspaceId;
use serde::Serialize;
use store::StoredMaterialFile;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{FieldProblem, Problem};

use crate::fields::MAX_TEXT;
use crate::materials::{FileKind, MAX_FILE_BYTES, MAX_FILES};
use crate::request::Answer;
use crate::state::Practice;

/// The longest form, in bytes: some files of the largest size.
pub(crate) const MAX_FORM_BYTES: usize = 120 * 1024 * 1024;

/// A file that was not kept, and why.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RefusedFile {
    pub(crate) file_name: String,
    pub(crate) reason: String,
}

/// What a form brought.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) product_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) product_url: Option<String>,
    pub(crate) materials: Vec<StoredMaterialFile>,
    pub(crate) refused: Vec<RefusedFile>,
    /// The status with which a form is refused of which no file is kept.
    worst: Option<StatusCode>,
}

impl Form {
    /// Reads the form, and keeps its files. A file that is not kept does not cost the others.
    pub(crate) async fn read(practice: &Practice, workspace: WorkspaceId, request: Request) -> Answer<Self> {
        let kind = web::media_type(request.headers());
        if kind != "multipart/form-data" {
            let detail = format!("the body must be multipart/form-data, not `{kind}`");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).into());
        }
        web::check_length(request.headers(), MAX_FORM_BYTES as u64)?;
        let mut parts = Multipart::from_request(request, &()).await.map_err(|_| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the Content-Type names no boundary of the form")
        })?;
        let mut form = Self::default();
        let mut problems = Vec::new();
        while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
            let name = part.name().unwrap_or_default().trim_end_matches("[]").to_owned();
            match name.as_str() {
                "product_name" => form.product_name = text(part, &name, 200, &mut problems).await?,
                "description" => form.description = text(part, &name, MAX_TEXT, &mut problems).await?,
                "product_url" => form.product_url = text(part, &name, 2_000, &mut problems).await?,
                "materials" => form.take_file(practice, workspace, part).await?,
                // A field that nobody knows is read to its end and forgotten.
                _ => drop(bytes(part, MAX_FILE_BYTES).await?),
            }
        }
        if !problems.is_empty() {
            form.forget(practice).await;
            return Err(Problem::fields(problems).into());
        }
        if let Some(worst) = form.worst.filter(|_| form.materials.is_empty()) {
            let problems = form.refused.iter().enumerate().map(|(at, file)| FieldProblem {
                pointer: format!("/materials/{at}"),
                detail: format!("`{}` {}", file.file_name, file.reason),
            });
            return Err(Problem::fields(problems.collect()).status(worst).into());
        }
        Ok(form)
    }

    async fn take_file(
        &mut self,
        practice: &Practice,
        workspace: WorkspaceId,
        part: Field<'_>,
    ) -> Answer<()> {
        let file_name = file_name(part.file_name());
        let content = bytes(part, MAX_FILE_BYTES).await?;
        // A browser sends an empty part where nobody chose a file.
        if content.as_ref().is_some_and(Bytes::is_empty) && file_name.is_empty() {
            return Ok(());
        }
        let mut refuse = |status, reason: String| {
            self.worst = Some(self.worst.unwrap_or(status));
            self.refused.push(RefusedFile { file_name: file_name.clone(), reason });
        };
        let Some(content) = content else {
            refuse(StatusCode::PAYLOAD_TOO_LARGE, "is longer than 10 MB".into());
            return Ok(());
        };
        let kind = match FileKind::of(&content) {
            Ok(kind) => kind,
            Err(found) => {
                let reason = format!("is {found}; {} are taken", crate::materials::TAKEN);
                refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason);
                return Ok(());
            }
        };
        if self.materials.len() >= MAX_FILES {
            refuse(
                StatusCode::UNPROCESSABLE_ENTITY,
                format!("is one more than the {MAX_FILES} files that are kept"),
            );
            return Ok(());
        }
        let id = Uuid::now_v7();
        let blob = format!("{workspace}/practice/materials/{id}");
        let size = content.len();
        practice.blobs.put(&blob, content.clone()).await?;
        let read = practice.reader.read(kind, content).await;
        self.materials.push(StoredMaterialFile {
            id,
            file_type: read.file_type.unwrap_or_else(|| kind.shown(&file_name).to_owned()),
            file_name,
            file_size: i64::try_from(size).unwrap_or(i64::MAX),
            blob,
            pages: read.pages,
            words: i64::try_from(read.text.split_whitespace().count()).unwrap_or(i64::MAX),
            note: read.note,
            content: read.text,
        });
        Ok(())
    }

    /// Removes the files that were kept, because the form is refused.
    pub(crate) async fn forget(&self, practice: &Practice) {
        let blobs = self.materials.iter().map(|material| material.blob.clone()).collect();
        forget_blobs(practice, blobs).await;
    }
}

/// Removes blobs to which nothing leads any more. A failure costs space and nothing else.
pub(crate) async fn forget_blobs(practice: &Practice, blobs: Vec<String>) {
    for blob in blobs {
        if let Err(error) = practice.blobs.delete(&blob).await {
            tracing::warn!(%error, "failed to remove a blob of practice");
        }
    }
}

/// The name of a file without its folders, for a person to read.
fn file_name(name: Option<&str>) -> String {
    let name = name.unwrap_or_default();
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The content of a part. `None` where it is longer than `most` bytes; then it is read to its end, so that the parts behind
/// it are found.
async fn bytes(mut part: Field<'_>, most: usize) -> Answer<Option<Bytes>> {
    let (mut content, mut is_too_long) = (BytesMut::new(), false);
    while let Some(chunk) = part.chunk().await.map_err(|error| broken(&error))? {
        if is_too_long || content.len() + chunk.len() > most {
            (is_too_long, content) = (true, BytesMut::new());
        } else {
            content.extend_from_slice(&chunk);
        }
    }
    Ok((!is_too_long).then(|| content.freeze()))
}

async fn text(
    part: Field<'_>,
    name: &str,
    most: usize,
    problems: &mut Vec<FieldProblem>,
) -> Answer<Option<String>> {
    let mut refuse = |detail: String| problems.push(FieldProblem { pointer: format!("/{name}"), detail });
    let Some(bytes) = bytes(part, most * 4).await? else {
        refuse(format!("must have at most {most} characters"));
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if text.contains('\0') {
        refuse("must not contain a NUL character".into());
    } else if text.chars().count() > most {
        refuse(format!("must have at most {most} characters"));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn broken(error: &MultipartError) -> Problem {
    match (web::broke_off(error), error.status()) {
        (slow, _) if slow.status == StatusCode::REQUEST_TIMEOUT => slow,
        (_, StatusCode::PAYLOAD_TOO_LARGE) => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long")
        }
        _ => Problem::new(StatusCode::BAD_REQUEST, "the form is malformed, or broke off before its end"),
    }
}
