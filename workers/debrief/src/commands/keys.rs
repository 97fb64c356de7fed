//! `debrief keys`: makes, lists and revokes the keys with which others may use the HTTP interface.
//!
//! A key is shown once, when it is made, because the store keeps only its hash. Standard output holds the key and
//! nothing else, so that a script can say `KEY=$(debrief keys create zapier --scope bring_in)`. Everything else that
//! the command says about the key goes to standard error.

use std::process::ExitCode;

use domain::moment::Moment;
use domain::principal::{Scope, Scopes};
use platform::config::{ConfigError, Values};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use store::{Action, KeyCreation, KeyRevocation, KeyRow, NewKey};

use super::{audit, print};
use crate::deployment::{make_store, open_workspace};
use crate::outcome::{Ended, failed};

const MAX_NAME_CHARS: usize = 64;

/// Reads the name of a key or of a workspace. Such names stand in lists, in logs and on the command line, so few
/// characters are allowed.
pub(crate) fn name(text: &str) -> Result<String, String> {
    let is_usable = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let starts_well = text.starts_with(char::is_alphanumeric);
    if starts_well && text.chars().count() <= MAX_NAME_CHARS && text.chars().all(is_usable) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "a name is 1 to {MAX_NAME_CHARS} letters, digits and `- _ . @`, and begins with a letter or a digit"
    ))
}

pub(crate) fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_name(text).ok_or_else(|| {
        let names = Scope::ALL.map(Scope::name).join(", ");
        format!("the scopes are {names}")
    })
}

pub(crate) async fn create(
    values: &Values,
    workspace: &str,
    key_name: &str,
    scopes: &[Scope],
    as_json: bool,
) -> Ended {
    let workspace = name(workspace)
        .map_err(|problem| ConfigError::new("--workspace", format!("`{workspace}`: {problem}")))?;
    let scopes = if scopes.is_empty() { Scopes::ALL } else { scopes.iter().copied().collect() };
    let (key, actor) = (web::key::generate(), audit::actor());
    let store = make_store(values).await?;
    let hash = web::key::hash(key.expose_secret());
    let new = NewKey { workspace: &workspace, name: key_name, scopes, hash: &hash, actor: &actor };
    let is_first = !store.has_keys().await.map_err(anyhow::Error::from)?;
    let created = store.create_key(new).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let KeyCreation::Created { workspace_is_new, created_at, batch, .. } = created else {
        return failed(format!(
            "the workspace `{workspace}` has a key `{key_name}` already; revoke it first, or choose another name"
        ));
    };
    if as_json {
        print::json(&json!({
            "name": key_name, "workspace": workspace, "workspace_is_new": workspace_is_new, "scopes": names(scopes),
            "created_at": created_at, "created_by": actor, "key": key.expose_secret(),
        }))?;
    } else {
        say!("{}", key.expose_secret());
    }
    if workspace_is_new {
        complain!("debrief: the workspace `{workspace}` is new: it was made with this key");
    }
    complain!("debrief: the key `{key_name}` of the workspace `{workspace}` may: {scopes}");
    complain!("debrief: it is shown only now; keep it where secrets are kept");
    if is_first {
        complain!(
            "debrief: it is the first key that was made: from now on every request needs a key, even from this machine"
        );
    }
    audit::told(&actor, Action::CreateKey, &store::keys::creation_as_asked(key_name, scopes), batch);
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn list(values: &Values, workspace: &str, as_json: bool) -> Ended {
    let (store, id) = open_workspace(values, workspace).await?;
    let keys = store.keys(id).await.map_err(anyhow::Error::from)?;
    let mut others = store.workspace_names().await.map_err(anyhow::Error::from)?;
    store.close().await;
    others.retain(|name| name != workspace);
    if as_json {
        let items: Vec<_> = keys.iter().map(|key| view(key, workspace)).collect();
        print::json(&json!({"items": items, "total": keys.len()}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = keys.iter().map(|key| {
        [
            key.name.clone(),
            key.scopes.to_string(),
            key.created_at.to_string(),
            key.created_by.clone(),
            key.revoked_at.map(|at| at.to_string()).unwrap_or_default(),
        ]
    });
    print::table(["name", "may", "made", "by", "revoked"], rows);
    let in_use = keys.iter().filter(|key| key.revoked_at.is_none()).count();
    say!("{in_use} of {} in use, in the workspace `{workspace}`", keys.len());
    if !others.is_empty() {
        say!("other workspaces: {} (see them with --workspace)", others.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn revoke(values: &Values, workspace: &str, key_name: &str) -> Ended {
    let (store, id) = open_workspace(values, workspace).await?;
    let actor = audit::actor();
    let revocation = store.revoke_key(id, key_name, &actor).await.map_err(anyhow::Error::from)?;
    store.close().await;
    match revocation {
        KeyRevocation::Revoked { batch } => {
            say!(
                "the key `{key_name}` of the workspace `{workspace}` is revoked; every process refuses it within ten seconds"
            );
            audit::told(&actor, Action::RevokeKey, &store::keys::revocation_as_asked(key_name), batch);
            Ok(ExitCode::SUCCESS)
        }
        KeyRevocation::RevokedBefore(at) => {
            failed(format!("the key `{key_name}` of the workspace `{workspace}` was revoked at {at}"))
        }
        KeyRevocation::Unknown => failed(format!("the workspace `{workspace}` has no key `{key_name}`")),
    }
}

fn view(key: &KeyRow, workspace: &str) -> Value {
    let revoked_at: Option<Moment> = key.revoked_at;
    json!({
        "name": key.name, "workspace": workspace, "scopes": names(key.scopes), "created_at": key.created_at,
        "created_by": key.created_by, "revoked_at": revoked_at,
    })
}

fn names(scopes: Scopes) -> Vec<&'static str> {
    scopes.iter().map(Scope::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_written_in_a_list_and_on_a_command_line() {
        for good in ["zapier", "zapier-2", "Büro.Nord", "ada@example.com", "7", &"x".repeat(64)] {
            assert_eq!(name(good).as_deref(), Ok(good));
        }
        for bad in ["", " ", "a b", "-a", "a\nb", "a/b", "a:b", &"x".repeat(65)] {
            assert!(name(bad).unwrap_err().starts_with("a name is 1 to 64 letters"), "{bad}");
        }
    }

    #[test]
    fn a_scope_that_is_misspelt_is_answered_with_those_there_are() {
        assert_eq!(scope("bring_in"), Ok(Scope::BringIn));
        assert_eq!(scope("write").unwrap_err(), "the scopes are bring_in, read, operate, administer");
    }
}
