//! What Debrief shows of its runs and of its effects, for promises beyond those of the ledger.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::Verdict;
use serde_json::Value;

use crate::world::World;

/// Of a list of the API, at most.
const PAGE: usize = 1000;

/// An effect of which nobody knows whether it happened.
pub(crate) struct Doubt {
    pub(crate) id: String,
    pub(crate) target: String,
}

/// Effects that Debrief shows as unknown.
pub(crate) async fn doubts(world: &World) -> anyhow::Result<Vec<Doubt>> {
    let shown = world.get(&format!("/api/effects?limit={PAGE}")).await?;
    let items = shown["items"].as_array().context("the list of effects has no items")?;
    ensure!(items.len() < PAGE, "there are too many effects to look at");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let unknown = items.iter().filter(|item| item["state"] == "unknown");
    Ok(unknown.map(|item| Doubt { id: text(item, "id"), target: text(item, "target") }).collect())
}

/// How many runs of each stage are parked.
pub(crate) async fn parked(world: &World) -> anyhow::Result<BTreeMap<String, u64>> {
    let shown = world.get("/api/queues").await?;
    let queues = shown["items"].as_array().context("the list of queues has no items")?;
    let count = |one: &Value| Some((one["stage"].as_str()?.to_owned(), one["parked"].as_u64()?));
    Ok(queues.iter().filter_map(count).collect())
}

/// Takes a person's word for these effects.
pub(crate) async fn resolve(world: &World, doubts: &[Doubt], verdict: &str) -> anyhow::Result<()> {
    if doubts.is_empty() {
        return Ok(());
    }
    let mut args = vec!["effects", "resolve"];
    args.extend(doubts.iter().map(|doubt| doubt.id.as_str()));
    args.push(verdict);
    let (code, said) = world.command(&args).await?;
    ensure!(code == Some(0), "debrief effects resolve: {code:?}\n{said}");
    Ok(())
}

/// Finds it broken when a run took more than one attempt: whatever failed was not the run's fault. Returns
/// how many runs it looked at.
pub(crate) async fn no_attempt_spent(world: &World, verdict: &mut Verdict) -> anyhow::Result<u64> {
    let mut looked = 0;
    for call in world.ledger.accepted_ids() {
        let timeline = timeline(world, &call).await?;
        for stage in timeline["stages"].as_array().context("a timeline has no stages")? {
            looked += 1;
            let attempts = stage["attempts"].as_i64().context("a stage has no attempts")?;
            verdict.demand(
                attempts <= 1,
                format!("{} of {call} took {attempts} attempts ({})", stage["stage"], stage["error_code"]),
            );
        }
    }
    Ok(looked)
}

/// What the API tells of a call, by its source's id.
pub(crate) async fn timeline(world: &World, call: &str) -> anyhow::Result<Value> {
    let id: String = url::form_urlencoded::byte_serialize(call.as_bytes()).collect();
    world.get(&format!("/api/calls/{id}/timeline")).await
}
