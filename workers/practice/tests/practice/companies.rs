use std::net::SocketAddr;

use axum::Router;
use axum::response::{Html, Redirect};
use axum::routing::get;
use platform::fetch::Allow;
use serde_json::{Value, json};

use crate::world::{World, reader, text};

/// A web site on this machine.
async fn site(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn acme(robots: &'static str) -> Router {
    Router::new()
        .route("/robots.txt", get(move || async move { robots }))
        .route("/", get(|| async { Html("<title>Acme</title><p>Acme is a logistics company.</p><a href='/about'>About</a><a href='/jobs'>Jobs</a>") }))
        .route("/about", get(|| async { Html("<p>We are headquartered in Porto, Portugal. Our team of 250 is happy.</p>") }))
        .route("/jobs", get(|| async { Html("<p>We have 12 open positions.</p>") }))
}

async fn world_for(address: SocketAddr) -> World {
    World::with(None, Allow::Hosts(vec![address.to_string()]), reader()).await
}

async fn create(world: &World, url: &str) -> Value {
    world.post("/api/company/create", &json!({"company_url": url})).await.data()
}

#[tokio::test]
async fn what_the_pages_say_is_known_with_sentence_and_address_and_the_rest_is_null() {
    let address = site(acme("")).await;
    let world = world_for(address).await;
    let made = create(&world, &format!("http://{address}")).await;
    let data = &made["company_data"];
    assert_eq!(
        (&data["company_size"], &data["headquarters"], &data["open_positions"]),
        (&json!("250"), &json!("Porto, Portugal"), &json!(12))
    );
    assert_eq!(
        (&data["industry"], &data["revenue"], &data["tech_stack"]),
        (&json!("Logistics"), &Value::Null, &json!([]))
    );
    assert_eq!(data["sources"]["headquarters"]["url"], format!("http://{address}/about"));
    assert!(data["sources"].get("revenue").is_none());
    assert_eq!(made["note"], Value::Null);
    let view = world.get(&format!("/api/company/{}", text(&made["company_id"]))).await.data();
    assert_eq!(&view["company_data"], data);
    assert!(view["fetched_at"].is_string());
}

#[tokio::test]
async fn what_robots_txt_forbids_is_left_alone() {
    let address = site(acme("User-agent: *\nDisallow: /jobs")).await;
    let world = world_for(address).await;
    let made = create(&world, &format!("http://{address}/")).await;
    assert_eq!(made["company_data"]["open_positions"], Value::Null);
    assert_eq!(made["company_data"]["company_size"], "250");
    let address = site(acme("User-agent: *\nDisallow: /")).await;
    let world = world_for(address).await;
    let made = create(&world, &format!("http://{address}/")).await;
    assert!(made["note"].as_str().unwrap().contains("robots.txt"), "{made}");
    assert_eq!(made["company_data"]["company_size"], Value::Null);
}

#[tokio::test]
async fn an_address_of_our_own_network_is_refused_also_after_a_redirect() {
    let world = World::new().await;
    for url in [
        "http://127.0.0.1/",
        "http://localhost:8000/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://10.0.0.1",
        "file:///etc/passwd",
        "ftp://a.example",
        "http://user:pass@a.example",
        "",
        "http://",
    ] {
        let problem = world.post("/api/company/create", &json!({"company_url": url})).await.is_problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/company_url", "{url}");
    }
    let elsewhere = Router::new()
        .route("/robots.txt", get(|| async { "" }))
        .route("/", get(|| async { Redirect::temporary("http://169.254.169.254/latest/meta-data/") }));
    let address = site(elsewhere).await;
    let world = world_for(address).await;
    let problem = world
        .post("/api/company/create", &json!({"company_url": format!("http://{address}/")}))
        .await
        .is_problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/company_url");
}

#[tokio::test]
async fn a_site_that_is_down_gives_a_company_without_data_and_a_refresh_tries_again() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = world_for(free).await;
    let made = create(&world, &format!("http://{free}/")).await;
    assert!(made["note"].is_string() && made["company_data"]["industry"].is_null(), "{made}");
    let listener = tokio::net::TcpListener::bind(free).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, acme("")).await });
    let path = format!("/api/company/{}/refresh-data", text(&made["company_id"]));
    let again = world.post(&path, &json!({})).await.data();
    assert_eq!((&again["company_data"]["industry"], &again["note"]), (&json!("Logistics"), &Value::Null));
}
