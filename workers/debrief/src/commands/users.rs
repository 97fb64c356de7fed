//! `debrief users`: makes, lists, shuts out and lets in the people who sign in to the console.
//!
//! This is the way back in for whoever is locked out. A password is made by the program and shown once, alone on standard
//! output. Whoever gets it can change it on the page of her account.

use std::process::ExitCode;

use domain::account::{self, Role};
use domain::call::WorkspaceId;
use domain::principal::AgentIdentity;
use platform::config::{ConfigError, Values};
use secrecy::ExposeSecret as _;
use serde_json::json;
use store::{Store, UserChange, UserRow};
use web::accounts::generate_password;
use web::{AccountError, Accounts};

use super::{audit, print};
use crate::deployment::{find_workspace, make_store, open_workspace};
use crate::outcome::{Ended, failed};

pub(crate) fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| {
        let names: Vec<_> = Role::ALL.iter().map(|role| role.name()).collect();
        format!("the roles are {}", names.join(", "))
    })
}

/// Reads the name with which somebody signs in, as it is kept.
pub(crate) fn login(text: &str) -> Result<String, String> {
    account::login(text)
        .ok_or_else(|| "it has to be an e-mail address, or letters, digits and - _ .".to_owned())
}

/// Reads the name of an agent. A name that nobody can see would be the name of every call without an agent.
pub(crate) fn agent(text: &str) -> Result<String, String> {
    let agent = AgentIdentity::new(text.trim()).ok_or_else(|| "it names nobody".to_owned())?;
    Ok(agent.name().to_owned())
}

pub(crate) async fn create(
    values: &Values,
    workspace: &str,
    login: &str,
    role: Role,
    agent: Option<&str>,
) -> Ended {
    if (role == Role::Agent) != agent.is_some() {
        let problem = "names the agent whose calls she sees, for the role `agent` and for no other";
        return Err(ConfigError::new("--agent", problem).into());
    }
    let store = make_store(values).await?;
    let id = find_workspace(&store, workspace).await?;
    let password = generate_password();
    let accounts = Accounts::new(store.clone());
    let made = accounts.create(id, login, (role, agent), &password, &audit::actor()).await;
    store.close().await;
    match made {
        Ok(user) => {
            say!("{}", password.expose_secret());
            complain!(
                "debrief: `{}` is {} of the workspace `{workspace}`; the password is shown only now",
                user.login,
                role.name()
            );
            Ok(ExitCode::SUCCESS)
        }
        Err(AccountError::Store(error)) => Err(anyhow::Error::from(error).into()),
        Err(AccountError::LoginTaken) => {
            failed(format!("the name `{login}` is taken, here or in another workspace"))
        }
        Err(error) => failed(error.to_string()),
    }
}

pub(crate) async fn list(values: &Values, workspace: &str, as_json: bool) -> Ended {
    let (store, id) = open_workspace(values, workspace).await?;
    let users = store.users(id).await.map_err(anyhow::Error::from)?;
    store.close().await;
    let role = |user: &UserRow| user.role.map_or("unknown", Role::name);
    if as_json {
        let items: Vec<_> = users
            .iter()
            .map(|user| {
                json!({
                    "login": user.login, "name": user.name, "role": role(user), "agent": user.agent,
                    "has_password": user.has_password, "created_at": user.created_at,
                    "created_by": user.created_by, "disabled_at": user.disabled_at,
                })
            })
            .collect();
        print::json(&json!({"items": items, "total": users.len()}))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = users.iter().map(|user| {
        [
            user.login.clone(),
            role(user).to_owned(),
            user.agent.clone().unwrap_or_default(),
            user.created_at.to_string(),
            user.created_by.clone(),
            user.disabled_at.map(|at| at.to_string()).unwrap_or_default(),
        ]
    });
    print::table(["login", "role", "agent", "made", "by", "disabled"], rows);
    say!("{} in the workspace `{workspace}`", users.len());
    Ok(ExitCode::SUCCESS)
}

/// Shuts somebody out, or lets her in again.
pub(crate) async fn set_disabled(values: &Values, workspace: &str, login: &str, disabled: bool) -> Ended {
    let (store, id) = open_workspace(values, workspace).await?;
    let Some(user) = find(&store, id, login).await? else {
        return failed(format!("the workspace `{workspace}` has no account `{login}`"));
    };
    let actor = audit::actor();
    let change = if disabled {
        store.disable_user((id, &actor), user.id).await
    } else {
        store.enable_user((id, &actor), user.id).await
    };
    store.close().await;
    let word = if disabled { "disabled" } else { "enabled" };
    match change.map_err(anyhow::Error::from)? {
        UserChange::Done => {
            say!("`{}` is {word}; every process knows it within ten seconds", user.login);
            Ok(ExitCode::SUCCESS)
        }
        UserChange::Nothing => failed(format!("`{}` is {word} already", user.login)),
        UserChange::LastAdministrator => {
            failed(format!("`{}` is the last administrator of the workspace `{workspace}`", user.login))
        }
    }
}

/// Gives an account a new password, ends its sessions, and forgets the wrong passwords that were tried.
pub(crate) async fn reset(values: &Values, workspace: &str, login: &str) -> Ended {
    let (store, id) = open_workspace(values, workspace).await?;
    let Some(user) = find(&store, id, login).await? else {
        return failed(format!("the workspace `{workspace}` has no account `{login}`"));
    };
    let password = generate_password();
    let actor = audit::actor();
    let accounts = Accounts::new(store.clone());
    let set = accounts.set_password((id, &actor), user.id, &user.login, &password).await;
    set.map_err(anyhow::Error::from)?;
    store.forgive_account(&user.login).await.map_err(anyhow::Error::from)?;
    store.close().await;
    say!("{}", password.expose_secret());
    complain!(
        "debrief: `{}` has a new password, which is shown only now; its sessions have ended",
        user.login
    );
    if user.disabled_at.is_some() {
        complain!("debrief: `{0}` is disabled: `debrief users enable {0}` lets her in", user.login);
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &Store, workspace: WorkspaceId, login: &str) -> anyhow::Result<Option<UserRow>> {
    let known = store.user_by_login(login).await?;
    Ok(known.map(|known| known.user).filter(|user| user.workspace == workspace))
}
