//! A practice meeting from the materials of a product to the judged call: every route that a trainee's program uses, in
//! the order in which it uses them, with the fields that such a program sends and reads.

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::world::{Kind, World};

/// The pages of a company.
async fn site() -> String {
    let first = "<html><head><title>Quarrystone</title><meta name=\"description\" content=\"Quarrystone makes precision \
        stone cutting equipment for industrial production lines. We maintain what we sell.\"></head><body><nav><a \
        href=\"/about-us\">About</a> <a href=\"/careers\">Careers</a></nav><address>44 Granite Way, Boise, Idaho\
        </address><section class=\"news-list\"><h3>New plant opens</h3><h3>Quarrystone wins safety award</h3></section>\
        <script src=\"/js/react.production.min.js\"></script></body></html>";
    let about = "<html><body><p>Founded in 1998. Today 640 employees and $85M revenue.</p></body></html>";
    let careers = "<html><body><ul><li class=\"job-item\">Welder</li><li class=\"job-item\">Controller</li></ul>\
        <p>2 open positions</p></body></html>";
    let router = Router::new()
        .route("/", get(async move || Html(first)))
        .route("/about-us", get(async move || Html(about)))
        .route("/careers", get(async move || Html(careers)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// The `data` of an answer with this status.
async fn data(request: reqwest::RequestBuilder, status: u16) -> Value {
    let answer = request.send().await.unwrap();
    let (was, text) = (answer.status(), answer.text().await.unwrap());
    assert_eq!(was, status, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["success"], true, "{answer}");
    assert!(answer["timestamp"].is_string(), "{answer}");
    answer["data"].clone()
}

async fn post(world: &World, path: &str, body: &Value, status: u16) -> Value {
    data(world.keyed("practice", "POST", path).json(body), status).await
}

async fn read(world: &World, path: &str) -> Value {
    data(world.keyed("practice", "GET", path), 200).await
}

fn id<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("`{name}` is missing: {of}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_goes_from_its_materials_to_the_judged_call_embedded() {
    goes_from_its_materials_to_the_judged_call(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_meeting_goes_from_its_materials_to_the_judged_call_on_servers() {
    goes_from_its_materials_to_the_judged_call(Kind::Servers).await;
}

async fn goes_from_its_materials_to_the_judged_call(kind: Kind) {
    let url = site().await;
    let world = World::start_with(kind, &[("DEBRIEF_ALLOW_PRIVATE_FETCH", "true")]).await;
    let (salesperson, company) = (salesperson(&world).await, company(&world, &url).await);
    let [pat, ines] = representatives(&world, &company).await;
    let body = json!({
        "salesperson_id": salesperson, "company_id": company, "meeting_mode": "1-on-2", "representatives": [pat, ines],
        "meeting_goal": "Close a $50k deal", "personality": "nice", "duration_minutes": 30, "difficulty": "intermediate",
    });
    let made = post(&world, "/api/meeting/create", &body, 201).await;
    assert_eq!(made["status"], "pending");
    assert_eq!(made["top_5_questions"].as_array().unwrap().len(), 5, "{made}");
    let meeting = id(&made, "meeting_id").to_owned();
    let started = post(&world, &format!("/api/meeting/{meeting}/start"), &json!({}), 200).await;
    assert_eq!(started["status"], "active");

    for (number, (says, who)) in
        [("Hi, I wanted to discuss our new product", None), ("Ines, what would your budget be?", Some(&ines))]
            .into_iter()
            .enumerate()
    {
        let message =
            json!({"meeting_id": meeting, "speaker": "salesperson", "message": says, "audio_data": null});
        let answer = post(&world, "/api/conversation/send-message", &message, 200).await;
        let said = &answer["ai_response"];
        if let Some(who) = who {
            assert_eq!(said["speaker_id"], who.as_str(), "{answer}");
        }
        assert!(matches!(id(said, "speaker_name"), "Pat Moreno" | "Ines Falk"));
        assert!(matches!(id(said, "speaker_role"), "ceo" | "cfo"));
        assert!(!id(said, "response_text").is_empty());
        assert!(said["duration_seconds"].as_f64().unwrap() > 0.0, "{answer}");
        assert!(said.get("audio_url").is_some(), "the field is there also where nobody has a voice");
        assert!(answer["turn_number"].as_i64().unwrap() >= 2 * (i64::try_from(number).unwrap() + 1));
        assert!(!id(&answer, "reasoning").is_empty());
    }

    let history = read(&world, &format!("/api/conversation/{meeting}/history")).await;
    let turns = history["turns"].as_array().unwrap();
    assert_eq!(history["total_turns"], turns.len());
    assert!(history["salesperson_talk_time"].is_number() && history["representatives_talk_time"].is_number());
    let ended = post(&world, &format!("/api/meeting/{meeting}/end"), &json!({}), 200).await;
    assert!(ended["duration_seconds"].is_number(), "{ended}");
    let analytics = read(&world, &format!("/api/conversation/{meeting}/analytics")).await;
    assert_eq!(
        (&analytics["total_turns"], &analytics["salesperson_turns"]),
        (&json!(turns.len()), &json!(2))
    );
    assert!(analytics["questions_asked"].as_i64().unwrap() >= 1, "{analytics}");

    // The meeting is a call like any other: the pipeline takes it, and it has the words of the meeting.
    let path = format!("/api/calls/{}", id(&ended, "call_id"));
    world
        .wait("the call of the meeting", async |world| {
            world.get(&path).await.filter(|call| call["status"] == "completed")
        })
        .await;
    let transcript = world.get(&format!("{path}/transcript")).await.unwrap();
    let words = transcript["segments"].to_string();
    assert!(words.contains("Hi, I wanted to discuss our new product"), "{words}");
    let listed = read(&world, &format!("/api/meeting/salesperson/{salesperson}/meetings")).await;
    assert_eq!((&listed["total"], &listed["meetings"][0]["id"]), (&json!(1), &json!(meeting)));
    world.finish().await;
}

/// Makes a salesperson with a file that can be kept and one that cannot, and returns the id.
async fn salesperson(world: &World) -> String {
    let deck = Part::bytes(b"GIF89a-a-picture".to_vec()).file_name("screens.gif");
    let program = Part::bytes(b"\x7fELF\x02\x01\x01\0a program".to_vec()).file_name("ledgerline_deck.pdf");
    let form = Form::new()
        .text("product_name", "Ledgerline")
        .text("description", "Invoice approval that reads supplier e-mails and drafts bookings.")
        .text("product_url", "https://ledgerline.example.com")
        .part("materials", deck)
        .part("materials", program);
    let made = data(world.keyed("practice", "POST", "/api/salesperson/create").multipart(form), 201).await;
    assert_eq!(
        (&made["product_name"], &made["materials_uploaded"]),
        (&json!("Ledgerline"), &json!(1)),
        "{made}"
    );
    assert_eq!(made["materials"][0]["file_name"], "screens.gif", "{made}");
    let salesperson = id(&made, "salesperson_id").to_owned();
    let read = read(world, &format!("/api/salesperson/{salesperson}")).await;
    assert_eq!(read["product_name"], "Ledgerline", "{read}");
    salesperson
}

/// Makes a company from its pages, and returns the id.
async fn company(world: &World, url: &str) -> String {
    let body = json!({"company_url": url, "auto_fetch": true});
    let made = post(world, "/api/company/create", &body, 201).await;
    let known = &made["company_data"];
    assert_eq!(
        (&known["company_size"], &known["revenue"], &known["open_positions"]),
        (&json!("640"), &json!("$85M"), &json!(2)),
        "{made}"
    );
    assert_eq!(known["headquarters"], "44 Granite Way, Boise, Idaho", "{made}");
    assert_eq!(known["industry"], "Manufacturing", "{made}");
    assert_eq!(known["tech_stack"], json!(["React"]), "{made}");
    assert_eq!(known["latest_news"], json!(["New plant opens", "Quarrystone wins safety award"]), "{made}");
    id(&made, "company_id").to_owned()
}

async fn representatives(world: &World, company: &str) -> [String; 2] {
    let path = format!("/api/company/{company}/representatives");
    let pat = json!({
        "name": "Pat Moreno", "role": "ceo", "tenure_months": 96, "personality_traits": ["arrogant", "analytical"],
        "is_decision_maker": true, "linkedin_profile": "https://profiles.example.com/pat-moreno",
        "notes": "Interrupts. Wants one number, not a feature list.", "voice_id": "voice_1",
    });
    let ines = json!({
        "name": "Ines Falk", "role": "cfo", "tenure_months": 30, "personality_traits": ["cold_hearted"],
        "is_decision_maker": false, "notes": "Payback under 12 months or no.", "voice_id": "voice_2",
    });
    let made = [post(world, &path, &pat, 201).await, post(world, &path, &ines, 201).await];
    let listed = read(world, &path).await.to_string();
    assert!(listed.contains("Pat Moreno") && listed.contains("Ines Falk"), "{listed}");
    made.map(|made| id(&made, "representative_id").to_owned())
}
