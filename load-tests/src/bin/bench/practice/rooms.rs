//! Makes meetings that have begun, through the API.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use reqwest::RequestBuilder;
use reqwest::multipart::Form;
use serde_json::{Value, json};

use crate::client::client;

/// Makes so many meetings with one representative, and starts them. Returns their ids.
pub(super) async fn meetings(address: SocketAddr, count: usize) -> anyhow::Result<Vec<String>> {
    let client = client()?;
    let at = |path: &str| client.post(format!("http://{address}{path}"));
    let product = Form::new()
        .text("product_name", "CloudSync Pro")
        .text("description", "Cloud storage for companies, with a trail of every change.");
    let salesperson = made(at("/api/salesperson/create").multipart(product), "salesperson_id").await?;
    let company = json!({ "company_url": "https://acme.example", "auto_fetch": false });
    let company = made(at("/api/company/create").json(&company), "company_id").await?;
    let person = json!({ "name": "Maria Garcia", "role": "cfo", "is_decision_maker": true });
    let path = format!("/api/company/{company}/representatives");
    let representative = made(at(&path).json(&person), "representative_id").await?;
    let mut meetings = Vec::with_capacity(count);
    for _ in 0..count {
        let meeting = json!({
            "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-1",
            "representatives": [representative], "meeting_goal": "Agree on a pilot", "difficulty": "intermediate",
        });
        let meeting = made(at("/api/meeting/create").json(&meeting), "meeting_id").await?;
        data(at(&format!("/api/meeting/{meeting}/start"))).await?;
        meetings.push(meeting);
    }
    Ok(meetings)
}

/// Sends a request and returns the id of what it made.
async fn made(request: RequestBuilder, id: &str) -> anyhow::Result<String> {
    let data = data(request).await?;
    data[id].as_str().map(str::to_owned).with_context(|| format!("there is no {id} in {data}"))
}

async fn data(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await.context("send a request")?;
    let (status, body) = (answer.status(), answer.text().await.context("read an answer")?);
    ensure!(status.is_success(), "a request was answered {status}: {body}");
    let mut body: Value = serde_json::from_str(&body).context("read an answer")?;
    Ok(body["data"].take())
}
