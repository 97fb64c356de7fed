//! The page of one call.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use domain::analysis::ActionItem;
use domain::call::{CallDetails, WorkspaceId};
use store::{EffectKey, NewRun, Page, Settlement, WantedEffect};
use uuid::Uuid;

use crate::material::{analysis, details, transcript};
use crate::world::{WORKSPACE, World};

#[tokio::test]
async fn a_call_shows_what_was_said_and_what_was_made_of_it() {
    let world = World::new().await;
    let call = world.arrived("a", details("Dana Ortiz")).await;
    world.made(call, transcript("My invoice is wrong.", 2), analysis("An invoice is wrong.")).await;
    let page = world.page(&format!("/calls/{call}")).await;
    assert!(page.contains("id=\"s2\" data-ms=\"65000\"") && page.contains(">1:05</a>"));
    assert!(page.contains(">My invoice is wrong.</span>"));
    assert!(page.contains("<a href=\"?line=1#s1\"><bdi>An invoice is wrong.</bdi></a>"));
    assert!(page.contains("<td>transcription</td>") && page.contains("<td>analysis</td>"));
}

#[tokio::test]
async fn markup_in_any_field_of_a_call_is_shown_as_text() {
    let world = World::new().await;
    for text in ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>"] {
        let call = world.arrived(text, details(text)).await;
        world.made(call, transcript(text, 2), analysis(text)).await;
        let page = world.page(&format!("/calls/{call}")).await;
        assert!(page.contains("alert(1)"));
        assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
    }
}

#[tokio::test]
async fn a_call_that_is_not_there_or_not_ours_is_a_page_with_404() {
    let world = World::new().await;
    let theirs = world.arrived_in(WorkspaceId(Uuid::from_u128(7)), "a", CallDetails::default()).await;
    for id in [theirs.to_string(), Uuid::from_u128(9).to_string(), "no-id".to_owned(), "%00".to_owned()] {
        for path in [format!("/calls/{id}"), format!("/calls/{id}/recording")] {
            let answer = world.get(&path).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert!(answer.text.contains("<nav"), "{path}");
        }
        let answer = world.submit("/calls", &format!("/calls/{id}/replay"), &[("from", "analysis")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn a_transcript_of_sixteen_megabytes_is_shown_in_parts() {
    let world = World::new().await;
    let call = world.arrived("a", CallDetails::default()).await;
    let text = "word ".repeat(33);
    world.made(call, transcript(&text, 100_000), analysis("short")).await;
    let started = Instant::now();
    let page = world.page(&format!("/calls/{call}?line=70123")).await;
    let took = started.elapsed();
    assert!(page.contains("Lines 70001 to 70500 of 100000") && page.contains("id=\"s70123\""));
    assert!(page.len() < 1_000_000, "{} bytes", page.len());
    // This program is not optimized, so it gets more than the second that a visitor waits.
    println!("the page took {took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn the_player_gets_the_part_of_the_recording_that_it_asks_for() {
    let world = World::new().await;
    let call = world.arrived("a", CallDetails::default()).await;
    let page = format!("/calls/{call}");
    assert!(!world.page(&page).await.contains("<audio"));
    assert_eq!(world.get(&format!("{page}/recording")).await.status, StatusCode::NOT_FOUND);
    world.blobs.put(&format!("recordings/{call}/aa11"), "0123456789".into()).await.unwrap();
    assert!(world.page(&page).await.contains("<audio"));
    let part = world.get_with(&format!("{page}/recording"), ("range", "bytes=2-4")).await;
    assert_eq!((part.status, &*part.text), (StatusCode::PARTIAL_CONTENT, "234"));
    assert_eq!(part.headers["content-range"], "bytes 2-4/10");
    assert_eq!(part.headers["content-type"], "audio/wav");
}

#[tokio::test]
async fn a_call_is_done_again_from_a_stage_and_the_audit_log_names_it() {
    let world = World::new().await;
    let call = world.arrived("a", CallDetails::default()).await;
    world.made(call, transcript("Hello.", 1), analysis("short")).await;
    let path = format!("/calls/{call}/replay");
    assert_eq!(world.post(&path, &[("from", "analysis")]).await.status, StatusCode::FORBIDDEN);
    let refused = world.submit("/calls", &path, &[("from", "nowhere")]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.store.call(WORKSPACE, call).await.unwrap().unwrap().generation, 1);
    let done = world.submit("/calls", &path, &[("from", "analysis")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(done.headers["location"], format!("/calls/{call}"));
    let analysis = world.store.runs(WORKSPACE, call).await.unwrap();
    assert!(
        analysis.iter().any(|run| run.stage == "analysis" && run.generation == 2 && run.state == "waiting")
    );
    let (audit, _) = world.store.audit(WORKSPACE, Page { offset: 0, limit: 10 }).await.unwrap();
    assert!(
        audit.iter().any(|entry| entry.action == "call_replay" && entry.asked.contains(&call.to_string())),
        "{audit:?}"
    );
}

#[tokio::test]
async fn an_action_and_a_topic_lead_to_the_line_in_which_they_come_up() {
    let world = World::new().await;
    let call = world.arrived("a", CallDetails::default()).await;
    let mut said = transcript("Hello.", 2);
    said.segments[1].text = "I will send the <plan> by Friday.".into();
    let mut found = analysis("short");
    found.topics = vec!["the <plan>".into(), "weather".into()];
    found.action_items = vec![
        ActionItem { text: "I will send the <plan> by Friday.".into(), owner: None, due: None },
        ActionItem { text: "Nobody says this".into(), owner: None, due: None },
    ];
    world.made(call, said, found).await;
    let page = world.page(&format!("/calls/{call}")).await;
    let link = "<a href=\"?line=2#s2\">";
    assert!(page.contains(&format!("{link}I will send the &#60;plan&#62; by Friday.</a>")), "{page}");
    assert!(page.contains(&format!("{link}the &#60;plan&#62;</a>")));
    assert!(page.contains("<li dir=\"auto\">Nobody says this</li>"));
    assert!(page.contains("<li dir=\"auto\">weather</li>"));
}

#[tokio::test]
async fn what_was_made_in_another_system_has_a_link_where_its_address_is_known() {
    let world = World::with(&[("SALESFORCE_LOGIN_URL", "https://acme.my.salesforce.com")]).await;
    let call = world.arrived("a", CallDetails::default()).await;
    let claim = world.begin(call, "transcription").await;
    for (target, object, remote) in [
        ("slack", "post", "C024BE91L/1700000000.000100"),
        ("salesforce", "contact", "003A0000001"),
        ("call_data", "call", "<b>7"),
    ] {
        let key = EffectKey::new(call.0, target, object);
        let wanted = WantedEffect {
            digest: "d".into(),
            generation: 1,
            timeout: Duration::from_secs(30),
            can_update: false,
            resend_unknown: false,
        };
        let asked_at = world.store.now();
        world.store.intend(&claim, &key, &wanted, asked_at).await.unwrap();
        assert!(world.store.confirm_effect(key.id, (asked_at, "d"), remote, None).await.unwrap());
    }
    let page = world.page(&format!("/calls/{call}")).await;
    for address in [
        "https://slack.com/archives/C024BE91L/p1700000000000100",
        "https://acme.my.salesforce.com/003A0000001",
    ] {
        assert!(page.contains(&format!("<a href=\"{address}\" rel=\"noreferrer\">")), "{address}: {page}");
    }
    assert!(page.contains("<td><bdi>&#60;b&#62;7</bdi></td>"));
}

#[tokio::test]
async fn the_timeline_names_the_trace_of_a_stage_where_one_is_known() {
    let world = World::new().await;
    let call = world.arrived("a", CallDetails::default()).await;
    let path = format!("/calls/{call}");
    assert!(!world.page(&path).await.contains(">Trace</th>"));
    let claim = world.begin(call, "transcription").await;
    let id = "0af7651916cd43dd8448eb211c80319c";
    let input = format!(r#"{{"traceparent": "00-{id}-b7ad6b7169203331-01"}}"#);
    let child = NewRun { stage: "analysis", generation: 1, lane: "live".into(), input };
    world.settle(&claim, Settlement::Done { writes: &[], children: &[child] }).await;
    let page = world.page(&path).await;
    assert!(page.contains(">Trace</th>") && page.contains(&format!("<code>{id}</code>")), "{page}");
}
