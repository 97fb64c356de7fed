//! Routes for companies: what their pages say.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::moment::Moment;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{CompanyRow, NewCompany};
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

use crate::company::facts;
use crate::fields::Fields;
use crate::request::{Answer, Answered, Id, Reader, Removed, Trainee, finished, json, not_found, once};
use crate::state::Practice;
use crate::upload::forget_blobs;

/// The address of a company.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct CompanyBody {
    /// The address of its pages, such as `https://example.com`.
    company_url: String,
    /// Whether the pages are read. Without the field they are.
    #[schema(nullable = false)]
    auto_fetch: Option<bool>,
}

/// Where a fact stands.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct SourceView {
    url: String,
    sentence: String,
}

/// What the pages of a company say. What they do not say is null, or an empty list.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct CompanyData {
    company_size: Option<String>,
    headquarters: Option<String>,
    revenue: Option<String>,
    industry: Option<String>,
    #[serde(default)]
    #[schema(required)]
    tech_stack: Vec<String>,
    open_positions: Option<i64>,
    #[serde(default)]
    #[schema(required)]
    latest_news: Vec<String>,
    /// For each field that is known, the sentence that says so and the address where it stands.
    #[serde(default)]
    #[schema(required)]
    sources: BTreeMap<String, SourceView>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CompanyMade {
    company_id: Uuid,
    company_data: CompanyData,
    /// Why little or nothing is known.
    note: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CompanyView {
    id: Uuid,
    company_url: String,
    company_data: CompanyData,
    note: Option<String>,
    /// When the pages were read last. Null where they were not.
    #[schema(value_type = Option<String>, format = DateTime)]
    fetched_at: Option<Moment>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Moment,
}

fn data(value: &Value) -> CompanyData {
    let nothing = || CompanyData {
        company_size: None,
        headquarters: None,
        revenue: None,
        industry: None,
        tech_stack: Vec::new(),
        open_positions: None,
        latest_news: Vec::new(),
        sources: BTreeMap::new(),
    };
    serde_json::from_value(value.clone()).unwrap_or_else(|_| nothing())
}

fn view(row: CompanyRow) -> CompanyView {
    CompanyView {
        id: row.id,
        company_url: row.url,
        company_data: data(&row.data),
        note: row.note,
        fetched_at: row.fetched_at,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

/// Reads an address as people type it: also without a scheme.
fn address(text: &str) -> Result<Url, Problem> {
    let refused = |detail: &str| Problem::field("/company_url", detail);
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&whole).map_err(|_| refused("is no address, such as https://example.com"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("must begin with http:// or https://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refused("has no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("must not hold a user or a password"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// What the pages at this address say. The error is for an address to which we do not go.
async fn looked_up(
    practice: &Practice,
    url: &Url,
) -> Result<(Value, Option<String>, Option<Moment>), Problem> {
    let visit = practice.site.visit(url).await;
    let visit = visit.map_err(|why| Problem::field("/company_url", format!("is not visited: {why}")))?;
    let has_pages = !visit.pages.is_empty();
    let pages = visit.pages;
    let found = tokio::task::spawn_blocking(move || facts(&pages)).await;
    let found = found.unwrap_or_else(|error| {
        tracing::warn!(%error, "the facts of a company could not be read");
        facts(&[])
    });
    let nothing_said = has_pages && found["sources"].as_object().is_none_or(serde_json::Map::is_empty);
    let note =
        visit.note.or_else(|| nothing_said.then(|| "The pages say nothing that could be used.".to_owned()));
    Ok((found, note, has_pages.then(|| practice.store.now())))
}

/// Makes a company, and reads its pages.
///
/// A few pages are read, each address is checked first, and `robots.txt` is honoured. A fact is kept only with the sentence
/// that says so. A site that is down gives a company without data and a note.
#[utoipa::path(post, path = "/api/company/create", operation_id = "createCompany", tag = "practice", security(("key" = ["operate"])), request_body = CompanyBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same answer")),
    responses((status = 201, body = Answered<CompanyMade>),
        (status = 422, description = "The address is missing, or is one to which we do not go", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(practice): State<Practice>,
    who: Trainee,
    request: Request,
) -> Answer<(StatusCode, Json<Value>)> {
    let (parts, body) = request.into_parts();
    let body = json(&parts, body).await?;
    let mut fields = Fields::of(body.clone())?;
    let text = fields.required("company_url", 2_000);
    let fetch = fields.flag("auto_fetch").unwrap_or(true);
    fields.check()?;
    let url = address(&text)?;
    let (workspace, store) = (who.workspace, practice.store.clone());
    let made = once(&store, &who, &parts, &body, async move {
        let (found, note, fetched_at) = if fetch {
            looked_up(&practice, &url).await?
        } else {
            (facts(&[]), Some("The pages were not read.".to_owned()), None)
        };
        let id = Uuid::now_v7();
        let new = NewCompany { url: url.as_str(), data: &found, note: note.as_deref(), fetched_at };
        practice.store.add_company(workspace, id, new).await?;
        let made = CompanyMade { company_id: id, company_data: data(&found), note };
        Ok(Answered::of(made, "The company was made.").0)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// A company.
#[utoipa::path(get, path = "/api/company/{id}", operation_id = "getCompany", tag = "practice", security(("key" = ["read"])),
    params(("id" = String, Path, description = "The id of the company")),
    responses((status = 200, body = Answered<CompanyView>),
        (status = 404, description = "There is no such company", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn one(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
) -> Answer<Json<Answered<CompanyView>>> {
    let row = practice.store.company(who.workspace, id).await?.ok_or_else(|| not_found("company"))?;
    Ok(Answered::plain(view(row)))
}

/// Reads the pages of a company again. Where they cannot be read, what was known stays.
#[utoipa::path(post, path = "/api/company/{id}/refresh-data", operation_id = "refreshCompany", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the company")),
    responses((status = 200, body = Answered<CompanyMade>),
        (status = 404, description = "There is no such company", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The address is one to which we do not go", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn refresh(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<CompanyMade>>> {
    let row = practice.store.company(who.workspace, id).await?.ok_or_else(|| not_found("company"))?;
    let url = address(&row.url)?;
    let workspace = who.workspace;
    finished(async move {
        let (found, note, fetched_at) = looked_up(&practice, &url).await?;
        let kept = if fetched_at.is_some() { found } else { row.data };
        let new = NewCompany { url: url.as_str(), data: &kept, note: note.as_deref(), fetched_at };
        if !practice.store.refresh_company(workspace, id, new).await? {
            return Err(not_found("company"));
        }
        Ok(Answered::of(
            CompanyMade { company_id: id, company_data: data(&kept), note },
            "The pages were read again.",
        ))
    })
    .await
}

/// Removes a company with its representatives and with its practice meetings.
#[utoipa::path(delete, path = "/api/company/{id}", operation_id = "deleteCompany", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the company")),
    responses((status = 200, body = Answered<Removed>),
        (status = 404, description = "There is no such company", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<Removed>>> {
    finished(async move {
        let by = (who.workspace, &*who.actor);
        let blobs = practice.store.delete_company(by, id).await?.ok_or_else(|| not_found("company"))?;
        forget_blobs(&practice, blobs).await;
        Ok(Answered::of(Removed { id }, "The company was removed, with its representatives and meetings."))
    })
    .await
}
