//! A practice meeting that was held: a product, two people, some words, and a score.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use platform::http;
use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Value, json};

const DESCRIPTION: &str = "Repair plans for fleets of bicycles. A broken bicycle is back on the road in 24 hours, and \
    customers saved 30 % of the cost of repairs. Riders book a repair in the app.";
/// What the salesperson says.
const SAID: [&str; 4] = [
    "Thank you for your time, Maria. What happens today when one of your bicycles breaks?",
    "How much does a bicycle that stands still cost you, and who feels it first, Tom?",
    "I understand that the price worries you. Customers saved 30 % of the cost of repairs, and a broken bicycle is back \
     on the road in 24 hours. What would that change for you?",
    "Shall we try it with twenty bicycles for a month? I will send you the plan tomorrow, and we meet next Tuesday at 10 \
     to decide.",
];

/// Holds the meeting.
pub(super) async fn hold(address: &str) -> anyhow::Result<()> {
    let client = http::client(Duration::from_secs(30));
    let url = |path: &str| format!("{address}{path}");
    let post = async |path: &str, body: Value| ask(client.post(url(path)).json(&body)).await;
    let product = Form::new().text("product_name", "Harbour Fleet").text("description", DESCRIPTION);
    let salesperson = ask(client.post(url("/api/salesperson/create")).multipart(product)).await?;
    // The demo goes to no address outside this machine.
    let company = json!({"company_url": "https://northbank-couriers.example", "auto_fetch": false});
    let company = id(&post("/api/company/create", company).await?, "company_id")?;
    let mut people = Vec::new();
    for (name, role, manner) in [("Maria Garcia", "cfo", "analytical"), ("Tom Okafor", "coo", "nice")] {
        let person = json!({
            "name": name, "role": role, "personality_traits": [manner], "is_decision_maker": role == "cfo",
        });
        let made = post(&format!("/api/company/{company}/representatives"), person).await?;
        people.push(id(&made, "representative_id")?);
    }
    let meeting = json!({
        "salesperson_id": id(&salesperson, "salesperson_id")?, "company_id": company, "meeting_mode": "1-on-2",
        "representatives": people, "meeting_goal": "Agree on a pilot with twenty bicycles", "difficulty": "beginner",
        "duration_minutes": 20,
    });
    let meeting = id(&post("/api/meeting/create", meeting).await?, "meeting_id")?;
    post(&format!("/api/meeting/{meeting}/start"), json!({})).await?;
    for said in SAID {
        let said = json!({"meeting_id": meeting, "speaker": "salesperson", "message": said});
        post("/api/conversation/send-message", said).await?;
    }
    let ended = post(&format!("/api/meeting/{meeting}/end"), json!({})).await?;
    ensure!(ended["data"]["score"]["overall"].is_u64(), "the practice meeting has no score: {ended}");
    Ok(())
}

async fn ask(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = http::send_any(request).await.context("hold the practice meeting")?;
    let text = String::from_utf8_lossy(&answer.body);
    ensure!(answer.status.is_success(), "the practice meeting was answered {}: {text}", answer.status);
    serde_json::from_str(&text).context("read an answer of practice")
}

fn id(answer: &Value, name: &str) -> anyhow::Result<String> {
    let id = answer["data"][name].as_str().map(str::to_owned);
    id.with_context(|| format!("an answer of practice has no `{name}`: {answer}"))
}
