//! `debrief effects`: shows what was changed in other systems, and lets a person decide about effects whose outcome
//! is unknown.

use std::process::ExitCode;

use anyhow::Context as _;
use domain::moment::Moment;
use platform::config::{ConfigError, Values};
use queue_topology::resolution::{self, Decision, Resolved, Which};
use serde_json::json;
use store::{Action, EffectFilter, EffectRow, EffectState};
use uuid::Uuid;

use super::{audit, calls, print};
use crate::deployment::{open_store, open_workspace};
use crate::outcome::{Ended, FAILED, failed};

const SHOWN: i64 = 1000;

/// Reads the filters that choose the effects of a command: `target=slack`, `state=unknown`,
/// `since=2026-01-31T12:00:00Z`.
pub(crate) fn filter(parts: &[String]) -> Result<EffectFilter, ConfigError> {
    const NAME: &str = "--filter";
    let wrong = |problem: String| ConfigError::new(NAME, problem);
    let mut filter = EffectFilter::default();
    for part in parts {
        let (name, value) = part
            .split_once('=')
            .filter(|(_, value)| !value.is_empty())
            .ok_or_else(|| wrong(format!("`{part}` is none of target=NAME, state=NAME, since=TIME")))?;
        match name {
            "target" => filter.target = Some(value.to_owned()),
            "state" => {
                let names = || EffectState::NAMES.join(", ");
                let state = value.parse();
                filter.state = Some(state.map_err(|_| wrong(format!("`{value}` is none of {}", names())))?);
            }
            "since" => filter.since = Some(print::moment(value).map_err(wrong)?),
            _ => return Err(wrong(format!("`{name}` is none of target, state, since"))),
        }
    }
    Ok(filter)
}

pub(crate) async fn list(values: &Values, workspace: &str, call: Option<&str>, parts: &[String]) -> Ended {
    let filter = filter(parts)?;
    let (store, workspace) = open_workspace(values, workspace).await?;
    let effects = match call {
        None => store.effects(workspace, &filter, SHOWN).await.map_err(anyhow::Error::from)?,
        Some(id) => {
            let Some(call) = calls::find(&store, workspace, id).await? else {
                return failed(format!("there is no call `{id}`"));
            };
            store.effects_of(call.workspace, call.id).await.map_err(anyhow::Error::from)?
        }
    };
    let rows = effects.iter().map(|effect| {
        [
            effect.id.to_string(),
            effect.target.clone(),
            without_address(&effect.object),
            effect.state.clone(),
            effect.call_id.to_string(),
            effect.updated_at.to_string(),
        ]
    });
    print::table(["id", "target", "object", "state", "call", "since"], rows);
    if i64::try_from(effects.len()) == Ok(SHOWN) {
        say!("the oldest {SHOWN}; narrow it with --filter");
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Reads the time of a dump.
pub(crate) fn since(text: &str) -> Result<Moment, String> {
    print::moment(text)
}

/// Notes that nobody knows what was done for unfinished calls after a dump that was restored.
pub(crate) async fn doubt(values: &Values, since: Moment) -> Ended {
    let store = open_store(values).await?;
    let doubted =
        store.doubt_unfinished_calls(since, &[]).await.context("note which calls are not finished")?;
    store.close().await;
    say!(
        "{doubted} calls are not finished. Each destination is asked before anything is done for them again; where it \
         cannot be asked, the effect is unknown until you decide with `debrief effects resolve`"
    );
    Ok(ExitCode::SUCCESS)
}

/// Hides the e-mail address of a contact, because lists are copied into chats and tickets. `show` prints the address.
fn without_address(object: &str) -> String {
    match object.split_once(':') {
        Some((kind, whose)) if whose.contains('@') => format!("{kind}:<e-mail>"),
        _ => object.to_owned(),
    }
}

pub(crate) async fn show(values: &Values, workspace: &str, id: Uuid) -> Ended {
    let (store, workspace) = open_workspace(values, workspace).await?;
    let effect = store.effect(workspace, id).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let Some(effect) = effect else { return failed(format!("there is no effect {id}")) };
    print::json(&view(&effect))?;
    Ok(ExitCode::SUCCESS)
}

/// Records a person's decision about effects whose outcome is unknown. The effects are given by their ids or by a
/// filter.
pub(crate) async fn resolve(
    values: &Values,
    workspace: &str,
    ids: &[Uuid],
    parts: &[String],
    sent: bool,
    why: Option<&str>,
) -> Ended {
    let filter = filter(parts)?;
    let (store, workspace) = open_workspace(values, workspace).await?;
    let which = if ids.is_empty() { Which::All(filter) } else { Which::These(ids.to_vec()) };
    let decision = Decision { which, sent, why: why.map(str::to_owned) };
    let actor = audit::actor();
    let each = |id: Uuid, taken: bool| match (taken, sent) {
        (true, true) => say!("{id}: taken as sent"),
        (true, false) => say!("{id}: is sent again"),
        (false, _) => say!("{id}: is not unknown; nothing was changed"),
    };
    let done = resolution::resolve(&store, (workspace, &actor), &decision, each).await;
    let Resolved { batch, resolved, refused } = done.map_err(anyhow::Error::from)?;
    audit::told(&actor, Action::ResolveEffects, &decision.as_asked(), batch);
    store.close().await;
    if ids.is_empty() {
        say!("{resolved} of those that match are resolved");
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn view(effect: &EffectRow) -> serde_json::Value {
    json!({
        "id": effect.id, "call": effect.call_id, "target": effect.target, "object": effect.object,
        "state": effect.state, "generation": effect.generation, "remote_id": effect.remote_id,
        "replaced": effect.replaced.as_ref().map(|replaced| &replaced.0), "code": effect.error_code,
        "deadline": effect.deadline, "updated_at": effect.updated_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> Result<EffectFilter, String> {
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        filter(&parts).map_err(|error| error.to_string())
    }

    #[test]
    fn a_filter_names_a_target_a_state_and_a_time() {
        let filter = read(&["target=slack", "state=unknown", "since=2026-01-31T12:00:00Z"]).unwrap();
        assert_eq!(filter.target.as_deref(), Some("slack"));
        assert_eq!(filter.state, Some(EffectState::Unknown));
        assert_eq!(filter.since.unwrap().to_string(), "2026-01-31T12:00:00Z");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_and_does_not_mean_all() {
        for (part, said) in [
            ("slack", "--filter: `slack` is none of target=NAME, state=NAME, since=TIME"),
            ("target=", "--filter: `target=` is none of target=NAME, state=NAME, since=TIME"),
            ("targe=slack", "--filter: `targe` is none of target, state, since"),
            ("state=lost", "--filter: `lost` is none of intent, confirmed, unknown, not_sent, outdated"),
            ("since=noon", "--filter: `noon` is no time such as 2026-01-31T12:00:00Z"),
        ] {
            assert_eq!(read(&[part]).unwrap_err(), said);
        }
    }

    #[test]
    fn a_list_tells_no_address() {
        assert_eq!(without_address("contact:helen@example.com"), "contact:<e-mail>");
        assert_eq!(without_address("part:3"), "part:3");
    }
}
