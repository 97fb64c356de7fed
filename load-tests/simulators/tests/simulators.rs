//! The simulators as their callers see them: over HTTP, held against what the providers publish.

#![expect(clippy::unwrap_used, reason = "a test fails where something is not there")]

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulators::{Fault, Faults, ModelFault, Recording, Simulator, Utterance, Variant, recording_with};
use simulators::{Options, Simulators};

const OPENAI: &str = include_str!("contracts/openai.json");
const SLACK: &str = include_str!("contracts/slack.json");

struct Playground {
    sims: Simulators,
    http: Client,
}

async fn playground() -> Playground {
    rustls::crypto::ring::default_provider().install_default().ok();
    #[expect(clippy::disallowed_methods, reason = "this crate does not depend on the one that makes clients")]
    let http = Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap();
    let options = Options { transcription_time: Duration::from_millis(120), ..Options::default() };
    Playground { sims: Simulators::start(&options).await.unwrap(), http }
}

impl Playground {
    fn at(&self, method: Method, simulator: &Simulator, path: &str) -> RequestBuilder {
        self.http.request(method, simulator.url(path))
    }

    fn slack(&self, method: &str, args: &Value) -> RequestBuilder {
        let request = self.at(Method::POST, &self.sims.slack, &format!("/api/{method}"));
        request.bearer_auth("xoxb-1").json(args)
    }

    fn complete(&self, body: &Value) -> RequestBuilder {
        self.at(Method::POST, &self.sims.openai, "/v1/chat/completions").bearer_auth("sk-1").json(body)
    }

    fn webhook(&self, text: &str) -> RequestBuilder {
        self.at(Method::POST, &self.sims.slack, "/services/T0/B0/x").json(&json!({ "text": text }))
    }

    /// Signs in to Salesforce.
    async fn session(&self) -> String {
        let form = [("grant_type", "client_credentials"), ("client_id", "id"), ("client_secret", "secret")];
        let request = self.at(Method::POST, &self.sims.salesforce, "/services/oauth2/token").form(&form);
        let granted = answer(request).await.1;
        assert_eq!(granted["instance_url"], self.sims.salesforce.url(""));
        granted["access_token"].as_str().unwrap().to_owned()
    }

    fn salesforce(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let path = format!("/services/data/v60.0{path}");
        self.at(method, &self.sims.salesforce, &path).bearer_auth(token)
    }
}

/// The status and the body, as JSON or else as text.
async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::from(text)))
}

/// Fails where `value` is not what the provider's document says of `name`.
fn hold(contract: &str, name: &str, value: &Value) {
    let mut schema: Value = serde_json::from_str(contract).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
}

fn said(speaker: &str, start: u64, end: u64, text: &str) -> Utterance {
    Utterance { speaker: speaker.to_owned(), start, end, text: text.to_owned() }
}

fn question(schema: &Value) -> Value {
    let format = json!({ "name": "reading", "strict": true, "schema": schema });
    json!({
        "model": "any",
        "messages": [
            { "role": "system", "content": "Read the call." },
            { "role": "user", "content": "[1] Bo: Good morning.\n[2] Ada: I need a refund, please. It is urgent.\n\
                [3] Bo: I will send the form by Friday.\n[4] Ada: Write to ada@example.org." },
        ],
        "response_format": { "type": "json_schema", "json_schema": format },
    })
}

fn object(properties: &Value) -> Value {
    let names: Vec<_> = properties.as_object().unwrap().keys().collect();
    json!({ "type": "object", "properties": properties, "required": names, "additionalProperties": false })
}

fn reading() -> Value {
    let string = json!({ "type": "string" });
    let fact = object(&json!({
        "field": { "type": "string", "enum": ["email", "phone", "city"] },
        "value": string, "quote": string, "segment": { "type": "integer" },
    }));
    let contact = object(&json!({ "name": string, "facts": { "type": "array", "items": fact } }));
    object(&json!({
        "summary": string,
        "concern": { "type": ["string", "null"] },
        "category": { "type": "string", "enum": ["sales", "billing", "other"] },
        "contacts": { "type": "array", "items": contact },
    }))
}

#[tokio::test]
async fn a_recording_becomes_the_transcript_that_was_spoken_in_it() {
    let play = playground().await;
    let wav = recording_with(&[said("Ada", 0, 900, "Hello there."), said("Bo", 1000, 2000, "Good morning.")]);
    let url = play.sims.put_recording("call.wav", Recording::wav(wav.clone()));
    let fetched = play.http.get(url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(fetched, wav);

    let provider = &play.sims.assemblyai;
    let call = |method, path: &str| play.at(method, provider, path).header("authorization", "key");
    let (status, uploaded) = answer(call(Method::POST, "/v2/upload").body(fetched)).await;
    assert_eq!(status, StatusCode::OK);
    let request = json!({
        "audio_url": uploaded["upload_url"], "speech_models": ["universal-2"], "speaker_labels": true,
    });
    let (_, submitted) = answer(call(Method::POST, "/v2/transcript").json(&request)).await;
    assert_eq!(submitted["status"], "queued");
    let path = format!("/v2/transcript/{}", submitted["id"].as_str().unwrap());
    let done = loop {
        let (_, seen) = answer(call(Method::GET, &path)).await;
        match seen["status"].as_str() {
            Some("queued" | "processing") => tokio::task::yield_now().await,
            _ => break seen,
        }
    };
    assert_eq!(done["status"], "completed");
    assert_eq!(done["text"], "Hello there. Good morning.");
    assert_eq!(done["audio_duration"], 2);
    assert_eq!(done["utterances"][1]["speaker"], "B");
    assert_eq!(done["utterances"][1]["start"], 1000);
    assert_eq!(done["utterances"][1]["words"][1]["text"], "morning.");
    let effects = provider.effects();
    assert_eq!(effects["transcript"], effects["upload"]);
    assert_eq!(effects["transcript"].values().sum::<u64>(), 1);
    assert_eq!(provider.received()[0].body_bytes, wav.len() as u64);
}

#[tokio::test]
async fn the_speech_provider_refuses_what_its_document_forbids() {
    let play = playground().await;
    let submit = |body: Value| {
        let request = play.at(Method::POST, &play.sims.assemblyai, "/v2/transcript");
        answer(request.header("authorization", "key").json(&body))
    };
    let url = "http://example.org/a.wav";
    let (status, refused) = submit(json!({ "audio_url": url })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["error"].as_str().unwrap().contains("speech_models"));
    let (_, refused) = submit(json!({ "audio_url": url, "speech_models": ["a"], "diarize": true })).await;
    assert!(refused["error"].as_str().unwrap().contains("diarize"));
    for (models, said) in [
        (
            json!(["universal-3-pro", "universal-2"]),
            "The \"universal-3-pro\" speech model(s) have been deprecated",
        ),
        (json!(["nano"]), "\"nano\""),
        (json!(["a"]), "must be a non-empty list containing one or more of: \"assemblyai-stt-3-7\""),
        (json!([]), "must be a non-empty list"),
        (json!("universal-2"), "must be a non-empty list"),
    ] {
        let (status, refused) = submit(json!({ "audio_url": url, "speech_models": models })).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(refused["error"].as_str().unwrap().contains(said), "{refused}");
    }
    let (status, refused) = submit(json!({ "audio_url": url, "speech_model": "best" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["error"].as_str().unwrap().contains("\"speech_model\" is deprecated"), "{refused}");
    let (status, _) =
        submit(json!({ "audio_url": url, "speech_models": ["assemblyai-stt-3-7", "universal-2"] })).await;
    assert_eq!(status, StatusCode::OK);
    let bearer = play.at(Method::POST, &play.sims.assemblyai, "/v2/upload").bearer_auth("key").body("x");
    assert_eq!(answer(bearer).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_webhook_is_told_with_its_header_when_the_transcript_is_done() {
    let play = playground().await;
    let upload = play.at(Method::POST, &play.sims.assemblyai, "/v2/upload").header("authorization", "key");
    let (_, uploaded) = answer(upload.body(vec![0; 9000])).await;
    let hook = play.sims.recordings.url("/told?call=7");
    let request = json!({
        "audio_url": uploaded["upload_url"], "speech_models": ["universal-2"], "webhook_url": hook,
        "webhook_auth_header_name": "x-secret", "webhook_auth_header_value": "s3cret",
    });
    let submit =
        play.at(Method::POST, &play.sims.assemblyai, "/v2/transcript").header("authorization", "key");
    let (_, submitted) = answer(submit.json(&request)).await;
    let told = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            if let Some(told) = play.sims.recordings.received().pop() {
                break told;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let told = told.await.unwrap();
    assert_eq!(told.body, json!({ "transcript_id": submitted["id"], "status": "completed" }));
    assert_eq!((told.headers["x-secret"].as_str(), told.query.as_deref()), ("s3cret", Some("call=7")));
}

#[tokio::test]
async fn the_model_answers_from_the_transcript_in_the_form_that_was_asked_for() {
    let play = playground().await;
    let (status, completion) = answer(play.complete(&question(&reading()))).await;
    assert_eq!(status, StatusCode::OK, "{completion}");
    hold(OPENAI, "CreateChatCompletionResponse", &completion);
    let content = completion["choices"][0]["message"]["content"].as_str().unwrap();
    let content: Value = serde_json::from_str(content).unwrap();
    assert!(jsonschema::is_valid(&reading(), &content), "{content}");
    assert_eq!(content["category"], "billing");
    assert_eq!(content["concern"], "I need a refund, please.");
    let fact = json!({
        "field": "email", "value": "ada@example.org", "quote": "Write to ada@example.org.", "segment": 4,
    });
    assert_eq!(content["contacts"], json!([{ "name": "Ada", "facts": [fact] }]));
    let usage = &completion["usage"];
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
}

#[tokio::test]
async fn the_model_refuses_what_the_strict_subset_leaves_out() {
    let play = playground().await;
    let mut open = reading();
    open["additionalProperties"] = json!(true);
    let (status, refused) = answer(play.complete(&question(&open))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    hold(OPENAI, "ErrorResponse", &refused);
    assert!(refused["error"]["message"].as_str().unwrap().contains("additionalProperties"));
    let anonymous = play.at(Method::POST, &play.sims.openai, "/v1/chat/completions");
    assert_eq!(answer(anonymous.json(&question(&reading()))).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_model_can_be_wrong_in_every_way_a_model_is() {
    let play = playground().await;
    let faults = [ModelFault::NotJson, ModelFault::CutOff, ModelFault::Refusal, ModelFault::SchemaBreak];
    play.sims.openai.set_faults(Faults::next(faults.map(Fault::model)));
    let mut choices = Vec::new();
    for _ in faults {
        let (status, completion) = answer(play.complete(&question(&reading()))).await;
        assert_eq!(status, StatusCode::OK);
        hold(OPENAI, "CreateChatCompletionResponse", &completion);
        choices.push(completion["choices"][0].clone());
    }
    let parsed = |nth: usize| {
        let content = choices[nth]["message"]["content"].as_str().unwrap();
        serde_json::from_str::<Value>(content)
    };
    assert!(parsed(0).is_err());
    assert!(parsed(1).is_err() && choices[1]["finish_reason"] == "length");
    assert!(choices[2]["message"]["content"].is_null() && choices[2]["message"]["refusal"].is_string());
    assert!(!jsonschema::is_valid(&reading(), &parsed(3).unwrap()));
}

#[tokio::test]
async fn an_incoming_webhook_says_ok_or_a_plain_word() {
    let play = playground().await;
    assert_eq!(answer(play.webhook("Hi")).await, (StatusCode::OK, json!("ok")));
    assert_eq!(answer(play.webhook(" ")).await, (StatusCode::BAD_REQUEST, json!("no_text")));
    let broken = play.at(Method::POST, &play.sims.slack, "/services/T0/B0/x").body("{");
    assert_eq!(answer(broken).await, (StatusCode::BAD_REQUEST, json!("invalid_payload")));
    let unknown = play.at(Method::POST, &play.sims.slack, "/services/nobody").json(&json!({ "text": "x" }));
    assert_eq!(answer(unknown).await, (StatusCode::NOT_FOUND, json!("no_service")));
}

#[tokio::test]
async fn a_bot_posts_updates_and_finds_its_messages_by_their_metadata() {
    let play = playground().await;
    let metadata = json!({ "event_type": "debrief_post", "event_payload": { "effect": "e-1" } });
    let post = json!({ "channel": "C012345678", "text": "First", "metadata": metadata });
    let (_, mut posted) = answer(play.slack("chat.postMessage", &post)).await;
    assert_eq!(posted["message"]["metadata"], metadata);
    posted["message"].as_object_mut().unwrap().remove("metadata");
    hold(SLACK, "chat.postMessage.ok", &posted);
    let reply = json!({ "channel": "C012345678", "text": "More", "thread_ts": posted["ts"] });
    let (_, replied) = answer(play.slack("chat.postMessage", &reply)).await;
    assert_ne!(replied["ts"], posted["ts"]);
    let change = json!({ "channel": "C012345678", "ts": posted["ts"], "text": "Changed" });
    hold(SLACK, "chat.update.ok", &answer(play.slack("chat.update", &change)).await.1);

    let history = json!({ "channel": "C012345678", "include_all_metadata": true });
    let (_, history) = answer(play.slack("conversations.history", &history)).await;
    assert_eq!(history["messages"].as_array().unwrap().len(), 1);
    assert_eq!(history["messages"][0]["text"], "Changed");
    assert_eq!(history["messages"][0]["metadata"], metadata);
    let thread = json!({ "channel": "C012345678", "ts": posted["ts"] });
    let (_, thread) = answer(play.slack("conversations.replies", &thread)).await;
    let texts: Vec<_> =
        thread["messages"].as_array().unwrap().iter().map(|one| one["text"].clone()).collect();
    assert_eq!(texts, ["Changed", "More"]);
    assert!(thread["messages"][0]["metadata"].is_null());
    assert_eq!(play.sims.slack.effects()["post"]["effect:e-1"], 1);

    hold(SLACK, "auth.test.ok", &answer(play.slack("auth.test", &json!({}))).await.1);
    let (status, refused) = answer(play.slack("chat.postMessage", &json!({ "channel": "C012345678" }))).await;
    assert_eq!((status, refused["error"].as_str()), (StatusCode::OK, Some("no_text")));
    hold(SLACK, "chat.postMessage.error", &refused);
}

#[tokio::test]
async fn a_contact_is_found_created_and_changed_and_counted_by_its_address() {
    let play = playground().await;
    let token = play.session().await;
    let find = async |email: &str| {
        let soql =
            format!("SELECT Id, Phone FROM Contact WHERE Email = '{email}' ORDER BY CreatedDate LIMIT 1");
        let request = play.salesforce(Method::GET, "/query", &token).query(&[("q", &soql)]);
        answer(request).await.1
    };
    assert_eq!(find(r"o\'neil@example.org").await["totalSize"], 0);
    let contact = json!({ "LastName": "O'Neil", "Email": "O'Neil@example.org" });
    let create = |body: &Value| play.salesforce(Method::POST, "/sobjects/Contact", &token).json(body);
    let (status, created) = answer(create(&contact)).await;
    assert_eq!((status, &created["success"]), (StatusCode::CREATED, &json!(true)));
    let path = format!("/sobjects/Contact/{}", created["id"].as_str().unwrap());
    let change = |body: Value| answer(play.salesforce(Method::PATCH, &path, &token).json(&body));
    assert_eq!(change(json!({ "Phone": "1" })).await.0, StatusCode::NO_CONTENT);
    let found = find(r"o\'neil@example.org").await;
    assert_eq!(found["records"][0]["Phone"], "1");
    assert_eq!(found["records"][0]["attributes"]["type"], "Contact");
    let (status, refused) = change(json!({ "Phone": "2", "Pronouns__c": "x" })).await;
    assert_eq!((status, &refused[0]["errorCode"]), (StatusCode::BAD_REQUEST, &json!("INVALID_FIELD")));
    assert_eq!(refused[0]["fields"], json!(["Pronouns__c"]));
    assert_eq!(change(json!({ "Title": "x".repeat(129) })).await.1[0]["errorCode"], "STRING_TOO_LONG");
    assert_eq!(find(r"o\'neil@example.org").await["records"][0]["Phone"], "1");
    assert_eq!(answer(create(&contact)).await.0, StatusCode::CREATED);
    assert_eq!(play.sims.salesforce.effects()["contact"]["o'neil@example.org"], 2);
    let nameless = answer(create(&json!({ "Email": "a@b.c" }))).await.1;
    assert_eq!(nameless[0]["errorCode"], "REQUIRED_FIELD_MISSING");
}

#[tokio::test]
async fn a_session_that_was_ended_is_refused_and_a_new_one_is_not() {
    let play = playground().await;
    let token = play.session().await;
    let soql = [("q", "SELECT Id FROM Contact WHERE Email = 'a@b.c'")];
    let ask = |token: &str| answer(play.salesforce(Method::GET, "/query", token).query(&soql));
    assert_eq!(ask(&token).await.0, StatusCode::OK);
    answer(play.at(Method::POST, &play.sims.salesforce, "/_control/expire")).await;
    let (status, refused) = ask(&token).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused[0]["errorCode"], "INVALID_SESSION_ID");
    assert_eq!(ask(&play.session().await).await.0, StatusCode::OK);
}

#[tokio::test]
async fn call_data_is_taken_checked_and_given_back_in_pages() {
    let play = playground().await;
    let path = "/apis/api/public/call-data";
    let document = |id: &str| {
        json!({
            "campaignId": "c", "voiceAgentId": "v", "client": "k",
            "callDetails": { "callId": id, "direction": "inbound", "startTime": "2026-01-02T03:04:05Z",
                "endTime": "2026-01-02T03:05:05Z", "duration": 60, "status": "completed", "callerNumber": "+1" },
            "caller": { "phoneNumber": "+1" },
            "transcription": { "conversation_items": [{ "role": "user", "content": "Hi" }] },
            "lead": {},
        })
    };
    let send = |body: &Value| answer(play.at(Method::POST, &play.sims.call_data, path).json(body));
    for id in ["1", "2", "2"] {
        assert_eq!(send(&document(id)).await.0, StatusCode::CREATED);
    }
    let mut wrong = document("3");
    wrong["callDetails"]["startTime"] = json!("2026-01-02T03:04:05+00:00Z");
    let (status, refused) = send(&wrong).await;
    assert_eq!((status, &refused["success"]), (StatusCode::BAD_REQUEST, &json!(false)));
    assert!(refused["message"].as_str().unwrap().contains("/callDetails/startTime"));
    let list = |query: &str| answer(play.at(Method::GET, &play.sims.call_data, &format!("{path}?{query}")));
    let page = list("limit=2&campaignId=c").await.1;
    assert_eq!(page["pagination"], json!({ "total": 3, "limit": 2, "offset": 0, "has_more": true }));
    assert_eq!(list("callId=1&startDate=2026-01-02&endDate=2026-01-02").await.1["pagination"]["total"], 1);
    assert_eq!(list("endDate=2026-01-01").await.1["pagination"]["total"], 0);
    assert_eq!(play.sims.call_data.effects()["call_data"]["2"], 2);
}

#[tokio::test]
async fn a_recording_can_be_missing_a_page_elsewhere_or_only_a_part() {
    let play = playground().await;
    let put = |name: &str, variant: &str| {
        let path = format!("/_control/recordings/{name}?variant={variant}");
        answer(play.at(Method::PUT, &play.sims.recordings, &path).body("0123456789"))
    };
    for (name, variant) in [("whole", ""), ("gone", "410"), ("page", "html"), ("away", "redirect:http://x/y")]
    {
        assert_eq!(put(name, variant).await.0, StatusCode::NO_CONTENT);
    }
    let get = |name: &str| play.at(Method::GET, &play.sims.recordings, &format!("/recordings/{name}"));
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
    let play = playground().await;
    let endless = play.sims.put_recording("endless", Recording::variant(Variant::Endless));
    let mut answer = play.http.get(endless).send().await.unwrap();
    let mut seen = 0;
    while seen < 3_000_000 {
        seen += answer.chunk().await.unwrap().unwrap().len();
    }
    let stalled = Recording { variant: Variant::Stall, ..Recording::wav("0123456789") };
    let stalled = play.sims.put_recording("stalled", stalled);
    let mut answer = play.http.get(stalled).send().await.unwrap();
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "01234");
    assert!(tokio::time::timeout(Duration::from_millis(200), answer.chunk()).await.is_err());
}

#[tokio::test]
async fn a_fault_that_resets_makes_nothing_and_one_that_accepts_makes_it_once() {
    let play = playground().await;
    play.sims.slack.set_faults(Faults::next([
        Fault { reset: true, ..Fault::default() },
        Fault { accept_then_reset: true, ..Fault::default() },
        Fault { retry_after: Some("2".to_owned()), ..Fault::status(429) },
        Fault { accept: true, ..Fault::status(500) },
        Fault { body: Some("not json".to_owned()), ..Fault::default() },
    ]));
    assert!(play.webhook("one").send().await.unwrap_err().is_request());
    assert!(play.sims.slack.effects().is_empty());
    assert!(play.webhook("two").send().await.unwrap_err().is_request());
    assert_eq!(play.sims.slack.effects()["post"].len(), 1);
    let limited = play.webhook("three").send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    assert_eq!(answer(play.webhook("four")).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer(play.webhook("five")).await, (StatusCode::OK, json!("not json")));
    assert_eq!(answer(play.webhook("two")).await.1, "ok");
    let mut counts: Vec<u64> = play.sims.slack.effects()["post"].values().copied().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2], "`four` was made once and `two` twice, the others never");
    assert_eq!(play.sims.slack.received().len(), 6);
}

#[tokio::test]
async fn an_answer_that_is_cut_short_breaks_in_its_body() {
    let play = playground().await;
    play.sims.openai.set_faults(Faults::next([Fault { cut_short: true, ..Fault::default() }]));
    let response = play.complete(&question(&reading())).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.is_err());
}

#[tokio::test]
async fn an_answer_that_stalls_took_effect_and_never_ends() {
    let play = playground().await;
    play.sims.slack.set_faults(Faults::next([Fault { stall: true, ..Fault::default() }]));
    let response = play.webhook("one").timeout(Duration::from_secs(1)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.bytes().await.unwrap_err().is_timeout());
    assert_eq!(play.sims.slack.effects()["post"].len(), 1);
}

#[tokio::test]
async fn a_simulator_is_driven_over_http_by_whoever_did_not_start_it() {
    let play = playground().await;
    let control = |method, path: &str| play.at(method, &play.sims.slack, &format!("/_control/{path}"));
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
    assert!(play.sims.slack.received().is_empty());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_and_a_stopped_simulator_frees_its_own() {
    let play = playground().await;
    let port = play.sims.slack.address.port();
    let options = Options { base_port: Some(port), ..Options::default() };
    let taken = Simulators::start(&options).await.unwrap_err();
    assert!(format!("{taken:#}").contains(&port.to_string()));
    let provider = play.sims.slack.provider;
    play.sims.stop().await;
    Simulator::start(provider, port, &Options::default()).await.unwrap().stop().await;
}
