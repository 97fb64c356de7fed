//! A first meeting for somebody who has set up nothing: a product and two people are made, and the meeting begins.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use domain::principal::Principal;
use serde_json::{Value, json};
use web::{Practise, Problem};

use crate::own_api::{read, said};
use crate::texts::PracticeTexts;
use crate::{Answer, Console, Fields, Posted, Visitor};

const PRODUCT: &str = "CloudSync Pro";
const DESCRIPTION: &str = "Cloud storage for companies. Files are synchronized in 3 seconds, and an audit log shows who \
    changed what. Customers saved 40 hours a month in their finance teams.";
const EDGE: &str = "edge-of-the-first-product";

/// Makes what a meeting needs, and begins it.
pub(super) async fn hold(
    visitor: Visitor<Practise>,
    State(console): State<Console>,
    Posted(_): Posted,
) -> Answer {
    match begun(&visitor.principal, &console, PracticeTexts::of(visitor.language)).await {
        Ok(meeting) => Ok(visitor.go_to(&format!("/practice/{meeting}"))),
        Err(problem) => {
            let told = (&Fields::default(), Some(said(&problem)));
            super::list(&visitor, &console, problem.status, told).await
        }
    }
}

async fn begun(who: &Principal, console: &Console, texts: &PracticeTexts) -> Result<String, Problem> {
    let api = &console.own_api;
    let ask = async |path: &str, body: Value| api.post(who, path, (&body, None)).await;
    let id = |answer: &Value, name: &str| {
        let id = answer["data"][name].as_str().map(str::to_owned);
        id.ok_or_else(|| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, texts.no_answer))
    };
    let salesperson = id(&read(api.send(who, product()?).await).await?, "salesperson_id")?;
    let company = json!({"company_url": "https://harbour-cycles.example", "auto_fetch": false});
    let company = id(&ask("/api/company/create", company).await?, "company_id")?;
    let mut people = Vec::new();
    for (name, role, manner) in [("Maria Garcia", "cfo", "analytical"), ("Tom Okafor", "cto", "nice")] {
        let person = json!({
            "name": name, "role": role, "personality_traits": [manner], "is_decision_maker": role == "cfo",
        });
        let path = format!("/api/company/{company}/representatives");
        people.push(id(&ask(&path, person).await?, "representative_id")?);
    }
    let meeting = json!({
        "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-2", "representatives": people,
        "meeting_goal": texts.first_goal, "difficulty": "beginner", "duration_minutes": 15,
    });
    let meeting = id(&ask("/api/meeting/create", meeting).await?, "meeting_id")?;
    ask(&format!("/api/meeting/{meeting}/start"), json!({})).await?;
    Ok(meeting)
}

/// The form of the product.
fn product() -> Result<Request, Problem> {
    let field = |name: &str, value: &str| {
        format!("--{EDGE}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let end = format!("--{EDGE}--\r\n");
    let form = [field("product_name", PRODUCT), field("description", DESCRIPTION), end].concat();
    Request::post("/api/salesperson/create")
        .header(CONTENT_TYPE, format!("multipart/form-data; boundary={EDGE}"))
        .body(Body::from(form))
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
