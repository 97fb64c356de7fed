//! Sample calls, which show an empty console what its pages look like.

use axum::http::StatusCode;
use domain::account::Role;
use domain::call::CallDetails;

use crate::world::{WORKSPACE, World};

const LOAD: &str = "action=\"/samples/load\"";
const REMOVE: &str = "action=\"/samples/remove\"";

#[tokio::test]
async fn an_empty_console_offers_sample_calls_shows_them_and_removes_only_them() {
    let world = World::with_key().await;
    world.account("max@x.com", Role::Manager).await;
    let mut max = world.signed_in("max@x.com").await;
    for path in ["/", "/upload"] {
        let page = max.get(path).await.text;
        assert!(page.contains(LOAD) && !page.contains(REMOVE), "{path}");
    }
    assert_eq!(max.post("/samples/load", &[]).await.leads_to(), "/calls");
    let calls = world.store.samples(WORKSPACE).await.unwrap();
    assert_eq!(calls.len(), 2);
    let list = max.get("/calls").await.text;
    assert!(calls.iter().all(|call| list.contains(&call.to_string())));
    let call = max.get(&format!("/calls/{}", calls[0])).await;
    assert!(call.text.contains("A sample."), "{}", call.text);
    assert!(max.get("/search?q=sample").await.text.contains(&calls[0].to_string()));
    let real = world.arrived("a", CallDetails::default()).await;
    for path in ["/", "/upload"] {
        let page = max.get(path).await.text;
        assert!(page.contains(REMOVE) && !page.contains(LOAD), "{path}");
    }
    assert_eq!(max.post("/samples/load", &[]).await.status, StatusCode::CONFLICT);
    assert_eq!(max.post("/samples/remove", &[]).await.leads_to(), "/upload");
    let list = max.get("/calls").await.text;
    assert!(list.contains(&real.to_string()) && !list.contains(&calls[0].to_string()));
    assert_eq!(max.get(&format!("/calls/{}", calls[0])).await.status, StatusCode::NOT_FOUND);
    let page = max.get("/upload").await.text;
    assert!(!page.contains(LOAD) && !page.contains(REMOVE), "there are real calls only");
    let audit = max.get("/audit").await.text;
    assert!(audit.contains("samples_load</td>") && audit.contains("samples_remove</td>"));
}

#[tokio::test]
async fn a_sample_call_is_not_done_again_and_a_correction_of_it_reaches_no_other_system() {
    let world = World::new().await;
    world.submit("/calls", "/samples/load", &[]).await.leads_to();
    let call = world.store.samples(WORKSPACE).await.unwrap()[0];
    let again = world.submit("/calls", &format!("/calls/{call}/replay"), &[("from", "analysis")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let page = world.page(&format!("/calls/{call}?edit=summary")).await;
    let (_, behind) = page.split_once("name=\"shown\" value=\"").unwrap();
    let shown = behind.split('"').next().unwrap().to_owned();
    let fields = [("text", "Corrected."), ("shown", &*shown)];
    world.submit("/calls", &format!("/calls/{call}/summary"), &fields).await.leads_to();
    assert!(world.page(&format!("/calls/{call}")).await.contains("Corrected."));
    assert_eq!(world.store.runs(WORKSPACE, call).await.unwrap(), []);
    assert_eq!(world.store.call(WORKSPACE, call).await.unwrap().unwrap().status.name(), "completed");
}

#[tokio::test]
async fn only_those_who_may_bring_calls_in_load_and_remove_samples() {
    let world = World::with_key().await;
    for (login, role) in [("vera@x.com", Role::Viewer), ("dana@x.com", Role::Agent)] {
        world.account(login, role).await;
    }
    for login in ["vera@x.com", "dana@x.com"] {
        let mut other = world.signed_in(login).await;
        assert!(!other.get("/").await.text.contains("/samples/"), "{login}");
        for path in ["/samples/load", "/samples/remove"] {
            assert_eq!(other.post(path, &[]).await.status, StatusCode::FORBIDDEN, "{login} {path}");
        }
    }
    assert_eq!(world.store.samples(WORKSPACE).await.unwrap(), []);
}
