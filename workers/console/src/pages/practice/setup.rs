//! `/practice/setup`: what is sold, to which companies, and who speaks for them.

mod deleting;

use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde_json::{Value, json};
use store::{CompanyRow, MaterialHead};
use uuid::Uuid;
use web::{Practise, Problem, ReadOwn};

use super::{SHOWN, kept, new_name, salespersons};
use crate::own_api::{said, segment};
use crate::sections::Section;
use crate::texts::{PracticeTexts, fill};
use crate::{Answer, Console, Fields, Posted, Visitor, relay, show};

/// The temperaments and roles, as `POST /api/company/{id}/representatives` has them.
const TRAITS: [&str; 8] =
    ["angry", "arrogant", "soft", "cold_hearted", "nice", "cool", "not_well", "analytical"];
const ROLES: [&str; 8] = ["ceo", "cfo", "cto", "coo", "cmo", "vp_sales", "director", "manager"];
/// What the pages of a company can say, as the store keeps it.
const FACTS: [&str; 4] = ["industry", "company_size", "headquarters", "revenue"];

#[derive(Template)]
#[template(path = "practice/setup.html")]
struct Page<'a> {
    texts: &'static PracticeTexts,
    csrf: &'a str,
    once: String,
    products: Vec<Product>,
    companies: Vec<Company>,
    may_practise: bool,
    typed: &'a Fields,
    /// What was wrong with a form, or what of it was not kept.
    problem: Option<String>,
}

struct Product {
    id: Uuid,
    name: String,
    description: String,
    files: Vec<File>,
}

struct File {
    id: Uuid,
    name: String,
    says: String,
    note: Option<String>,
}

struct Company {
    id: Uuid,
    url: String,
    facts: Vec<(&'static str, String)>,
    note: Option<String>,
    people: Vec<Person>,
}

struct Person {
    id: Uuid,
    name: String,
    role: String,
    traits: String,
    decides: bool,
}

impl Page<'_> {
    fn traits() -> [&'static str; 8] {
        TRAITS
    }

    fn roles() -> [(&'static str, String); 8] {
        ROLES.map(|role| (role, kept::role(role)))
    }

    fn is_chosen(&self, name: &str, value: &impl ToString) -> bool {
        let value = value.to_string();
        self.typed.all(name).any(|chosen| chosen == value)
    }
}

pub(super) fn routes() -> Router<Console> {
    Router::new()
        .route("/practice/setup", get(show_page))
        .route("/practice/companies", post(add_company))
        .route("/practice/companies/{id}/refresh", post(refresh))
        .route("/practice/representatives", post(add_representative))
        .merge(product_routes())
        .merge(deleting::routes())
}

fn product_routes() -> Router<Console> {
    // How long a file may be is checked while it is read.
    Router::new().route("/practice/products", post(add_product)).layer(DefaultBodyLimit::disable())
}

async fn show_page(visitor: Visitor<ReadOwn>, State(console): State<Console>) -> Answer {
    render(&visitor, &console, StatusCode::OK, (&Fields::default(), None)).await
}

async fn render<N>(
    visitor: &Visitor<N>,
    console: &Console,
    status: StatusCode,
    (typed, problem): (&Fields, Option<String>),
) -> Answer {
    let (store, workspace) = (&console.store, visitor.workspace);
    let texts = PracticeTexts::of(visitor.language);
    let files = visitor.store(store.material_heads(workspace, SHOWN * 10).await)?;
    let people = visitor.store(store.all_representatives(workspace, SHOWN).await)?;
    let people_of = |company: Uuid| {
        let own = people.iter().filter(|person| person.company == company);
        own.map(|person| Person {
            id: person.id,
            name: person.is.name.clone(),
            role: kept::role(&person.is.role),
            traits: person
                .is
                .personality_traits
                .iter()
                .map(|name| texts.manner(name))
                .collect::<Vec<_>>()
                .join(", "),
            decides: person.is.is_decision_maker,
        })
        .collect()
    };
    let products = salespersons(visitor, console).await?.into_iter().map(|row| Product {
        id: row.id,
        name: row.product_name,
        description: show::shortened(&row.description),
        files: files
            .iter()
            .filter(|file| file.salesperson == row.id)
            .map(|file| shown(file, texts))
            .collect(),
    });
    let companies = visitor.store(store.companies(workspace, SHOWN).await)?;
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        once: new_name(),
        products: products.collect(),
        companies: companies.into_iter().map(|row| company(&row, people_of(row.id), texts)).collect(),
        may_practise: visitor.may::<Practise>(),
        typed,
        problem,
    };
    visitor.page_with(status, Section::Practice, texts.setup_title, &content)
}

fn shown(file: &MaterialHead, texts: &'static PracticeTexts) -> File {
    let words = fill(texts.words_read, &[&file.words.to_string()]);
    let pages = file.pages.map(|pages| fill(texts.pages_read, &[&pages.to_string()]));
    let says: Vec<_> = [Some(file.file_type.clone()), pages, Some(words)].into_iter().flatten().collect();
    File {
        id: file.id,
        name: show::shortened(&file.file_name),
        says: says.join(" · "),
        note: file.note.clone(),
    }
}

fn company(row: &CompanyRow, people: Vec<Person>, texts: &'static PracticeTexts) -> Company {
    let names = [texts.industry, texts.size, texts.headquarters, texts.revenue];
    let facts = names.into_iter().zip(FACTS).filter_map(|(name, field)| {
        let value = row.data[field].as_str()?.to_owned();
        Some((name, value))
    });
    Company { id: row.id, url: row.url.clone(), facts: facts.collect(), note: row.note.clone(), people }
}

/// Keeps a product with its files, as `POST /api/salesperson/create` does.
async fn add_product(visitor: Visitor<Practise>, State(console): State<Console>, request: Request) -> Answer {
    let to = ("/api/salesperson/create", false);
    let sent = relay::form(&console.own_api, &visitor.principal, request, to).await;
    let told = match relay::outcome(sent).await {
        Ok(answer) => match refused(&answer["data"]["refused"]) {
            Some(refused) => (StatusCode::OK, refused),
            None => return Ok(visitor.go_to("/practice/setup")),
        },
        Err(problem) if problem.status == StatusCode::FORBIDDEN => return Err(visitor.refuse(problem)),
        Err(problem) => (problem.status, said(&problem)),
    };
    render(&visitor, &console, told.0, (&Fields::default(), Some(told.1))).await
}

/// The files that were not kept, each with the reason.
fn refused(list: &Value) -> Option<String> {
    let file = |file: &Value| {
        let text = |name: &str| file[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}", text("file_name"), text("reason"))
    };
    let all: Vec<_> = list.as_array().into_iter().flatten().map(file).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// Reads the pages of a company, as `POST /api/company/create` does.
async fn add_company(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let body = json!({
        "company_url": fields.text("company_url"), "auto_fetch": fields.given("auto_fetch").is_some(),
    });
    let asked = ("/api/company/create", body, fields.given("once"));
    ask(&visitor, &console, asked, &fields).await
}

/// Reads the pages of a company again, as `POST /api/company/{id}/refresh-data` does.
async fn refresh(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Path(id): Path<String>,
    Posted(fields): Posted,
) -> Answer {
    let path = format!("/api/company/{}/refresh-data", segment(&id));
    ask(&visitor, &console, (&path, json!({}), None), &fields).await
}

/// Adds somebody who speaks for a company, as `POST /api/company/{id}/representatives` does.
async fn add_representative(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Posted(fields): Posted,
) -> Answer {
    let path = format!("/api/company/{}/representatives", segment(fields.text("company")));
    let body = json!({
        "name": fields.text("name"),
        "role": fields.text("role"),
        "personality_traits": fields.all("trait").collect::<Vec<_>>(),
        "is_decision_maker": fields.given("is_decision_maker").is_some(),
        "notes": fields.text("notes"),
    });
    ask(&visitor, &console, (&path, body, fields.given("once")), &fields).await
}

async fn ask(
    visitor: &Visitor<Practise>,
    console: &Console,
    (path, body, once): (&str, Value, Option<&str>),
    fields: &Fields,
) -> Answer {
    match console.own_api.post(&visitor.principal, path, (&body, once)).await {
        Ok(_) => Ok(visitor.go_to("/practice/setup")),
        Err(problem) if problem.status == StatusCode::NOT_FOUND => {
            let none = PracticeTexts::of(visitor.language).no_company;
            Err(visitor.refuse(Problem::new(StatusCode::NOT_FOUND, none)))
        }
        Err(problem) => render(visitor, console, problem.status, (fields, Some(said(&problem)))).await,
    }
}
