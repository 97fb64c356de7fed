//! Deletes products, files, companies and people. Each form says what goes along.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};
use uuid::Uuid;
use web::{Practise, Problem};

use super::{Company, File, Page, Person, Product, render};
use crate::own_api::{said, segment};
use crate::texts::PracticeTexts;
use crate::{Answer, Console, Fields, Posted, Visitor};

/// What a form deletes.
pub(super) struct Gone<'a> {
    pub(super) name: &'a str,
    /// What goes along.
    pub(super) hint: &'static str,
    pub(super) path: String,
    /// The id of a file. The path is then that of its product.
    pub(super) file: Option<Uuid>,
}

impl Page<'_> {
    pub(super) fn product<'a>(&self, product: &'a Product) -> Gone<'a> {
        let path = format!("/practice/products/{}/delete", product.id);
        Gone { name: &product.name, hint: self.texts.delete_product_hint, path, file: None }
    }

    pub(super) fn file<'a>(&self, product: &Product, file: &'a File) -> Gone<'a> {
        let path = format!("/practice/products/{}/files/delete", product.id);
        Gone { name: &file.name, hint: self.texts.delete_file_hint, path, file: Some(file.id) }
    }

    pub(super) fn company<'a>(&self, company: &'a Company) -> Gone<'a> {
        let path = format!("/practice/companies/{}/delete", company.id);
        Gone { name: &company.url, hint: self.texts.delete_company_hint, path, file: None }
    }

    pub(super) fn person<'a>(&self, person: &'a Person) -> Gone<'a> {
        let path = format!("/practice/representatives/{}/delete", person.id);
        Gone { name: &person.name, hint: self.texts.delete_person_hint, path, file: None }
    }
}

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/practice/products/{id}/delete", deletes("/api/salesperson"))
        .route("/practice/products/{id}/files/delete", post(file))
        .route("/practice/companies/{id}/delete", deletes("/api/company"))
        .route("/practice/representatives/{id}/delete", deletes("/api/company/representatives"))
}

/// Deletes what has this id, with what goes along, as `DELETE {route}/{id}` does.
fn deletes(route: &'static str) -> MethodRouter<Console> {
    post(
        async move |visitor: Visitor<Practise>,
                    State(console): State<Console>,
                    Path(id): Path<String>,
                    Posted(_): Posted| {
            delete(&visitor, &console, &format!("{route}/{}", segment(&id))).await
        },
    )
}

/// Deletes a file, as `DELETE /api/salesperson/{id}/material/{index}` does.
async fn file(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let file = segment(fields.text("file"));
    delete(&visitor, &console, &format!("/api/salesperson/{}/material/{file}", segment(&id))).await
}

async fn delete(visitor: &Visitor<Practise>, console: &Console, path: &str) -> Answer {
    match console.own_api.delete(&visitor.principal, path).await {
        Ok(_) => Ok(visitor.go_to("/practice/setup")),
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            let gone = PracticeTexts::of(visitor.language).not_there;
            Err(visitor.refuse(Problem::new(StatusCode::NOT_FOUND, gone)))
        }
        Err(problem) => {
            render(visitor, console, problem.status, (&Fields::default(), Some(said(&problem)))).await
        }
    }
}
