//! Faults on request.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use simulators::{Fault, Faults, openai, slack};

use crate::openai::{complete, question, reading};
use crate::playground::{Playground, answer};

#[tokio::test]
async fn a_fault_that_resets_makes_nothing_and_one_that_accepts_makes_one_thing() {
    let play = Playground::start().await;
    play.of(&slack::PROVIDER).set_faults(Faults::next([
        Fault { reset: true, ..Fault::default() },
        Fault { accept_then_reset: true, ..Fault::default() },
        Fault { retry_after: Some("2".to_owned()), ..Fault::status(429) },
        Fault { accept: true, ..Fault::status(500) },
        Fault { body: Some("not json".to_owned()), ..Fault::default() },
    ]));
    assert!(play.webhook("one").send().await.unwrap_err().is_request());
    assert!(play.of(&slack::PROVIDER).effects().is_empty());
    assert!(play.webhook("two").send().await.unwrap_err().is_request());
    assert_eq!(play.of(&slack::PROVIDER).effects()["post"].len(), 1);
    let limited = play.webhook("three").send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    assert_eq!(answer(play.webhook("four")).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer(play.webhook("five")).await, (StatusCode::OK, json!("not json")));
    assert_eq!(answer(play.webhook("two")).await.1, "ok");
    let mut counts: Vec<u64> = play.of(&slack::PROVIDER).effects()["post"].values().copied().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "`four` was made once and `two` twice, the others never");
    assert_eq!(play.of(&slack::PROVIDER).received().len(), 6);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_breaks_in_its_body() {
    let play = Playground::start().await;
    play.of(&openai::PROVIDER).set_faults(Faults::next([Fault { cut_short: true, ..Fault::default() }]));
    let response = complete(&play, &question(&reading())).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn an_answer_that_stalls_has_taken_effect_and_never_ends() {
    let play = Playground::start().await;
    play.of(&slack::PROVIDER).set_faults(Faults::next([Fault { stall: true, ..Fault::default() }]));
    let response = play.webhook("one").timeout(Duration::from_secs(1)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert_eq!(play.of(&slack::PROVIDER).effects()["post"].len(), 1);
}
