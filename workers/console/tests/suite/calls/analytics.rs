//! The sums of a period, and the calls behind them.

use domain::call::CallDetails;
use domain::moment::Moment;

use crate::material::{analysis, of_agent, transcript};
use crate::world::World;

/// Details of a call of this agent that began so many days ago.
fn days_ago(days: i64, agent: &str) -> CallDetails {
    let at = Moment::from_micros(Moment::now().micros() - days * 24 * 3_600_000_000);
    CallDetails { started_at: Some(at), ..of_agent(agent) }
}

#[tokio::test]
async fn every_number_leads_to_the_calls_behind_it() {
    let world = World::new().await;
    let read = world.arrived("a", days_ago(2, "Dana Ortiz")).await;
    world.made(read, transcript("Hello.", 1), analysis("billing")).await;
    let other = world.arrived("b", days_ago(40, "Dana Ortiz")).await;
    let page = world.page("/analytics").await;
    let links: Vec<_> =
        page.split("href=\"/calls?").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for part in ["tone=Negative", "agent=Dana+Ortiz", "topic=billing"] {
        let link =
            links.iter().find(|link| link.contains(part)).unwrap_or_else(|| panic!("{part}: {links:?}"));
        let list = world.page(&format!("/calls?{}", link.replace("&#38;", "&").replace("&amp;", "&"))).await;
        assert!(list.contains(&read.to_string()), "{part}: {list}");
        assert!(!list.contains(&other.to_string()), "{part} shows a call of another month");
    }
}

#[tokio::test]
async fn where_nothing_came_in_lately_the_last_days_with_calls_are_shown() {
    let world = World::new().await;
    world.arrived("a", days_ago(400, "Dana Ortiz")).await;
    let page = world.page("/analytics").await;
    assert!(page.contains("agent=Dana+Ortiz"), "{page}");
    let asked = world.page("/analytics?from=2026-01-01&to=2026-01-31").await;
    assert!(!asked.contains("agent=Dana+Ortiz"), "a period that somebody asks for is the one that is shown");
}
