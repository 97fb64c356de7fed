//! `debrief effects`: what was changed in other people's systems, and what nobody knows.

use std::process::ExitCode;

use common::call::WorkspaceId;
use common::config::Values;
use common::store::EffectRow;
use serde_json::json;
use uuid::Uuid;

use super::{calls, print};
use crate::deployment::open_store;
use crate::outcome::{Ended, FAILED, failed};

pub(crate) async fn list(values: &Values, call: Option<&str>) -> Ended {
    let store = open_store(values).await?;
    let effects = match call {
        None => store.open_effects(WorkspaceId::DEFAULT).await.map_err(anyhow::Error::from)?,
        Some(id) => {
            let Some(call) = calls::find(&store, id).await? else {
                return failed(format!("there is no call `{id}`"));
            };
            store.effects_of(call.workspace, call.id).await.map_err(anyhow::Error::from)?
        }
    };
    let rows = effects.iter().map(|effect| {
        [
            effect.id.to_string(),
            effect.target.clone(),
            effect.object.clone(),
            effect.state.clone(),
            effect.call_id.to_string(),
            effect.updated_at.to_string(),
        ]
    });
    print::table(["id", "target", "object", "state", "call", "since"], rows);
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn show(values: &Values, id: Uuid) -> Ended {
    let store = open_store(values).await?;
    let effect = store.effect(WorkspaceId::DEFAULT, id).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let Some(effect) = effect else { return failed(format!("there is no effect {id}")) };
    print::json(&view(&effect))?;
    Ok(ExitCode::SUCCESS)
}

/// Takes a person's word for what became of effects of which nobody knows.
pub(crate) async fn resolve(values: &Values, ids: &[Uuid], sent: bool) -> Ended {
    let store = open_store(values).await?;
    let mut all = true;
    for id in ids {
        if store.resolve_effect(WorkspaceId::DEFAULT, *id, sent).await.map_err(anyhow::Error::from)? {
            say!("{id}: {}", if sent { "taken as sent" } else { "is sent again" });
        } else {
            all = false;
            say!("{id}: is not unknown; nothing was changed");
        }
    }
    store.close().await;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn view(effect: &EffectRow) -> serde_json::Value {
    json!({
        "id": effect.id, "call": effect.call_id, "target": effect.target, "object": effect.object,
        "state": effect.state, "generation": effect.generation, "remote_id": effect.remote_id,
        "replaced": effect.replaced.as_ref().map(|replaced| &replaced.0), "code": effect.error_code,
        "deadline": effect.deadline, "updated_at": effect.updated_at,
    })
}
