use serde_json::json;

use crate::world::World;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

#[tokio::test]
async fn a_browser_gets_a_page_that_says_what_runs_here_and_where_to_look() {
    let world = World::new().await;
    let page = world.get_with("/", &[("accept", BROWSER), ("host", "localhost:8123")]).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let html = page.text();
    for said in [
        env!("CARGO_PKG_VERSION"),
        "<td>healthy</td>",
        "<td>api ingest</td>",
        "<td>embedded: ",
        "<tr><th>transcription</th><td class=\"on\">on</td></tr>",
        "<tr><th>slack</th><td class=\"off\">off</td></tr>",
        "href=\"/docs\"",
        "href=\"/health\"",
        "href=\"/metrics\"",
        "href=\"/api/calls/history\"",
        "debrief calls list",
        "http://localhost:8123/webhook/zapier",
    ] {
        assert!(html.contains(said), "{said} is missing: {html}");
    }
}

#[tokio::test]
async fn the_page_takes_nothing_from_elsewhere_and_runs_nothing() {
    let world = World::new().await;
    let page = world.get_with("/", &[("accept", BROWSER)]).await;
    let html = page.text();
    for foreign in ["<script", "<link", "<img", "src=", "@import", "url(", "https://", "onload"] {
        assert!(!html.contains(foreign), "{foreign}: {html}");
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
}

#[tokio::test]
async fn a_program_gets_json() {
    let world = World::new().await;
    let wanted = json!({
        "service": "debrief", "version": env!("CARGO_PKG_VERSION"), "status": "running", "documentation": "/docs",
    });
    for accept in ["*/*", "application/json", "application/json, text/html;q=0.1"] {
        let answer = world.get_with("/", &[("accept", accept)]).await;
        assert_eq!(answer.json(), wanted, "{accept}");
        assert_eq!(answer.headers["vary"], "accept");
    }
    assert_eq!(world.json("/").await, wanted);
}

#[tokio::test]
async fn without_the_key_it_says_nothing_that_health_does_not_say() {
    let settings = [
        ("DEBRIEF_API_KEY", "secret-key"),
        ("SUPPORT_NUMBER", "+442079460100"),
        ("DEBRIEF_PUBLIC_URL", "https://calls.example.com"),
    ];
    let world = World::with(&settings, |broker| broker).await;
    world.completed("CALL-1").await;
    let page = world.get_with("/", &[("accept", BROWSER)]).await;
    assert_eq!(page.status, 200);
    for private in ["secret-key", "442079460100", "calls.example.com", "CALL-1", "Dana"] {
        assert!(!page.text().contains(private), "{private}");
    }
    let health = world.json("/health").await;
    assert_eq!(health["roles"], json!(["api", "ingest"]));
    assert_eq!(health["deployment"], "embedded");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_page_on_a_machine_that_is_not_well_says_so() {
    let world = World::new().await;
    world.store.close().await;
    let page = world.get_with("/", &[("accept", BROWSER)]).await;
    assert!(page.text().contains("<td>degraded</td>") && page.text().contains("<td>unreachable</td>"));
}
