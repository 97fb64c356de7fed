//! The simulator of a place that keeps recordings.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use simulators::{Recording, Variant, recordings};

use crate::playground::{Playground, answer};

#[tokio::test]
async fn a_recording_is_served_in_its_variant() {
    let play = Playground::start().await;
    let put = |name: &str, variant: &str| {
        let path = format!("/_control/recordings/{name}?variant={variant}");
        answer(play.at(Method::PUT, &recordings::PROVIDER, &path).body("0123456789"))
    };
    for (name, variant) in [("whole", ""), ("gone", "410"), ("page", "html"), ("away", "redirect:http://x/y")]
    {
        assert_eq!(put(name, variant).await.0, StatusCode::NO_CONTENT);
    }
    let get = |name: &str| play.at(Method::GET, &recordings::PROVIDER, &format!("/recordings/{name}"));
    assert_eq!(
        answer(get("whole").header("range", "bytes=2-4")).await,
        (StatusCode::PARTIAL_CONTENT, json!(234))
    );
    assert_eq!(answer(get("gone")).await.0, StatusCode::GONE);
    assert_eq!(answer(get("nobody")).await.0, StatusCode::NOT_FOUND);
    assert!(answer(get("page")).await.1.as_str().unwrap().contains("<html>"));
    let away = get("away").send().await.unwrap();
    assert_eq!(
        (away.status(), &away.headers()["location"]),
        (StatusCode::FOUND, &"http://x/y".parse().unwrap())
    );
    assert_eq!(put("what", "nonsense").await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_endless_recording_goes_on_and_a_stalled_one_stands_still() {
    let play = Playground::start().await;
    let endless = play.simulators.put_recording("endless", Recording::variant(Variant::Endless));
    let mut answer = play.http.get(endless).send().await.unwrap();
    let mut seen = 0;
    while seen < 3_000_000 {
        seen += answer.chunk().await.unwrap().unwrap().len();
    }
    let stalled = Recording { variant: Variant::Stall, ..Recording::wav("0123456789") };
    let stalled = play.simulators.put_recording("stalled", stalled);
    let mut answer = play.http.get(stalled).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "01234");
    assert!(tokio::time::timeout(Duration::from_millis(200), answer.chunk()).await.is_err());
}
