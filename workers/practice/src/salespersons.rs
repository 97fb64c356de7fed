//! Routes for salespeople: what they sell, and the files that say so.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use domain::call::WorkspaceId;
use domain::moment::Moment;
use serde::Serialize;
use store::{Salesperson, SalespersonRow, StoredMaterialFile};
use utoipa::ToSchema;
use uuid::Uuid;
use web::{FieldProblem, Params, Problem};

use crate::request::{Answer, Answered, Id, Reader, Removed, Trainee, finished, not_found};
use crate::state::Practice;
use crate::upload::{Form, RefusedFile, forget_blobs};

/// How many salespersons a list has, unless the request says another number.
const DEFAULT_LIMIT: i64 = 10;

/// The form of a salesperson.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read part by part; this type describes it")]
struct SalespersonForm {
    product_name: String,
    description: String,
    #[schema(nullable = false)]
    product_url: Option<String>,
    /// Files of at most 10 MB: PDF, PPTX, DOCX, PPT, DOC, PNG, JPEG, GIF. The content decides about the kind, not the name.
    #[schema(schema_with = files, required = false)]
    materials: Vec<Vec<u8>>,
}

/// The same form, in which everything may be missing.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the form is read part by part; this type describes it")]
struct SalespersonChange {
    #[schema(nullable = false)]
    product_name: Option<String>,
    #[schema(nullable = false)]
    description: Option<String>,
    #[schema(nullable = false)]
    product_url: Option<String>,
    /// Files that are added to those that are there.
    #[schema(schema_with = files, required = false)]
    materials: Vec<Vec<u8>>,
}

fn files() -> utoipa::openapi::schema::Array {
    use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, Type};
    let file = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("binary".into())))
        .content_media_type("application/octet-stream");
    ArrayBuilder::new().items(file).build()
}

/// A file, and what was read in it.
#[derive(Serialize, ToSchema)]
#[schema(as = SalespersonMaterial)]
pub(crate) struct MaterialView {
    id: Uuid,
    file_name: String,
    /// `pdf`, `pptx`, `docx`, `ppt`, `doc`, `png`, `jpeg` or `gif`, by the content.
    file_type: String,
    /// In bytes.
    file_size: i64,
    /// Pages or slides. Null where the file has none, or where they could not be counted.
    pages: Option<i64>,
    /// How many words were read.
    words: i64,
    /// Why nothing was read, or not all of it.
    note: Option<String>,
}

impl MaterialView {
    fn of(file: StoredMaterialFile) -> Self {
        let StoredMaterialFile { id, file_name, file_type, file_size, pages, words, note, .. } = file;
        Self { id, file_name, file_type, file_size, pages, words, note }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SalespersonMade {
    salesperson_id: Uuid,
    product_name: String,
    /// How many files were kept.
    materials_uploaded: usize,
    materials: Vec<MaterialView>,
    /// Files that were not kept.
    refused: Vec<RefusedFile>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SalespersonView {
    id: Uuid,
    product_name: String,
    description: String,
    product_url: Option<String>,
    materials: Vec<MaterialView>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Moment,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Moment,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SalespersonList {
    salespersons: Vec<SalespersonView>,
    total: i64,
    skip: i64,
    limit: i64,
}

async fn view(practice: &Practice, workspace: WorkspaceId, row: SalespersonRow) -> Answer<SalespersonView> {
    let materials = practice.store.materials_of(workspace, row.id).await?;
    Ok(SalespersonView {
        id: row.id,
        product_name: row.product_name,
        description: row.description,
        product_url: row.product_url,
        materials: materials.into_iter().map(MaterialView::of).collect(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

/// Makes a salesperson: a product, and the files that speak of it.
///
/// A file that cannot be kept is listed in `refused`, and the others are kept. Where no file can be kept, the whole request is
/// refused.
#[utoipa::path(post, path = "/api/salesperson/create", operation_id = "createSalesperson", tag = "practice", security(("key" = ["operate"])),
    request_body(content = SalespersonForm, content_type = "multipart/form-data"),
    responses((status = 201, body = Answered<SalespersonMade>),
        (status = 422, description = "A part is missing or cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn create(
    State(practice): State<Practice>,
    who: Trainee,
    request: Request,
) -> Answer<(StatusCode, Json<Answered<SalespersonMade>>)> {
    let workspace = who.workspace;
    let form = Form::read(&practice, workspace, request).await?;
    let missing = |name: &str, value: &Option<String>| {
        value
            .is_none()
            .then(|| FieldProblem { pointer: format!("/{name}"), detail: "is missing or empty".into() })
    };
    let problems: Vec<FieldProblem> =
        [missing("product_name", &form.product_name), missing("description", &form.description)]
            .into_iter()
            .flatten()
            .collect();
    if !problems.is_empty() {
        form.forget(&practice).await;
        return Err(Problem::fields(problems).into());
    }
    finished(async move {
        let id = Uuid::now_v7();
        let Form { product_name, description, product_url, materials, refused, .. } = form;
        let new = Salesperson {
            product_name: product_name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            product_url,
        };
        practice.store.add_salesperson(workspace, id, &new, &materials).await?;
        let made = SalespersonMade {
            salesperson_id: id,
            product_name: new.product_name,
            materials_uploaded: materials.len(),
            materials: materials.into_iter().map(MaterialView::of).collect(),
            refused,
        };
        Ok((StatusCode::CREATED, Answered::of(made, "The salesperson was made.")))
    })
    .await
}

/// A salesperson.
#[utoipa::path(get, path = "/api/salesperson/{id}", operation_id = "getSalesperson", tag = "practice", security(("key" = ["read"])),
    params(("id" = String, Path, description = "The id of the salesperson")),
    responses((status = 200, body = Answered<SalespersonView>),
        (status = 404, description = "There is no such salesperson", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn one(
    State(practice): State<Practice>,
    who: Reader,
    Id(id): Id,
) -> Answer<Json<Answered<SalespersonView>>> {
    let row = practice.store.salesperson(who.workspace, id).await?.ok_or_else(|| not_found("salesperson"))?;
    Ok(Answered::plain(view(&practice, who.workspace, row).await?))
}

/// The salespeople of the workspace, the newest first.
///
/// `skip` and `limit` choose a part of the list, as `page` and `limit` do elsewhere.
#[utoipa::path(get, path = "/api/salesperson/", operation_id = "listSalespersons", tag = "practice", security(("key" = ["read"])),
    params(("skip" = Option<i64>, Query, description = "How many are left out"), ("page" = Option<i64>, Query, description = "The number of the page, from 1"), ("limit" = Option<i64>, Query, description = "At most so many")),
    responses((status = 200, body = Answered<SalespersonList>),
        (status = 422, description = "A parameter cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(practice): State<Practice>,
    who: Reader,
    uri: Uri,
) -> Answer<Json<Answered<SalespersonList>>> {
    let mut params = Params::of_query(&uri);
    let page = params.page(DEFAULT_LIMIT);
    params.check()?;
    let (rows, total) = practice.store.salespersons(who.workspace, page).await?;
    let mut salespersons = Vec::with_capacity(rows.len());
    for row in rows {
        salespersons.push(view(&practice, who.workspace, row).await?);
    }
    Ok(Answered::plain(SalespersonList { salespersons, total, skip: page.offset, limit: page.limit }))
}

/// Changes a salesperson. What the form does not have stays, and files are added.
#[utoipa::path(put, path = "/api/salesperson/{id}", operation_id = "changeSalesperson", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the salesperson")),
    request_body(content = SalespersonChange, content_type = "multipart/form-data"),
    responses((status = 200, body = Answered<SalespersonView>),
        (status = 404, description = "There is no such salesperson", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part cannot be used", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn change(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
    request: Request,
) -> Answer<Json<Answered<SalespersonView>>> {
    let workspace = who.workspace;
    if practice.store.salesperson(workspace, id).await?.is_none() {
        return Err(not_found("salesperson"));
    }
    let form = Form::read(&practice, workspace, request).await?;
    let texts = (form.product_name.as_deref(), form.description.as_deref(), form.product_url.as_deref());
    if !practice.store.change_salesperson(workspace, id, texts, &form.materials).await? {
        form.forget(&practice).await;
        return Err(not_found("salesperson"));
    }
    let row = practice.store.salesperson(workspace, id).await?.ok_or_else(|| not_found("salesperson"))?;
    Ok(Answered::of(view(&practice, workspace, row).await?, "The salesperson was changed."))
}

/// Removes a salesperson with the files and with the practice meetings.
#[utoipa::path(delete, path = "/api/salesperson/{id}", operation_id = "deleteSalesperson", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the salesperson")),
    responses((status = 200, body = Answered<Removed>),
        (status = 404, description = "There is no such salesperson", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete(
    State(practice): State<Practice>,
    who: Trainee,
    Id(id): Id,
) -> Answer<Json<Answered<Removed>>> {
    finished(async move {
        let by = (who.workspace, &*who.actor);
        let blobs =
            practice.store.delete_salesperson(by, id).await?.ok_or_else(|| not_found("salesperson"))?;
        forget_blobs(&practice, blobs).await;
        Ok(Answered::of(Removed { id }, "The salesperson was removed, with the files and the meetings."))
    })
    .await
}

/// Removes a file of a salesperson.
#[utoipa::path(delete, path = "/api/salesperson/{id}/material/{index}", operation_id = "deleteMaterial", tag = "practice", security(("key" = ["operate"])),
    params(("id" = String, Path, description = "The id of the salesperson"), ("index" = String, Path, description = "The place of the file in the list, from 0, or its id")),
    responses((status = 200, body = Answered<Removed>),
        (status = 404, description = "There is no such salesperson or file", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn delete_material(
    State(practice): State<Practice>,
    who: Trainee,
    Path((id, index)): Path<(String, String)>,
) -> Answer<Json<Answered<Removed>>> {
    let workspace = who.workspace;
    let id: Uuid = id.parse().map_err(|_| not_found("salesperson"))?;
    let materials = practice.store.materials_of(workspace, id).await?;
    // A place can become that of another file while somebody looks at the list. An id cannot.
    let file = match index.parse::<Uuid>() {
        Ok(id) => materials.iter().find(|file| file.id == id),
        Err(_) => index.parse::<usize>().ok().and_then(|index| materials.get(index)),
    };
    let file = file.ok_or_else(|| not_found("file"))?;
    let blob = practice
        .store
        .delete_material((workspace, &who.actor), id, file.id)
        .await?
        .ok_or_else(|| not_found("file"))?;
    forget_blobs(&practice, vec![blob]).await;
    Ok(Answered::of(Removed { id: file.id }, format!("`{}` was removed.", file.file_name)))
}
