//! Tests that no key of another workspace sees or changes what a workspace has, and that a key opens what its scopes
//! name and nothing else.
//!
//! The routes come from the OpenAPI document of the running process, so that a route that is added later is tested
//! too. The test fails at a route for which it has no data to look for.

use std::collections::BTreeSet;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::inputs::{PhoneCall, word};
use crate::keys::with;
use crate::world::{Kind, World};

const API_KEY: &str = "configured";
/// A recording is answered with itself also where it lies in a bucket: the client of these tests follows no redirect.
const SETTINGS: [(&str, &str); 3] =
    [("DEBRIEF_API_KEY", API_KEY), ("DEBRIEF_MAX_ATTEMPTS", "2"), ("BLOB_REDIRECT", "false")];
/// Routes that show counts and no data of a single call.
const COUNTS: [&str; 5] = ["/stats", "/metrics", "/api/queues", "/api/usage", "/health"];

/// One method of one path, as the document describes it.
#[derive(Debug)]
struct Operation {
    method: String,
    path: String,
    role: &'static str,
    /// The scope that the route needs. `None` where it needs no key.
    scope: Option<String>,
    takes_call: bool,
    /// The route looks for a text.
    looks_for: bool,
}

impl Operation {
    fn names_something(&self) -> bool {
        self.path.contains('{')
    }

    /// The address of the route, with `id` in every place for an id.
    fn address(&self, id: &str) -> String {
        let mut parts = self.path.split(['{', '}']).enumerate();
        let path = parts.by_ref().map(|(n, part)| if n % 2 == 1 { id } else { part }).collect::<String>();
        match self {
            // The sound of the first answer.
            _ if self.path.ends_with("/audio/{turn}") => path.replace(&format!("/audio/{id}"), "/audio/2"),
            Self { takes_call: true, .. } => format!("{path}?call={id}"),
            Self { looks_for: true, .. } => format!("{path}?q={id}"),
            // Without days, only the last month is summed up, and the planted calls are older.
            _ if path == "/api/analytics/dashboard" => format!("{path}?from=2020-01-01&to=2027-12-31"),
            _ => path,
        }
    }

    fn request(&self, world: &World, address: &str, key: Option<&str>, body: &Value) -> RequestBuilder {
        let request = world.request_of(self.role, &self.method, address);
        let request = if self.method == "GET" { request } else { request.json(body) };
        with(request, key)
    }
}

/// Lists every operation of the document.
async fn operations(world: &World) -> Vec<Operation> {
    let document = world.get("/openapi.json").await.unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let what = format!("{method} {path}");
            let security = operation.get("security").unwrap_or(&document["security"]).as_array().unwrap();
            let scopes: BTreeSet<_> = security
                .iter()
                .flat_map(|way| way.as_object().unwrap().values())
                .flat_map(|scopes| scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap()))
                .collect();
            let public = security.iter().any(|way| way.as_object().unwrap().is_empty());
            assert!(scopes.len() == usize::from(!public), "{what} names no scope, or several: {security:?}");
            let takes = |name: &str| {
                let mut parameters = operation["parameters"].as_array().into_iter().flatten();
                parameters.any(|one| one["in"] == "query" && one["name"] == name)
            };
            operations.push(Operation {
                takes_call: takes("call"),
                looks_for: takes("q"),
                method: method.to_uppercase(),
                path: path.clone(),
                role: match operation["tags"][0].as_str() {
                    Some("bringing in") => "ingest",
                    Some("practice") => "practice",
                    _ => "api",
                },
                scope: scopes.into_iter().next().map(str::to_owned),
            });
        }
    }
    assert!(operations.len() >= 26, "{operations:?}");
    operations
}

async fn answer(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned())
}

/// The data of the first workspace.
struct Planted {
    call: PhoneCall,
    /// Every id that the first workspace is shown: ids of calls, dead letters, effects, events and batches.
    ids: BTreeSet<String>,
    mark: String,
}

impl Planted {
    /// Makes four calls: one that ended well and was replayed, one that failed, one whose post in Slack has an unknown
    /// outcome, and one that is being spoken.
    async fn plant(world: &World) -> Self {
        let mark = word();
        let call = |what: &str| PhoneCall {
            agent: format!("Dana {mark}"),
            request: format!("I am calling about the {what} of {mark}."),
            ..PhoneCall::new()
        };
        let (well, dead, unknown) = (call("invoice"), call("refund"), call("headset"));
        world.webhook(&well).await;
        let id = world.completed(&well.id).await["id"].as_str().unwrap().to_owned();
        world.faults("slack", &json!({"next": [{"path": "services", "accept_then_reset": true}]})).await;
        world.webhook(&unknown).await;
        world
            .wait("an effect of which nobody knows", async |world| {
                let effects = world.get("/api/effects").await?;
                effects["items"].as_array()?.iter().any(|effect| effect["state"] == "unknown").then_some(())
            })
            .await;
        let gone = world.record(&dead).await.replace(&dead.id, "gone");
        assert_eq!(world.post("/webhook/zapier", &dead.webhook(Some(&gone))).await.unwrap().status(), 200);
        world.status(&dead.id, "failed").await;
        let replay = world.keyed("api", "POST", &format!("/api/calls/{id}/replay"));
        assert_eq!(replay.json(&json!({"from": "slack"})).send().await.unwrap().status(), 202);
        world.completed(&well.id).await;

        let session = format!("session-{mark}");
        let begun = world.keyed("api", "POST", "/api/calls/start").json(&json!({"session_id": session}));
        assert_eq!(begun.send().await.unwrap().status(), 200);

        let practised = practise(world, &mark).await;
        let mut planted = Self { call: well, ids: practised, mark };
        planted.ids.extend([planted.call.id.clone(), session]);
        for path in [
            "/api/calls/history".to_owned(),
            "/api/dead-letters".into(),
            "/api/effects".into(),
            "/api/audit".into(),
            format!("/api/effects?call={id}"),
            format!("/api/calls/{id}/timeline"),
        ] {
            collect(&world.get(&path).await.unwrap(), &mut planted.ids);
        }
        assert!(planted.ids.contains(&id) && planted.ids.len() >= 8, "{:?}", planted.ids);
        planted
    }

    /// The parts of this data that stand in `body`.
    fn told_by<'a>(&'a self, body: &'a str) -> impl Iterator<Item = &'a str> {
        let marks = self.ids.iter().chain([&self.mark]).map(String::as_str);
        marks.filter(move |mark| body.contains(mark))
    }
}

/// Makes a practice meeting in which something was said, and returns the ids of all that belongs to it.
async fn practise(world: &World, mark: &str) -> BTreeSet<String> {
    let post = async |path: &str, body: &Value| {
        let (status, answer) = answer(world.keyed("practice", "POST", path).json(body)).await;
        assert!(matches!(status, 200 | 201), "{path}: {status} {answer}");
        serde_json::from_str::<Value>(&answer).unwrap()["data"].clone()
    };
    let form = reqwest::multipart::Form::new()
        .text("product_name", format!("Product of {mark}"))
        .text("description", format!("What {mark} sells"));
    let (status, made) =
        answer(world.keyed("practice", "POST", "/api/salesperson/create").multipart(form)).await;
    assert_eq!(status, 201, "{made}");
    let made: Value = serde_json::from_str(&made).unwrap();
    let salesperson = made["data"]["salesperson_id"].clone();
    let url = format!("https://{mark}.example.com");
    let company = post("/api/company/create", &json!({"company_url": url, "auto_fetch": false})).await;
    let company = company["company_id"].clone();
    let path = format!("/api/company/{}/representatives", company.as_str().unwrap());
    let representative = post(&path, &json!({"name": format!("Maria {mark}"), "role": "cfo"})).await;
    let meeting = json!({
        "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-1",
        "representatives": [representative["representative_id"]], "meeting_goal": format!("Win {mark}"),
    });
    let meeting = post("/api/meeting/create", &meeting).await["meeting_id"].clone();
    post(&format!("/api/meeting/{}/start", meeting.as_str().unwrap()), &json!({})).await;
    let message = json!({"meeting_id": meeting, "message": format!("What does {mark} need?")});
    post("/api/conversation/send-message", &message).await;
    let ids = [salesperson, company, representative["representative_id"].clone(), meeting];
    ids.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn collect(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.parse::<Uuid>().is_ok() => drop(ids.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
        Value::Object(fields) => fields.values().for_each(|item| collect(item, ids)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_another_workspace_sees_or_changes_anything_through_any_route_embedded() {
    nothing_is_seen(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_another_workspace_sees_or_changes_anything_through_any_route_on_servers() {
    nothing_is_seen(Kind::Servers).await;
}

async fn nothing_is_seen(kind: Kind) {
    let world = World::start_with(kind, &SETTINGS).await;
    let theirs = world.make_key("everything", "kestrel", &[]).await;
    let operations = operations(&world).await;
    let lists = lists(&world, &operations, &theirs).await;
    let planted = Planted::plant(&world).await;
    let before = as_it_is(&world, &planted).await;
    // Even the counts that the other workspace sees must not change.
    for (now, then) in self::lists(&world, &operations, &theirs).await.iter().zip(&lists) {
        assert_eq!(now, then);
    }
    for operation in &operations {
        shows_its_owner(&world, operation, &planted).await;
        for id in &planted.ids {
            let address = operation.address(id);
            let asked = operation.request(&world, &address, Some(&theirs), &json!({}));
            let (status, body) = answer(asked.header("idempotency-key", "k")).await;
            let what =
                format!("{} {address} with another workspace's key: {status} {body}", operation.method);
            let refused = matches!(status, 403 | 404);
            assert!(refused || !operation.names_something(), "{what}");
            // A refusal and a search may repeat the id that was in the request.
            let told: Vec<_> = planted
                .told_by(&body)
                .filter(|told| !((status >= 400 || operation.looks_for) && id.contains(*told)))
                .collect();
            assert!(told.is_empty(), "{told:?} in {what}");
        }
    }
    for (now, then) in as_it_is(&world, &planted).await.iter().zip(&before) {
        assert_eq!(now, then, "it was changed with another workspace's key");
    }
    the_same_id_is_another_call(&world, &planted).await;
    world.finish().await;
}

/// The answers with `key` of every route that needs a key and has no id in its address.
async fn lists(world: &World, operations: &[Operation], key: &str) -> Vec<(String, Value)> {
    let mut shown = Vec::new();
    for operation in operations {
        if operation.method == "GET" && operation.scope.is_some() && !operation.names_something() {
            let asked = operation.request(world, &operation.address(""), Some(key), &Value::Null);
            let mut body = serde_json::from_str(&answer(asked).await.1).unwrap();
            without_time(&mut body);
            shown.push((operation.path.clone(), body));
        }
    }
    shown
}

fn without_time(answer: &mut Value) {
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("timestamp");
    }
}

/// What the first workspace is shown of its own data.
async fn as_it_is(world: &World, planted: &Planted) -> Vec<Value> {
    let id = &planted.call.id;
    let mut shown = Vec::new();
    for path in [
        format!("/call/{id}"),
        format!("/api/calls/{id}"),
        "/stats".to_owned(),
        "/api/dead-letters".into(),
        "/api/effects".into(),
        "/api/audit".into(),
    ] {
        let mut answer = world.get(&path).await.unwrap();
        without_time(&mut answer);
        shown.push(answer);
    }
    shown
}

/// Checks that the route shows the data to its owner. Otherwise it would prove nothing that others do not see the
/// data.
async fn shows_its_owner(world: &World, operation: &Operation, planted: &Planted) {
    // Exotel brings calls in with GET too, and that shows nothing.
    let only_brings_in = operation.scope.as_deref() == Some("bring_in");
    // A request that asks for no WebSocket is shown nothing.
    let is_socket = operation.path.contains("/ws/");
    if operation.method != "GET"
        || operation.scope.is_none()
        || only_brings_in
        || is_socket
        || COUNTS.contains(&&*operation.path)
    {
        return;
    }
    let mut statuses = Vec::new();
    for id in &planted.ids {
        let asked = operation.request(world, &operation.address(id), Some(API_KEY), &Value::Null);
        let (status, body) = answer(asked).await;
        statuses.push(status);
        // A recording, its waveform and the figures of a meeting hold no word of the planted data.
        let told = planted.told_by(&body).next().is_some()
            || body.starts_with("RIFF")
            || body.contains("\"salesperson_turns\":1")
            || body.starts_with("{\"bucket_ms\"");
        if status == 200 && told {
            return;
        }
    }
    panic!("nothing is planted that {operation:?} shows: {statuses:?}");
}

/// Checks that ids of calls belong to a workspace: another workspace may have a call with the same id.
async fn the_same_id_is_another_call(world: &World, planted: &Planted) {
    let key = world.make_key("zapier", "kestrel", &["bring_in"]).await;
    let reading = world.make_key("reading", "kestrel", &["read"]).await;
    let id = &planted.call.id;
    let webhook = world.request_of("ingest", "POST", &format!("/webhook/zapier?key={key}"));
    let (status, body) = answer(webhook.json(&json!({"call_id": id, "agent_name": "Robin"}))).await;
    assert_eq!(status, 200, "{body}");
    assert!(!body.contains("Duplicate"), "{body}");
    let theirs = world
        .wait("the other workspace's call", async |world| {
            let asked = world.request_of("api", "GET", &format!("/call/{id}")).bearer_auth(&reading);
            let (status, body) = answer(asked).await;
            (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap())
        })
        .await;
    assert_eq!(theirs["status"], "no_recording");
    let ours = world.get(&format!("/call/{id}")).await.unwrap();
    assert_eq!(ours["status"], "completed");
    assert_ne!(ours["id"], theirs["id"]);
    // `/health` needs no key, so it must not count the calls of other workspaces.
    let (ours, health) = (world.get("/stats").await.unwrap(), world.health("api").await);
    assert_eq!((&ours["stats"]["total_processed"], &health["stats"]), (&json!(4), &ours["stats"]));
    let theirs = world.request_of("api", "GET", "/stats").bearer_auth(&reading);
    let theirs: Value = serde_json::from_str(&answer(theirs).await.1).unwrap();
    assert_eq!(theirs["stats"]["total_processed"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_every_route_that_its_scopes_name_and_no_other() {
    let world = World::start_with(Kind::Embedded, &[("DEBRIEF_API_KEY", API_KEY)]).await;
    let all = ["bring_in", "read", "operate", "administer"];
    let mut keys = Vec::new();
    for scope in all {
        let others: Vec<_> = all.into_iter().filter(|other| *other != scope).collect();
        let only = world.make_key(&format!("only-{scope}"), "default", &[scope]).await;
        let without = world.make_key(&format!("without-{scope}"), "default", &others).await;
        keys.push((scope, only, without));
    }
    let unknown = keys[0].1.chars().rev().collect::<String>();
    let unknown = format!("debrief_{}", &unknown[..43]);
    // The request cannot be used, so that nothing is done.
    let body = json!([]);
    for operation in operations(&world).await {
        let address = operation.address("nothing");
        let ask = async |key: Option<&str>| {
            let (status, _) = answer(operation.request(&world, &address, key, &body)).await;
            status
        };
        let Some(scope) = &operation.scope else { continue };
        let (_, only, without) = keys.iter().find(|(known, ..)| known == scope).unwrap();
        assert_eq!(ask(None).await, 401, "{operation:?}");
        for wrong in ["wrong", &unknown] {
            // After many wrong keys from one address, the answer is 429.
            let refused = ask(Some(wrong)).await;
            assert!(matches!(refused, 401 | 429), "{operation:?} {wrong}: {refused}");
        }
        assert_eq!(ask(Some(without)).await, 403, "{operation:?} with all scopes but {scope}");
        let opened = ask(Some(only)).await;
        assert!(!matches!(opened, 401 | 403 | 500..), "{operation:?} with {scope} alone: {opened}");
    }
    world.finish().await;
}
