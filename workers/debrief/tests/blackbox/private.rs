//! Tests what people who operate the system must not see. Names, addresses, numbers, words and keys of people stand
//! in the store and at the providers, and nowhere else.
//!
//! Every input is marked with words that are made at random. Then the tests search for these marks in everything that
//! the system writes: the logs, the metrics and the traces of each process, and the lists and error texts of the
//! commands and of the API.

use axum::body::Bytes;
use queue_topology::broker::{Amqp, Broker, Embedded, Lane, Message, Route};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::collector::Collector;
use crate::inputs::{Meeting, PhoneCall, word};
use crate::world::{Kind, World};

const DEBUG: &str = "info,debrief=debug,api=debug,ingest=debug,dedup=debug,transcription=debug,analysis=debug,\
     crm=debug,slack=debug,domain=debug,media=debug,platform=debug,providers=debug,store=debug,web=debug,\
     queue_topology=debug,sqlx=warn,lapin=off,hyper=warn,h2=warn";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_logged_counted_traced_or_listed_embedded() {
    nothing_is_told(Kind::Embedded, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_logged_counted_traced_or_listed_on_servers() {
    nothing_is_told(Kind::Servers, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_told_where_our_own_debug_lines_are_on() {
    nothing_is_told(Kind::Embedded, &[("RUST_LOG", DEBUG)]).await;
}

/// The marks in the inputs: each is a random word or number by which the input is found again.
struct Marks {
    name: String,
    email: String,
    phone: String,
    words: String,
    token: String,
    key: String,
    file: String,
}

impl Marks {
    fn new() -> Self {
        Self {
            name: capital(&word()),
            email: word(),
            phone: format!("4930{}", rand::random_range(10_000_000..100_000_000_u32)),
            words: word(),
            token: format!("tok{}", word()),
            key: format!("key{}", word()),
            file: word(),
        }
    }

    fn each(&self) -> [(&'static str, &str); 7] {
        [
            ("a name", &self.name),
            ("an e-mail address", &self.email),
            ("a telephone number", &self.phone),
            ("words of a call", &self.words),
            ("a URL's query", &self.token),
            ("a key of ours", &self.key),
            ("a file's name", &self.file),
        ]
    }

    /// An error text of a provider that repeats what the provider was sent.
    fn quote(&self) -> String {
        let Self { name, email, phone, words, token, key, file } = self;
        format!(
            "cannot take {name} Weiss <{email}@{words}.example.com>, +{phone}, who said \"{words}\", \
             from https://recordings.example.com/{file}.wav?token={token} with {key}; {name} {words} {token} {file}"
        )
    }

    fn phone_call(&self) -> PhoneCall {
        let Self { name, email, phone, words, .. } = self;
        PhoneCall {
            customer: format!("+{phone}"),
            agent: format!("{name} Weiss"),
            request: format!("I am {name} Weiss, {email}@example.com, plus {phone}, and {words} is broken."),
            ..PhoneCall::new()
        }
    }

    fn webhook(&self, call: &PhoneCall, recording: &str) -> Value {
        let mut body = call.webhook(Some(&format!("{recording}?token={}", self.token)));
        for (field, value) in [
            ("agent_phone", format!("+{}", self.phone)),
            ("agent_slack_handle", format!("@{}", self.email)),
            ("customer_segment", self.words.clone()),
            ("notes", self.quote()),
        ] {
            body[field] = value.into();
        }
        body
    }

    fn meeting(&self) -> Meeting {
        // A known contact is not written again, so each meeting has other people.
        let person = |first: &str| {
            let email = format!("{}.{}@{}.example.com", self.email, word(), self.words);
            (format!("{first} {}", self.name), email)
        };
        Meeting { customers: [person("Amara"), person("Bruno")], ..Meeting::new() }
    }

    fn session(&self) -> Value {
        let say = |role: &str, text: String| json!({"type": "message", "role": role, "content": [text]});
        json!({
            "transcript": {
                "session_id": format!("session_{}", word()),
                "start_time": "2026-03-05T14:15:00Z",
                "end_time": "2026-03-05T14:17:10Z",
                "items": [
                    say("assistant", "Hello, how can I help?".into()),
                    say("user", self.phone_call().request),
                ],
            },
            "lead": {"name": format!("{} Weiss", self.name), "email": format!("{}@example.com", self.email)},
            "caller_phone": format!("+{}", self.phone),
        })
    }

    /// Messages that no stage can decode.
    fn unreadable(&self) -> Vec<String> {
        let quote = self.quote();
        let event = |change: &dyn Fn(&mut Value)| {
            let mut event = json!({
                "specversion": "1.0", "id": Uuid::new_v4(), "source": "/debrief", "type": "call.analyzed.v1",
                "subject": Uuid::new_v4(), "time": "2026-01-01T00:00:00Z", "datacontenttype": "application/json",
                "workspace": Uuid::new_v4(), "generation": 1, "data": {},
            });
            change(&mut event);
            event.to_string()
        };
        vec![
            quote.clone(),
            event(&|event| event["type"] = quote.clone().into()),
            event(&|event| event["type"] = self.words.clone().into()),
            event(&|event| event["specversion"] = self.name.clone().into()),
            event(&|event| event["subject"] = quote.clone().into()),
            event(&|event| event["data"] = quote.clone().into()),
        ]
    }
}

fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// Searches the texts that the system writes for the marks, and collects what it finds.
struct Looked<'a> {
    marks: &'a Marks,
    told: Vec<String>,
}

impl Looked<'_> {
    fn at(&mut self, place: &str, text: &str) {
        for line in text.lines() {
            let lower = line.to_lowercase();
            for (what, mark) in self.marks.each() {
                if lower.contains(&mark.to_lowercase()) {
                    let line: String = line.chars().take(400).collect();
                    self.told.push(format!("{what} (`{mark}`) in {place}: {line}"));
                }
            }
        }
    }
}

async fn nothing_is_told(kind: Kind, extra: &[(&str, &str)]) {
    let (marks, collector) = (Marks::new(), Collector::start().await);
    let mut settings = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address.as_str()),
        ("DEBRIEF_MAX_ATTEMPTS", "2"),
        ("ASSEMBLYAI_API_KEY", &marks.key),
        ("OPENAI_API_KEY", &marks.key),
        ("SALESFORCE_CONSUMER_SECRET", &marks.key),
    ];
    settings.extend(extra);
    let mut world = World::start_with(kind, &settings).await;
    all_goes_well(&world, &marks).await;
    requests_are_refused(&world, &marks).await;
    providers_quote(&world, &marks).await;
    let unreadable = marks.unreadable();
    publish(&mut world, &unreadable).await;
    world
        .wait("the unreadable messages to be listed", async |world| {
            let dead = world.get("/api/dead-letters?limit=1000").await?;
            let items = dead["items"].as_array()?;
            let count = items.iter().filter(|item| item["code"] == "undecodable").count();
            (count == unreadable.len()).then_some(())
        })
        .await;

    let mut looked = Looked { marks: &marks, told: Vec::new() };
    commands_and_api(&world, &mut looked).await;
    for role in world.roles() {
        let metrics = world.text(&role, "/metrics").await;
        assert!(
            metrics.contains("debrief_stage_runs") || ["ingest", "api", "practice"].contains(&&*role),
            "{role}: {metrics}"
        );
        looked.at(&format!("the metrics of {role}"), &metrics);
    }
    for role in world.roles() {
        assert_eq!(world.stop_role(&role).await, Some(0), "{role}");
        let log = world.said(&role);
        assert!(log.contains("running"), "{role} logged nothing");
        looked.at(&format!("the log of {role}"), &log);
    }
    let exported = collector.text();
    for span in ["transcription", "/webhook/zapier", "model_rejected"] {
        assert!(exported.contains(span), "`{span}` was not traced");
    }
    looked.at("the traces", &exported);
    looked.told.sort();
    looked.told.dedup();
    assert!(looked.told.is_empty(), "{} leaks:\n{}", looked.told.len(), looked.told.join("\n"));
    world.finish().await;
}

/// Sends each kind of input once, and checks that the marks arrive where they belong. Otherwise the search could not
/// find anything.
async fn all_goes_well(world: &World, marks: &Marks) {
    let call = marks.phone_call();
    let recording = world.record(&call).await;
    let sent = world
        .request("POST", &format!("/webhook/zapier?key={}", marks.key))
        .bearer_auth(&marks.key)
        .json(&marks.webhook(&call, &recording));
    assert_eq!(sent.send().await.unwrap().status(), 200);
    let seen = world.completed(&call.id).await;
    for (what, mark) in [("name", &marks.name), ("number", &marks.phone), ("words", &marks.words)] {
        assert!(seen.to_string().contains(mark.as_str()), "the {what} is not in {seen}");
        assert!(!world.slack_posts(mark).await.is_empty(), "the {what} is not in Slack");
    }
    let meeting = world.meeting(&marks.meeting()).await;
    let metadata = json!({"call_id": word(), "agent_name": marks.name, "from_number": marks.phone});
    let audio = Part::bytes(World::spoken(&marks.phone_call())).file_name(format!("{}.wav", marks.file));
    let form = Form::new().part("audio", audio).text("metadata", metadata.to_string());
    let upload = accepted(world.request("POST", "/api/calls").multipart(form)).await;
    let session = accepted(world.request("POST", "/api/sessions").json(&marks.session())).await;
    for id in [meeting, upload, session] {
        ends(world, &id, "completed").await;
    }
    let contacts = json!(world.contacts().await).to_string();
    assert!(contacts.contains(&marks.email) && contacts.contains(&marks.name), "{contacts}");
}

async fn accepted(request: reqwest::RequestBuilder) -> String {
    let answer = request.send().await.unwrap();
    let (status, body) = (answer.status(), answer.json::<Value>().await.unwrap());
    assert_eq!(status, 202, "{body}");
    body["call_id"].as_str().unwrap().to_owned()
}

/// Waits until the call with our id `id` has this status.
async fn ends(world: &World, id: &str, status: &str) {
    let path = format!("/api/calls/{id}");
    world
        .wait(&format!("call {id} to be {status}"), async |world| {
            world.get(&path).await.filter(|call| call["status"] == status)
        })
        .await;
}

/// Sends requests that are refused. Only their sender may read what was wrong with them.
async fn requests_are_refused(world: &World, marks: &Marks) {
    let quote = marks.quote();
    for body in [quote.clone(), json!({"call_id": "", "from_number": quote}).to_string()] {
        let request = world.request("POST", "/webhook/zapier").header("content-type", "application/json");
        assert_eq!(request.body(body).send().await.unwrap().status(), 422);
    }
    let refused = json!({"transcript": {"items": quote}, "lead": quote});
    let answer = world.request("POST", "/api/sessions").json(&refused).send().await.unwrap();
    assert!(answer.status().is_client_error());
    for path in
        [format!("/call/{}", marks.phone), format!("/api/calls/history?agent={0}&page={0}", marks.name)]
    {
        assert_eq!(world.get(&path).await, None);
    }
}

/// Makes every provider refuse in every way that it has, and repeat what it was sent.
async fn providers_quote(world: &World, marks: &Marks) {
    let quote = marks.quote();
    let json_error = json!({"error": quote, "message": quote}).to_string();
    let openai =
        json!({"error": {"message": quote, "type": quote, "param": quote, "code": quote}}).to_string();
    let reply = |content: &str| {
        let message = json!({"role": "assistant", "content": content});
        json!({"choices": [{"message": message, "finish_reason": "stop"}]}).to_string()
    };
    let job =
        |why: &str| json!({"id": "j", "status": "error", "error": format!("{why} {quote}")}).to_string();
    let refused = |status: u16, body: &str| json!({"status": status, "body": body});
    let at = |path: &str, status: u16, body: &str| json!({"path": path, "status": status, "body": body});
    for (provider, fault, status) in [
        ("recordings", refused(410, &quote), "failed"),
        ("recordings", refused(404, &quote), "failed"),
        ("assemblyai", at("/v2/upload", 422, &json_error), "failed"),
        ("assemblyai", at("/v2/transcript", 400, &quote), "failed"),
        ("assemblyai", at("/v2/transcript", 500, &quote), "failed"),
        ("assemblyai", at("/v2/transcript/", 200, &job("Transcoding failed.")), "failed"),
        ("assemblyai", at("/v2/transcript/", 200, &job("")), "failed"),
        ("assemblyai", at("/v2/transcript/", 200, &quote), "failed"),
        ("openai", refused(400, &openai), "failed"),
        ("openai", refused(500, &quote), "failed"),
        ("openai", refused(200, &quote), "failed"),
        ("openai", refused(200, &reply(&quote)), "failed"),
        ("openai", refused(200, &reply(&json!({"summary": 1, &quote: quote}).to_string())), "failed"),
        ("openai", json!({"model": "schema_break"}), "failed"),
        ("slack", refused(400, &quote), "failed"),
        ("slack", refused(400, &json!({"ok": false, "error": quote}).to_string()), "failed"),
        ("call_data", refused(422, &json_error), "failed"),
        // These calls wait until a person mends something or decides about an effect.
        ("openai", refused(401, &openai), "waiting"),
        ("assemblyai", at("/v2/upload", 401, &json_error), "waiting"),
        ("slack", refused(403, &quote), "waiting"),
    ] {
        world.faults(provider, &json!({"always": fault})).await;
        let call = marks.phone_call();
        let recording = world.record(&call).await;
        let sent = world.post("/webhook/zapier", &marks.webhook(&call, &recording)).await.unwrap();
        assert_eq!(sent.status(), 200);
        world.status(&call.id, status).await;
        world.faults(provider, &json!({})).await;
    }
    let errors =
        |code: &str| json!([{"errorCode": code, "message": quote, "fields": [marks.name]}]).to_string();
    for fault in [
        at("Contact", 400, &errors("INVALID_EMAIL_ADDRESS")),
        at("Contact", 400, &errors("DUPLICATES_DETECTED")),
        at("Contact", 400, &errors(&quote)),
        at("/query", 400, &errors("MALFORMED_QUERY")),
        at("/query", 400, &quote),
    ] {
        world.faults("salesforce", &json!({"always": fault})).await;
        let id = world.meeting(&marks.meeting()).await;
        ends(world, &id, "failed").await;
        world.faults("salesforce", &json!({})).await;
    }
}

/// Puts messages onto a queue that no stage of the program would put there.
async fn publish(world: &mut World, bodies: &[String]) {
    let embedded = world.setting("AMQP_URL").is_none();
    let broker: Box<dyn Broker> = if embedded {
        // The file of the embedded queue belongs to the process that runs it.
        world.stop_role("all").await;
        Box::new(Embedded::open(&world.data().join("queue.db")).await.unwrap())
    } else {
        let address = world.setting("AMQP_URL").unwrap().into();
        Box::new(Amqp::start(&address, world.setting("DEBRIEF_QUEUE_PREFIX").unwrap()).unwrap())
    };
    broker.declare().await.unwrap();
    for body in bodies {
        let message = Message {
            route: Route::Stage { stage: "slack" },
            lane: Lane::Live,
            id: Uuid::new_v4(),
            body: Bytes::from(body.clone()),
        };
        broker.publish(message).await.unwrap();
    }
    broker.close().await;
    drop(broker);
    if embedded {
        world.start_role("all").await;
    }
}

/// Searches the lists and the error texts. The event of a dead letter, which is shown on request, and the calls of
/// the API are left out: they are for people who may see them.
async fn commands_and_api(world: &World, looked: &mut Looked<'_>) {
    let dead = world.get("/api/dead-letters?limit=1000").await.unwrap();
    looked.at("GET /api/dead-letters", &dead.to_string());
    let ids: Vec<_> = dead["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
    assert!(ids.len() > 20, "{dead}");
    for id in ids {
        let (code, said) = world.command(&["dead", "show", id.as_str().unwrap()], &[]).await;
        assert_eq!(code, Some(0), "{said}");
        let mut shown: Value = serde_json::from_str(&said).unwrap();
        shown["body"].take();
        looked.at("debrief dead show", &shown.to_string());
    }
    for args in [
        &["dead", "list"][..],
        &["dead", "list", "--json"],
        &["queues", "--json"],
        &["effects", "list"],
        &["effects", "list", "--filter", "state=confirmed"],
        &["effects", "resolve", "--resend", "--filter", "target=slack"],
        &["dead", "replay", "--stage", "crm"],
        &["audit", "list"],
        &["audit", "list", "--json"],
    ] {
        let (code, said) = world.command(args, &[]).await;
        assert_eq!(code, Some(0), "{args:?}: {said}");
        looked.at(&format!("debrief {}", args.join(" ")), &said);
    }
    let (code, said) = world.command(&["audit", "list", "--json"], &[]).await;
    let audit: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &audit["total"]), (Some(0), &json!(2)), "{said}");
    assert!(audit["items"][0]["actor"].as_str().unwrap().starts_with("cli:"), "{said}");
    looked.at("GET /api/audit", &world.get("/api/audit").await.unwrap().to_string());
}
