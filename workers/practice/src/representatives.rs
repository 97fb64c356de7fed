//! Routes for those who speak for a company in meetings.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::moment::Moment;
use serde::Serialize;
use serde_json::Value;
use store::{NewRepresentative, RepresentativeRow};
use utoipa::ToSchema;
use uuid::Uuid;
use web::Problem;

use crate::fields::{Fields, MAX_TEXT};
use crate::request::{Answer, Answered, Id, Reader, Removed, Trainee, json, not_found, once};
use crate::state::Practice;
use crate::temperament::Trait;

/// Somebody who speaks for a company.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the body is read field by field; this type describes it")]
struct RepresentativeBody {
    name: String,
    /// `ceo`, `cmo`, `cfo`, `coo`, `cto`, `vp_sales`, `director`, `manager`, or another role in words.
    role: String,
    #[schema(minimum = 0, maximum = 1200)]
    tenure_months: Option<i64>,
    /// Of `angry`, `arrogant`, `soft`, `cold_hearted`, `nice`, `cool`, `not_well` and `analytical`.
    #[schema(nullable = false)]
    personality_traits: Option<Vec<String>>,
    is_decision_maker: Option<bool>,
    linkedin_profile: Option<String>,
    notes: Option<String>,
    voice_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RepresentativeView {
    id: Uuid,
    representative_id: Uuid,
    company_id: Uuid,
    name: String,
    role: String,
    tenure_months: Option<i64>,
    personality_traits: Vec<String>,
    is_decision_maker: bool,
    linkedin_profile: Option<String>,
    notes: Option<String>,
    voice_id: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RepresentativeMade {
    representative_id: Uuid,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RepresentativeList {
    representatives: Vec<RepresentativeView>,
}

fn representative(row: RepresentativeRow) -> RepresentativeView {
    RepresentativeView {
        id: row.id,
        representative_id: row.id,
        company_id: row.company,
        name: row.is.name,
        role: row.is.role,
        tenure_months: row.is.tenure_months,
        personality_traits: row.is.personality_traits,
        is_decision_maker: row.is.is_decision_maker,
        linkedin_profile: row.is.linkedin_profile,
        notes: row.is.notes,
        voice_id: row.is.voice_id,
        created_at: row.created_at,
    }
}

/// Reads a representative. What the body does not have keeps the value of `known`.
fn read(body: Value, known: Option<NewRepresentative>) -> Result<NewRepresentative, Problem> {
    let mut fields = Fields::of(body)?;
    let is_new = known.is_none();
    let known = known.unwrap_or_default();
    let text = |fields: &mut Fields, name: &str, known: String| {
        if is_new { fields.required(name, 200) } else { fields.text(name, 200).unwrap_or(known) }
    };
    let name = text(&mut fields, "name", known.name);
    let role = text(&mut fields, "role", known.role);
    let traits = if fields.has("personality_traits") {
        let mut traits: Vec<String> = Vec::new();
        for given in fields.texts("personality_traits") {
            let wanted = given.trim().to_lowercase().replace([' ', '-'], "_");
            match wanted.parse::<Trait>() {
                Ok(found) => traits.push(found.name().to_owned()),
                Err(_) => {
                    let shown: String = given.chars().take(40).collect();
                    fields.refuse(
                        "personality_traits",
                        format!("`{shown}` is not one of {}", Trait::NAMES.join(", ")),
                    );
                }
            }
        }
        traits.dedup();
        traits
    } else {
        known.personality_traits
    };
    let new = NewRepresentative {
        name,
        role,
        tenure_months: fields.number("tenure_months", 0, 1_200).or(known.tenure_months),
        personality_traits: traits,
        is_decision_maker: fields.flag("is_decision_maker").unwrap_or(known.is_decision_maker),
        linkedin_profile: fields.text("linkedin_profile", 2_000).or(known.linkedin_profile),
        notes: fields.text("notes", MAX_TEXT).or(known.notes),
        voice_id: fields.text("voice_id", 200).or(known.voice_id),
    };
    fields.check()?;
    Ok(new)
}

/// Adds somebody who speaks for a company.
#[utoipa::path(post, path = "/api/company/{id}/representatives", operation_id = "createRepresentative", tag = "practice", security(("key" = ["operate"])), request_body = RepresentativeBody,
    params(("id" = String, Path, description = "The id of the company"), ("Idempotency-Key" = Option<String>, Header, description = "The same key gives the same answer")),
    responses((status = 201, body = Answered<RepresentativeMade>),
        (status = 404, description = "There is no such company", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(practice): State<Practice>,
    who: Trainee,
    Id(company): Id,
    request: Request,
) -> Answer<(StatusCode, Json<Value>)> {
    let workspace = who.workspace;
    if practice.store.company(workspace, company).await?.is_none() {
        return Err(not_found("company"));
    }
    let (parts, body) = request.into_parts();
    let body = json(&parts, body).await?;
    let new = read(body.clone(), None)?;
    let store = practice.store.clone();
    let made = once(&store, &who, &parts, &body, async move {
        let id = Uuid::now_v7();
        if !practice.store.add_representative(workspace, company, id, &new).await? {
            return Err(not_found("company"));
        }
        let made = RepresentativeMade { representative_id: id };
        Ok(Answered::of(made, format!("{} was added.", new.name)).0)
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// Who speaks for a company.
#[utoipa::path(get, path = "/api/company/{id}/representatives", operation_id = "listRepresentatives", tag = "practice", security(("key" = ["read"])),
    params(("id" = String, Path, description = "The id of the company")),
    responses((status = 200, body = Answered<RepresentativeList>),
        (status = 404, description = "There is no such company", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(practice): State<Practice>,
    who: Reader,
    Id(company): Id,
) -> Answer<Json<Answered<RepresentativeList>>> {
    if practice.store.company(who.workspace, company).await?.is_none() {
        return Err(not_found("company"));
    }
    let rows = practice.store.representatives(who.workspace, company).await?;
    Ok(Answered::plain(RepresentativeList {
        representatives: rows.into_iter().map(representative).collect(),
    }))
}

/// Changes a representative. What the body does not have stays. Meetings that were made before do not change.
#[utoipa::path(put, path = "/api/company/representatives/{id}", operation_id = "changeRepresentative", tag = "practice", security(("key" = ["operate"])), request_body = RepresentativeBody,
    params(("id" = String, Path, description = "The id of the representative")),
    responses((status = 200, body = Answered<RepresentativeView>),
        (status = 404, description = "There is no such representative", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
    request: Request,
) -> Answer<Json<Answered<RepresentativeView>>> {
    let workspace = who.workspace;
    let known =
        practice.store.representative(workspace, id).await?.ok_or_else(|| not_found("representative"))?;
    let (parts, body) = request.into_parts();
    let new = read(json(&parts, body).await?, Some(known.is.clone()))?;
    if !practice.store.change_representative(workspace, id, &new).await? {
        return Err(not_found("representative"));
    }
    Ok(Answered::of(
        representative(RepresentativeRow { is: new, ..known }),
        "The representative was changed.",
    ))
}

/// Removes a representative. Meetings in which the representative takes part keep what they need.
#[utoipa::path(delete, path = "/api/company/representatives/{id}", operation_id = "deleteRepresentative", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the representative")),
    responses((status = 200, body = Answered<Removed>),
        (status = 404, description = "There is no such representative", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<Removed>>> {
    if !practice.store.delete_representative((who.workspace, &who.actor), id).await? {
        return Err(not_found("representative"));
    }
    Ok(Answered::of(Removed { id }, "The representative was removed."))
}
