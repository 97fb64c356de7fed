//! What the API shows of runs and effects, for promises beyond those of the ledger.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use load_tests::harness::ledger::Verdict;
use serde_json::Value;

use crate::world::World;

/// The greatest number of items on a page of the API.
const PAGE: usize = 1000;

/// An effect of which nobody knows whether it happened.
pub(crate) struct UnknownEffect {
    pub(crate) id: String,
    pub(crate) target: String,
}

/// Returns the effects that Debrief shows as unknown.
pub(crate) async fn unknown_effects(world: &World) -> anyhow::Result<Vec<UnknownEffect>> {
    let shown = world.get(&format!("/api/effects?limit={PAGE}")).await?;
    let items = shown["items"].as_array().context("read the items in the list of effects")?;
    ensure!(items.len() < PAGE, "there are more effects than fit on one page");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    let unknown = items.iter().filter(|item| item["state"] == "unknown");
    Ok(unknown.map(|item| UnknownEffect { id: text(item, "id"), target: text(item, "target") }).collect())
}

/// Returns the number of parked runs of each stage.
pub(crate) async fn parked_runs(world: &World) -> anyhow::Result<BTreeMap<String, u64>> {
    let shown = world.get("/api/queues").await?;
    let queues = shown["items"].as_array().context("read the items in the list of queues")?;
    let count = |one: &Value| Some((one["stage"].as_str()?.to_owned(), one["parked"].as_u64()?));
    Ok(queues.iter().filter_map(count).collect())
}

/// Resolves these effects as a person does, with `--sent` or `--resend`.
pub(crate) async fn resolve(world: &World, effects: &[UnknownEffect], verdict: &str) -> anyhow::Result<()> {
    if effects.is_empty() {
        return Ok(());
    }
    let mut arguments = vec!["effects", "resolve"];
    arguments.extend(effects.iter().map(|effect| effect.id.as_str()));
    arguments.push(verdict);
    let (code, output) = world.command(&arguments).await?;
    ensure!(code == Some(0), "debrief effects resolve: {code:?}\n{output}");
    Ok(())
}

/// Demands that no run of an accepted call took more than one attempt, because no failure was the fault of a run.
pub(crate) async fn demand_no_attempt_spent(world: &World, verdict: &mut Verdict) -> anyhow::Result<()> {
    for call in world.ledger.accepted_ids() {
        for stage in stages(world, &call).await? {
            let attempts = attempts(&stage)?;
            let (name, error) = (&stage["stage"], &stage["error_code"]);
            verdict.demand(attempts <= 1, format!("call {call}: {name} took {attempts} attempts ({error})"));
        }
    }
    Ok(())
}

/// Demands that every run of every accepted call took exactly one attempt. A run that another process took over took
/// more.
pub(crate) async fn demand_one_attempt(world: &World, verdict: &mut Verdict) -> anyhow::Result<()> {
    for call in world.ledger.accepted_ids() {
        for stage in stages(world, &call).await? {
            let (name, attempts) = (&stage["stage"], attempts(&stage)?);
            verdict.demand(attempts == 1, format!("call {call}: {name} took {attempts} attempts"));
        }
    }
    Ok(())
}

fn attempts(stage: &Value) -> anyhow::Result<i64> {
    stage["attempts"].as_i64().context("read the attempts of a stage")
}

/// Returns the present run of each stage. `call` is the id that the source gave the call.
pub(crate) async fn stages(world: &World, call: &str) -> anyhow::Result<Vec<Value>> {
    let timeline = timeline(world, call).await?;
    timeline["stages"].as_array().cloned().context("read the stages of a timeline")
}

/// Returns the timeline of a call. `call` is the id that the source gave the call.
pub(crate) async fn timeline(world: &World, call: &str) -> anyhow::Result<Value> {
    let id: String = url::form_urlencoded::byte_serialize(call.as_bytes()).collect();
    world.get(&format!("/api/calls/{id}/timeline")).await
}
