//! The simulators of Exotel and Twilio.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use simulators::{Recording, exotel, twilio};

use crate::playground::{Playground, answer};

#[tokio::test]
async fn a_call_of_exotel_settles_from_look_to_look_and_its_recording_comes_late() {
    let play = Playground::start().await;
    play.simulators.put_recording("CALL-1", Recording::wav("RIFF"));
    let details = "/v1/Accounts/simulated/Calls/CALL-1.json?details=true";
    let get = |path: &str, token: &str| {
        answer(play.at(Method::GET, &exotel::PROVIDER, path).basic_auth(exotel::KEY, Some(token)))
    };
    assert_eq!(get(details, "wrong").await.0, StatusCode::UNAUTHORIZED);
    let first = get(details, exotel::TOKEN).await.1;
    assert_eq!(
        (&first["Call"]["Status"], &first["Call"]["RecordingUrl"]),
        (&"in-progress".into(), &Value::Null)
    );
    let second = get(details, exotel::TOKEN).await.1;
    assert_eq!((&second["Call"]["Status"], &second["Call"]["Duration"]), (&"completed".into(), &Value::Null));
    let url = second["Call"]["RecordingUrl"].as_str().unwrap().to_owned();
    let third = get(details, exotel::TOKEN).await.1;
    assert_eq!((&third["Call"]["Duration"], &third["Call"]["Price"]), (&"64".into(), &"0.800".into()));
    let path = &url[url.find("/exotelrecordings").unwrap()..];
    assert_eq!(get(path, exotel::TOKEN).await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(path, exotel::TOKEN).await.0, StatusCode::OK);
    assert_eq!(get(path, "wrong").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_recording_of_twilio_is_there_at_the_second_request_and_has_the_wanted_channels() {
    let play = Playground::start().await;
    play.simulators.put_recording("RE1", Recording::wav("RIFF mono"));
    play.simulators.put_recording("RE1-dual", Recording::wav("RIFF dual"));
    let path = format!("/2010-04-01/Accounts/{}/Recordings/RE1.wav", twilio::ACCOUNT);
    let get = |path: &str| {
        let request = play.at(Method::GET, &twilio::PROVIDER, path);
        async { request.basic_auth(twilio::ACCOUNT, Some(twilio::TOKEN)).send().await.unwrap() }
    };
    assert_eq!(get(&path).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&path).await.text().await.unwrap(), "RIFF mono");
    let dual = get(&format!("{path}?RequestedChannels=2")).await;
    assert_eq!(dual.text().await.unwrap(), "RIFF dual");
    let refused = answer(play.at(Method::GET, &twilio::PROVIDER, &path)).await;
    assert_eq!((refused.0, &refused.1["code"]), (StatusCode::UNAUTHORIZED, &20003.into()));
}
