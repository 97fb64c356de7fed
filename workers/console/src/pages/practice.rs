//! `/practice`: meetings that are rehearsed, how somebody gets better, and a form that makes a meeting.

mod first;
mod kept;
mod meeting;
mod progress;
mod setup;

use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use domain::principal::Principal;
use serde_json::json;
use store::{MeetingRow, Page as StorePage, SalespersonRow};
use uuid::Uuid;
use web::{Practise, Problem, ReadOwn};

use crate::own_api::said;
use crate::sections::Section;
use crate::texts::PracticeTexts;
use crate::{Answer, Console, Fields, Posted, Refusal, Visitor, show};
use kept::{Plan, overall};
use progress::Progress;

/// How many meetings, salespeople, companies and representatives a page shows.
const SHOWN: i64 = 200;
const MOST_REPRESENTATIVES: usize = 3;

/// The values of the fields of a meeting, as `POST /api/meeting/create` has them.
const DIFFICULTIES: [&str; 4] = ["beginner", "intermediate", "advanced", "expert"];

#[derive(Template)]
#[template(path = "practice/practice.html")]
struct Page<'a> {
    texts: &'static PracticeTexts,
    csrf: &'a str,
    once: String,
    meetings: Vec<Row>,
    progress: Vec<Progress>,
    may_practise: bool,
    salespersons: Vec<(Uuid, String)>,
    /// Those who can be invited, by company.
    companies: Vec<(String, Vec<(Uuid, String)>)>,
    typed: &'a Fields,
    problem: Option<String>,
}

impl Page<'_> {
    fn difficulties(&self) -> [(&'static str, &'static str); 4] {
        let texts = self.texts;
        [
            (DIFFICULTIES[0], texts.beginner),
            (DIFFICULTIES[1], texts.intermediate),
            (DIFFICULTIES[2], texts.advanced),
            (DIFFICULTIES[3], texts.expert),
        ]
    }

    fn is_chosen(&self, name: &str, value: &impl ToString) -> bool {
        let value = value.to_string();
        self.typed.all(name).any(|chosen| chosen == value)
    }

    fn duration(&self) -> &str {
        self.typed.given("duration_minutes").unwrap_or("30")
    }
}

struct Row {
    id: Uuid,
    at: String,
    product: String,
    with: String,
    difficulty: String,
    status: &'static str,
    score: Option<u32>,
}

pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/practice", get(show_page).post(make))
        .route("/practice/first", post(first::hold))
        .merge(setup::routes())
        .merge(meeting::routes())
}

/// The person to whose meetings somebody is limited: whoever sees only her own calls sees only what she made.
fn only_of(who: &Principal) -> Option<&str> {
    who.sees.is_restricted().then_some(&*who.actor)
}

fn new_name() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The address can fill the form in, for example with the call from which a meeting goes on: `/practice?call=ID&line=12`.
async fn show_page(
    visitor: Visitor<ReadOwn>,
    State(console): State<Console>,
    RawQuery(query): RawQuery,
) -> Answer {
    let asked = Fields::parse(query.unwrap_or_default().as_bytes());
    list(&visitor, &console, StatusCode::OK, (&asked, None)).await
}

async fn salespersons<N>(visitor: &Visitor<N>, console: &Console) -> Result<Vec<SalespersonRow>, Refusal> {
    let page = StorePage { offset: 0, limit: SHOWN };
    Ok(visitor.store(console.store.salespersons(visitor.workspace, page).await)?.0)
}

async fn list<N>(
    visitor: &Visitor<N>,
    console: &Console,
    status: StatusCode,
    (typed, problem): (&Fields, Option<String>),
) -> Answer {
    let (store, workspace) = (&console.store, visitor.workspace);
    let page = StorePage { offset: 0, limit: SHOWN };
    let meetings = visitor.store(store.meetings(workspace, only_of(&visitor.principal), page).await)?;
    let texts = PracticeTexts::of(visitor.language);
    let salespersons = salespersons(visitor, console).await?;
    let companies = visitor.store(store.companies(workspace, SHOWN).await)?;
    let people = visitor.store(store.all_representatives(workspace, SHOWN).await)?;
    let invited = companies.into_iter().map(|company| {
        let own = people.iter().filter(|person| person.company == company.id);
        let own =
            own.map(|person| (person.id, format!("{} ({})", person.is.name, kept::role(&person.is.role))));
        (show::shortened(&company.url), own.collect::<Vec<_>>())
    });
    let content = Page {
        texts,
        csrf: visitor.csrf(),
        once: new_name(),
        progress: progress::of_each(&salespersons, &meetings, console.installation.timezone, texts),
        meetings: meetings.iter().map(|meeting| row(meeting, console)).collect(),
        may_practise: visitor.may::<Practise>(),
        companies: invited.filter(|(_, people)| !people.is_empty()).collect(),
        salespersons: salespersons
            .into_iter()
            .map(|row| (row.id, show::shortened(&row.product_name)))
            .collect(),
        typed,
        problem,
    };
    visitor.page_with(status, Section::Practice, texts.title, &content)
}

fn row(meeting: &MeetingRow, console: &Console) -> Row {
    let plan = Plan::of(meeting);
    let names: Vec<_> = plan.cast.iter().map(|member| member.name.as_str()).collect();
    Row {
        id: meeting.id,
        at: show::time(meeting.created_at, console.installation.timezone),
        product: show::shortened(&plan.product.name),
        with: show::shortened(&names.join(", ")),
        difficulty: plan.difficulty,
        status: meeting.status.name(),
        score: overall(meeting),
    }
}

/// Makes a meeting, as `POST /api/meeting/create` does. The company is that of whoever is invited.
async fn make(visitor: Visitor<Practise>, State(console): State<Console>, Posted(fields): Posted) -> Answer {
    match made(&visitor, &console, &fields).await? {
        Ok(meeting) => Ok(visitor.go_to(&format!("/practice/{meeting}"))),
        Err(problem) => list(&visitor, &console, problem.status, (&fields, Some(said(&problem)))).await,
    }
}

async fn made(
    visitor: &Visitor<Practise>,
    console: &Console,
    fields: &Fields,
) -> Result<Result<Uuid, Problem>, Refusal> {
    let texts = PracticeTexts::of(visitor.language);
    let wrong = |words: &str| Ok(Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, words)));
    let invited: Vec<Uuid> = fields
        .all("representative")
        .filter_map(|id| id.parse().ok())
        .take(MOST_REPRESENTATIVES + 1)
        .collect();
    if invited.is_empty() || invited.len() > MOST_REPRESENTATIVES {
        return wrong(texts.wrong_number);
    }
    let known = console.store.representative(visitor.workspace, invited[0]).await;
    let Some(known) = visitor.store(known)? else { return wrong(texts.wrong_number) };
    let duration: i64 = fields.text("duration_minutes").parse().unwrap_or(0);
    let mut body = json!({
        "salesperson_id": fields.text("salesperson"),
        "company_id": known.company,
        "meeting_mode": format!("1-on-{}", invited.len()),
        "representatives": invited,
        "meeting_goal": fields.text("meeting_goal"),
        "difficulty": fields.text("difficulty"),
        "duration_minutes": duration,
    });
    if let Some(call) = fields.given("call") {
        let line: i64 = fields.text("line").parse().unwrap_or(0);
        body["from_call"] = json!({"call_id": call, "segment": line});
    }
    let path = "/api/meeting/create";
    let once = fields.given("once");
    let made = console.own_api.post(&visitor.principal, path, (&body, once)).await;
    Ok(made.and_then(|answer| {
        let id = answer["data"]["meeting_id"].as_str().and_then(|id| id.parse().ok());
        id.ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, texts.no_answer))
    }))
}
