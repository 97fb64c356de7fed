//! The columns of the list of calls, and the views that people keep.

use axum::http::StatusCode;
use domain::account::Role;

use crate::material::of_agent;
use crate::world::World;

/// The path of the form that removes the view with this name.
fn remove_path(page: &str, name: &str) -> String {
    let row = page.split("<tr>").find(|row| row.contains(&format!("<bdi>{name}</bdi>"))).unwrap();
    let (_, behind) = row.split_once("action=\"").unwrap();
    behind.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_visitor_chooses_the_columns_and_a_column_that_does_not_exist_is_told() {
    let world = World::new().await;
    let call = world.arrived("number 7", of_agent("Mo")).await;
    let usual = world.page("/calls").await;
    assert!(
        usual.contains("<th scope=\"col\">Agent</th>")
            && !usual.contains("<td data-label=\"Id at the source\">")
    );
    let page = world.page("/calls?column=source_id&column=agent").await;
    let cells = "<td data-label=\"Agent\"><bdi>Mo</bdi></td><td data-label=\"Id at the source\"><bdi>number 7</bdi></td></tr>";
    assert!(page.contains(cells), "{page}");
    assert!(page.contains(&format!("/calls/{call}")) && !page.contains("<th scope=\"col\">Tone</th>"));
    assert!(page.contains("value=\"source_id\" checked"));
    let wrong = world.get("/calls?column=colour").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text.contains("id=\"wrong-column\"") && !wrong.text.contains(&call.to_string()));
}

#[tokio::test]
async fn a_view_keeps_filters_and_columns_under_a_name_until_it_is_removed() {
    let world = World::with_key().await;
    world.account("max@x.com", Role::Manager).await;
    let mut max = world.signed_in("max@x.com").await;
    let query = "status=failed&column=agent&column=tone";
    let list = max.get(&format!("/calls?{query}&after=7.7&source=")).await.text;
    let keep = format!("/calls/views?{}", query.replace('&', "&#38;"));
    assert!(list.contains(&keep), "{list}");
    let form = max.get(&format!("/calls/views?{query}")).await.text;
    assert!(form.contains("<code>status</code>: <bdi>failed</bdi>"), "{form}");
    let fields =
        [("name", "Went wrong"), ("query", "status=failed&column=agent&column=tone&after=7.7&csrf=x")];
    let kept = max.post("/calls/views", &fields).await;
    assert_eq!(kept.leads_to(), format!("/calls?{query}"));
    let list = max.get(&format!("/calls?{query}")).await.text;
    assert!(list.contains("aria-current=\"page\"><bdi>Went wrong</bdi>"), "{list}");
    let views = max.get("/calls/views").await.text;
    max.post(&remove_path(&views, "Went wrong"), &[]).await.leads_to();
    assert!(!max.get("/calls").await.text.contains("Went wrong"));
}

#[tokio::test]
async fn a_view_for_everybody_is_seen_by_those_who_see_all_calls_and_kept_by_those_who_may() {
    let world = World::with_key().await;
    for (login, role) in [
        ("ada@x.com", Role::Administrator),
        ("max@x.com", Role::Manager),
        ("vera@x.com", Role::Viewer),
        ("dana@x.com", Role::Agent),
    ] {
        world.account(login, role).await;
    }
    let mut max = world.signed_in("max@x.com").await;
    let shared = [("name", "Imre's calls"), ("query", "agent=Imre"), ("shared", "yes")];
    max.post("/calls/views", &shared).await.leads_to();
    max.post("/calls/views", &[("name", "only his"), ("query", "")]).await.leads_to();
    for (login, sees, status) in [
        ("ada@x.com", true, StatusCode::CONFLICT),
        ("vera@x.com", true, StatusCode::FORBIDDEN),
        ("dana@x.com", false, StatusCode::FORBIDDEN),
    ] {
        let mut other = world.signed_in(login).await;
        for path in ["/calls", "/calls/views"] {
            let page = other.get(path).await.text;
            assert_eq!(page.contains("Imre"), sees, "{login} {path}");
            assert!(!page.contains("only his"), "{login} {path}");
        }
        assert_eq!(other.post("/calls/views", &shared).await.status, status, "{login}");
    }
    let views = max.get("/calls/views").await.text;
    let path = remove_path(&views, "Imre&#39;s calls");
    let mut vera = world.signed_in("vera@x.com").await;
    assert_eq!(vera.post(&path, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(max.post(&remove_path(&views, "only his"), &[]).await.leads_to(), "/calls/views");
    world.signed_in("ada@x.com").await.post(&path, &[]).await.leads_to();
    let audit = world.signed_in("ada@x.com").await.get("/audit").await.text;
    assert!(audit.contains("view_share</td>") && audit.contains("view_remove</td>"), "{audit}");
    assert!(!audit.contains("only his"));
}

#[tokio::test]
async fn a_view_that_cannot_be_kept_comes_back_with_what_was_typed() {
    let world = World::with_key().await;
    world.account("max@x.com", Role::Manager).await;
    let mut max = world.signed_in("max@x.com").await;
    let long = "n".repeat(101);
    for (name, query, words) in [
        ("", "status=failed", "A name has 1 to 100 characters"),
        (&*long, "status=failed", "A name has 1 to 100 characters"),
        ("a\u{7}b", "status=failed", "A name has 1 to 100 characters"),
        ("lost", "status=lost", "A filter of this list cannot be read"),
        ("lost", "column=colour", "A filter of this list cannot be read"),
        ("lost", &format!("agent={}", "n".repeat(9000)), "A filter of this list cannot be read"),
    ] {
        let answer = max.post("/calls/views", &[("name", name), ("query", query)]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:.9} {query:.20}");
        assert!(answer.text.contains(words), "{}", answer.text);
        assert!(answer.text.contains(&format!("name=\"name\" value=\"{name}\"")), "{}", answer.text);
        assert!(answer.text.contains("name=\"query\" value=\""));
    }
    let markup = "<script>alert(1)</script>";
    max.post("/calls/views", &[("name", markup), ("query", "source=<script>")]).await.leads_to();
    for path in ["/calls", "/calls/views"] {
        let page = max.get(path).await.text;
        assert!(page.contains("alert(1)") && !page.contains("<script>alert"), "{path}");
    }
    assert_eq!(max.post("/calls/views/no-id/remove", &[]).await.status, StatusCode::NOT_FOUND);
}
