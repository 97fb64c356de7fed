//! Tests what a user sees when everything works.

use std::time::Duration;

use serde_json::Value;

use crate::inputs::{Meeting, PhoneCall};
use crate::processes::command_within;
use crate::world::{Kind, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_call_ends_in_slack_in_the_crm_and_in_the_api_embedded() {
    a_phone_call(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_call_ends_in_slack_in_the_crm_and_in_the_api_on_servers() {
    a_phone_call(Kind::Servers).await;
}

async fn a_phone_call(kind: Kind) {
    let world = World::start(kind).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    let seen = world.completed(&call.id).await;
    assert_eq!(seen["from_number"], call.customer);
    assert_eq!(seen["slack_posted"], true);
    assert!(seen["transcription_text"].as_str().unwrap().contains(&call.request), "{seen}");
    assert!(seen["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{seen}");
    let posts = world.slack_posts(&call.id).await;
    assert_eq!(posts.len(), 1, "{posts:?}");
    assert!(posts[0].contains(&call.request) && posts[0].contains(&call.agent), "{}", posts[0]);
    assert_eq!(world.effects("call_data", "call_data").await.get(&call.id), Some(&1));
    let logged = world.received("call_data", "/call-data").await;
    assert!(logged[0]["transcription"].to_string().contains(&call.request), "{logged:?}");
    let shown = world.get(&format!("/api/calls/{}", seen["id"].as_str().unwrap())).await.unwrap();
    assert_eq!(shown["analysis"]["metrics"]["questions"], 1, "{shown}");
    let states: Vec<&Value> =
        shown["effects"].as_array().unwrap().iter().map(|effect| &effect["state"]).collect();
    assert!(states.len() >= 2 && states.iter().all(|state| *state == "confirmed"), "{shown}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_with_its_transcript_ends_as_contacts_embedded() {
    a_meeting(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_with_its_transcript_ends_as_contacts_on_servers() {
    a_meeting(Kind::Servers).await;
}

async fn a_meeting(kind: Kind) {
    let world = World::start(kind).await;
    let meeting = Meeting::new();
    let id = world.meeting(&meeting).await;
    let again = world.meeting(&meeting).await;
    assert_eq!(id, again, "the same meeting twice is one call");
    world
        .wait("the meeting to be completed", async |world| {
            world.get(&format!("/api/calls/{id}")).await.filter(|call| call["status"] == "completed")
        })
        .await;
    let contacts = world.contacts().await;
    let of = |email: &str| contacts.iter().find(|contact| contact["Email"] == email);
    for (name, email) in &meeting.customers {
        let contact = of(email).unwrap_or_else(|| panic!("no contact for {email}: {contacts:?}"));
        let (first, last) = name.split_once(' ').unwrap();
        assert_eq!((contact["FirstName"].as_str(), contact["LastName"].as_str()), (Some(first), Some(last)));
    }
    assert_eq!(of(&meeting.host.1), None, "the host is not a customer");
    assert_eq!(of(&meeting.customers[0].1).unwrap()["Title"], meeting.title, "{contacts:?}");
    assert!(world.effects("salesforce", "contact").await.values().all(|count| *count == 1));
    let transcript = world.get(&format!("/api/calls/{id}/transcript")).await.unwrap();
    assert_eq!(transcript["segments"].as_array().unwrap().len(), 3);
    let posts = world.slack_posts(&meeting.uuid).await;
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert!(posts[0].starts_with("📅 *Meeting:*\nPlanning\n"), "{}", posts[0]);
    assert!(posts[0].contains(&meeting.host.0) && posts[0].contains("*Summary:*"), "{}", posts[0]);
    assert!(posts.iter().all(|post| !post.contains("Support Number")), "{posts:?}");
    assert!(posts[1].contains(": Welcome, shall we begin?"), "{}", posts[1]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_judged_where_somebody_asked_for_it() {
    let world = World::start_with(Kind::Embedded, &[("SCORECARDS", "sales,bant")]).await;
    let meeting = Meeting::new();
    let id = world.meeting(&meeting).await;
    let shown = world
        .wait("the meeting to be judged", async |world| {
            world.get(&format!("/api/calls/{id}")).await.filter(|call| call["status"] == "completed")
        })
        .await;
    let names: Vec<&Value> = shown["scores"].as_array().unwrap().iter().map(|score| &score["name"]).collect();
    assert_eq!(names, ["bant", "sales"], "{shown}");
    assert_eq!(shown["scores"][1]["criteria"].as_array().unwrap().len(), 5, "{shown}");
    let timeline = world.get(&format!("/api/calls/{id}/timeline")).await.unwrap();
    let stages = timeline["stages"].as_array().unwrap();
    assert!(stages.iter().any(|stage| stage["stage"] == "score" && stage["state"] == "done"), "{timeline}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_listener_says_what_runs_there() {
    let world = World::start(Kind::Servers).await;
    for role in ["ingest", "api", "slack"] {
        let home: Value = serde_json::from_str(&world.text(role, "/").await).unwrap();
        assert_eq!((&home["service"], &home["status"]), (&"debrief".into(), &"running".into()), "{home}");
        let page = world.page(role).await;
        assert!(page.contains(&format!("<td>{role}</td>")) && page.contains("on servers"), "{page}");
        assert_eq!(page.contains("href=\"/docs\""), role == "api", "{page}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_ends_as_its_rows_say() {
    let settings = [("PORT".to_owned(), "0".to_owned())].into();
    let (code, said) = command_within(Duration::from_mins(3), &["demo", "--once"], &settings).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("Debrief turns every call and meeting into a transcript"), "{said}");
    for (call, direction) in
        [("phone call with a recording", "incoming"), ("a webhook sent three times", "outgoing")]
    {
        let row = said.lines().find(|line| line.starts_with(call)).unwrap();
        assert!(row.contains(direction), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_is_ready_is_fetched_when_its_webhook_says_so() {
    // Without the webhook, the job would be looked at only after an hour.
    let world = World::start_with(Kind::Embedded, &[("ASSEMBLYAI_POLL", "1h")]).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.completed(&call.id).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_identical_webhooks_at_once_are_one_call_embedded() {
    a_hundred_webhooks(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_identical_webhooks_at_once_are_one_call_on_servers() {
    a_hundred_webhooks(Kind::Servers).await;
}

async fn a_hundred_webhooks(kind: Kind) {
    let world = World::start(kind).await;
    let call = PhoneCall::new();
    let body = call.webhook(Some(&world.record(&call).await));
    let answers = futures::future::join_all((0..100).map(|_| world.post("/webhook/zapier", &body))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap().status() == 200));
    world.completed(&call.id).await;
    let sentinel = PhoneCall::new();
    world.webhook(&sentinel).await;
    world.completed(&sentinel.id).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    assert_eq!(world.effects("call_data", "call_data").await.get(&call.id), Some(&1));
    let submitted = world.received("assemblyai", "/v2/transcript").await;
    assert_eq!(submitted.iter().filter(|body| body["audio_url"].is_string()).count(), 2, "one job a call");
    let history = world.get("/api/calls/history").await.unwrap();
    assert_eq!(history["total"], 2, "{history}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_comes_later_carries_the_call_on_embedded() {
    a_late_recording(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_comes_later_carries_the_call_on_on_servers() {
    a_late_recording(Kind::Servers).await;
}

async fn a_late_recording(kind: Kind) {
    let world = World::start(kind).await;
    let call = PhoneCall::new();
    world.post("/webhook/zapier", &call.webhook(None)).await.unwrap();
    world.status(&call.id, "no_recording").await;
    assert!(world.slack_posts(&call.id).await.is_empty());
    world.webhook(&call).await;
    world.completed(&call.id).await;
    assert_eq!(world.slack_posts(&call.id).await.len(), 1);
    world.finish().await;
}
