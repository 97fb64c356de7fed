//! What every simulator has beside the routes of its provider.

use reqwest::{Method, StatusCode};
use serde_json::json;
use simulators::{Options, Simulators, slack};

use crate::playground::{Playground, answer};

#[tokio::test]
async fn a_simulator_can_be_driven_over_http() {
    let play = Playground::start().await;
    let control = |method, path: &str| play.at(method, &slack::PROVIDER, &format!("/_control/{path}"));
    let faults =
        json!({ "latency_ms": 1, "next": [{ "status": 503 }], "always": { "status": 404 }, "rate": 1.0 });
    assert_eq!(answer(control(Method::POST, "faults").json(&faults)).await.0, StatusCode::NO_CONTENT);
    let unknown = control(Method::POST, "faults").json(&json!({ "latency": 1 }));
    assert_eq!(answer(unknown).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer(play.webhook("a")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer(play.webhook("b")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(answer(control(Method::POST, "faults").json(&json!({}))).await.0, StatusCode::NO_CONTENT);
    assert_eq!(answer(play.webhook("c")).await.0, StatusCode::OK);
    let (_, received) = answer(control(Method::GET, "received")).await;
    let texts: Vec<_> =
        received["requests"].as_array().unwrap().iter().map(|one| one["body"]["text"].clone()).collect();
    assert_eq!(texts, ["a", "b", "c"]);
    let (_, later) = answer(control(Method::GET, "received?after=2")).await;
    assert_eq!(later["requests"][0]["body"]["text"], "c");
    assert_eq!(answer(control(Method::GET, "effects")).await.1["post"].as_object().unwrap().len(), 1);
    assert_eq!(answer(control(Method::DELETE, "received")).await.0, StatusCode::NO_CONTENT);
    assert!(play.of(&slack::PROVIDER).received().is_empty());
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_a_stopped_simulator_frees_its_port() {
    let play = Playground::start().await;
    let port = play.of(&slack::PROVIDER).address.port();
    let options = Options { base_port: Some(port), ..Options::default() };
    let taken = Simulators::start(&options).await.unwrap_err();
    assert!(format!("{taken:#}").contains(&port.to_string()));
    play.simulators.stop().await;
    Simulators::start_only(&[&slack::PROVIDER], &options).await.unwrap().stop().await;
}
