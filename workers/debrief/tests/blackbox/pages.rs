//! The pages of live calls and of practice, as a browser without scripts uses them. On servers the console is a process that
//! has no other role.

use reqwest::multipart::{Form, Part};
use reqwest::{RequestBuilder, Response, StatusCode};

use crate::inputs::{PhoneCall, word};
use crate::live::{self, Hears};
use crate::world::{Kind, World};

/// What a browser keeps: its cookie, and the text that our forms hold.
struct Browser {
    cookie: String,
    csrf: String,
}

impl Browser {
    async fn open(world: &World) -> Self {
        let page = world.keyed("console", "GET", "/live").header("accept", "text/html").send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let text = page.text().await.unwrap();
        let (_, csrf) = text.split_once("name=\"csrf\" content=\"").unwrap();
        Self { cookie, csrf: csrf.split('"').next().unwrap().to_owned() }
    }

    fn as_ours(&self, request: RequestBuilder) -> RequestBuilder {
        request
            .header("cookie", &self.cookie)
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin")
    }

    /// Sends a form. Returns where the browser is sent to.
    async fn submit(&self, world: &World, path: &str, fields: &[(&str, &str)]) -> String {
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", &*self.csrf)]).collect();
        let request = self.as_ours(world.keyed("console", "POST", path)).form(&fields);
        leads_to(request.send().await.unwrap()).await
    }

    async fn page(&self, world: &World, path: &str) -> String {
        let page = self.as_ours(world.keyed("console", "GET", path)).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        page.text().await.unwrap()
    }
}

async fn leads_to(answer: Response) -> String {
    let (status, headers) = (answer.status(), answer.headers().clone());
    assert_eq!(status, StatusCode::SEE_OTHER, "{}", answer.text().await.unwrap());
    headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_spoken_and_a_meeting_is_held_in_the_console_embedded() {
    is_used(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_spoken_and_a_meeting_is_held_in_the_console_on_servers() {
    is_used(Kind::Servers).await;
}

async fn is_used(kind: Kind) {
    let hears = Hears::start("I want to cancel. When is the refund on my account?").await;
    let mut world = live::world(kind, &hears).await;
    world.start_more("console").await;
    let browser = Browser::open(&world).await;
    speaks(&world, &browser).await;
    practises(&world, &browser).await;
    world.finish().await;
}

async fn speaks(world: &World, browser: &Browser) {
    let session = format!("session-{}", word());
    let fields = [("session_id", &*session), ("agent_name", "Dana Ortiz")];
    let path = browser.submit(world, "/live", &fields).await;
    assert_eq!(path, format!("/live/{session}"));
    let piece = Part::bytes(World::spoken(&PhoneCall::new())).file_name("piece.wav");
    let form = Form::new()
        .text("csrf", browser.csrf.clone())
        .text("once", word())
        .text("speaker", "customer")
        .part("audio_file", piece);
    let request = browser.as_ours(world.keyed("console", "POST", &format!("{path}/audio"))).multipart(form);
    assert_eq!(leads_to(request.send().await.unwrap()).await, path);
    let help = world
        .wait("the words and the help", async |world| {
            let page = browser.page(world, &path).await;
            page.contains("data-state=\"high\"").then_some(page)
        })
        .await;
    assert!(help.contains("I want to cancel.") && help.contains(">Customer<"), "{help}");
    browser.submit(world, &format!("{path}/end"), &[]).await;
    live::finished(world, &session).await;
    assert!(browser.page(world, &path).await.contains("data-state=\"completed\""));
}

async fn practises(world: &World, browser: &Browser) {
    let path = browser.submit(world, "/practice/first", &[]).await;
    let said = [("message", "Maria, what slows your month-end down?"), ("once", "first")];
    for _ in 0..2 {
        let turn = browser.submit(world, &format!("{path}/messages"), &said).await;
        assert_eq!(turn, format!("{path}#t1"), "a form that is sent twice is one turn");
    }
    let page = browser.page(world, &path).await;
    assert!(page.contains("id=\"t2\"") && page.contains("Maria Garcia"), "{page}");
    browser.submit(world, &format!("{path}/end"), &[]).await;
    let ended = browser.page(world, &path).await;
    assert!(ended.contains("What it was worth:") && ended.contains("href=\"#t1\""), "{ended}");
}
