//! The accounts of people: who belongs to which workspace, and what she may do there.
//!
//! Every change is put on record in the transaction that makes it. A change that takes rights away also ends the
//! sessions, so that nobody goes on with rights from before.

use serde_json::{Value, json};
use uuid::Uuid;

use super::audit::{Action, actor, record};
use super::sessions::end_all;
use super::{Result, Store, Tx, execute, query, read};
use domain::account::{Role, UserId};
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// The name under which the store notes that the first administrator was made. The row can be there only once, so two
/// visitors at the same time do not both become it.
const FIRST_ADMINISTRATOR: &str = "first_administrator";

/// An account that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewUser<'a> {
    pub workspace: WorkspaceId,
    /// What she signs in with, as [`domain::account::login`] returns it.
    pub login: &'a str,
    pub name: &'a str,
    pub role: Role,
    /// The agent whose calls she sees, where her role is [`Role::Agent`].
    pub agent: Option<&'a str>,
    /// `None` where she signs in with a provider only.
    pub password_hash: Option<&'a str>,
    /// Who makes it.
    pub actor: &'a str,
}

/// An account, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    pub id: UserId,
    pub workspace: WorkspaceId,
    pub login: String,
    pub name: String,
    /// `None` for a role that only a newer version of the program knows. It gives no rights.
    pub role: Option<Role>,
    pub agent: Option<String>,
    pub has_password: bool,
    pub created_at: Moment,
    pub created_by: String,
    pub disabled_at: Option<Moment>,
}

impl UserRow {
    /// The name on the audit record.
    pub fn actor(&self) -> String {
        actor(&self.login)
    }
}

/// An account and the hash of its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserWithPassword {
    pub user: UserRow,
    pub password_hash: Option<String>,
}

/// What became of a change of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    Done,
    /// The workspace has no such account, or it is so already.
    Nothing,
    /// Nobody would be left who decides who gets in.
    LastAdministrator,
}

#[derive(sqlx::FromRow)]
struct Columns {
    id: UserId,
    workspace: WorkspaceId,
    login: String,
    name: String,
    role: String,
    agent: Option<String>,
    password_hash: Option<String>,
    created_at: Moment,
    created_by: String,
    disabled_at: Option<Moment>,
}

impl From<Columns> for UserWithPassword {
    fn from(row: Columns) -> Self {
        let user = UserRow {
            id: row.id,
            workspace: row.workspace,
            login: row.login,
            name: row.name,
            role: row.role.parse().ok(),
            agent: row.agent,
            has_password: row.password_hash.is_some(),
            created_at: row.created_at,
            created_by: row.created_by,
            disabled_at: row.disabled_at,
        };
        Self { user, password_hash: row.password_hash }
    }
}

macro_rules! user_columns {
    () => {
        "SELECT id, workspace, login, name, role, agent, password_hash, created_at, created_by, disabled_at FROM users "
    };
}

impl Store {
    /// Whether an account was ever made, in any workspace.
    pub async fn has_users(&self) -> Result<bool> {
        Ok(read!(fetch_optional, (String,), self, "SELECT login FROM users LIMIT 1")?.is_some())
    }

    /// Makes an account. `None` where somebody signs in with this name already, in whatever workspace.
    pub async fn create_user(&self, new: NewUser<'_>) -> Result<Option<UserRow>> {
        let mut tx = self.begin_tx().await?;
        let made = make(&mut tx, new, self.now()).await?;
        finish(tx, made).await
    }

    /// Makes the account of the first administrator. `None` where there is an account already, or where another
    /// visitor was faster.
    pub async fn create_first_administrator(&self, new: NewUser<'_>) -> Result<Option<UserRow>> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let is_first = execute!(
            tx,
            "INSERT INTO secrets (name, value) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM users)
             ON CONFLICT DO NOTHING",
            FIRST_ADMINISTRATOR,
            new.login,
        )?;
        let made = if is_first == 1 { make(&mut tx, new, now).await? } else { None };
        finish(tx, made).await
    }

    /// The accounts of a workspace, by what they sign in with.
    pub async fn users(&self, workspace: WorkspaceId) -> Result<Vec<UserRow>> {
        let sql = concat!(user_columns!(), "WHERE workspace = $1 ORDER BY login");
        let rows = read!(fetch_all, Columns, self, sql, workspace)?;
        Ok(rows.into_iter().map(|row| UserWithPassword::from(row).user).collect())
    }

    pub async fn user(&self, workspace: WorkspaceId, id: UserId) -> Result<Option<UserWithPassword>> {
        let sql = concat!(user_columns!(), "WHERE workspace = $1 AND id = $2");
        Ok(read!(fetch_optional, Columns, self, sql, workspace, id)?.map(UserWithPassword::from))
    }

    /// The account that signs in with this name. It takes no workspace: the account says which one it is.
    pub async fn user_by_login(&self, login: &str) -> Result<Option<UserWithPassword>> {
        let sql = concat!(user_columns!(), "WHERE login = $1");
        Ok(read!(fetch_optional, Columns, self, sql, login)?.map(UserWithPassword::from))
    }

    /// The account that belongs to a person at a provider.
    pub async fn user_by_subject(&self, issuer: &str, subject: &str) -> Result<Option<UserRow>> {
        let sql = concat!(
            user_columns!(),
            "WHERE id = (SELECT user_id FROM user_subjects WHERE issuer = $1 AND subject = $2)"
        );
        let row = read!(fetch_optional, Columns, self, sql, issuer, subject)?;
        Ok(row.map(|row| UserWithPassword::from(row).user))
    }

    /// Notes that an account belongs to a person at a provider. The first one to say so for a person is right.
    pub async fn link_subject(&self, user: &UserRow, issuer: &str, subject: &str) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let linked = execute!(
            tx,
            "INSERT INTO user_subjects (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
            issuer,
            subject,
            user.id,
            now,
        )?;
        if linked == 1 {
            let what = json!({"user": user.login, "issuer": issuer});
            record(&mut tx, (user.workspace, &user.actor()), Action::LinkUser, what, now).await?;
        }
        tx.commit().await
    }

    /// Changes what somebody may do, and ends her sessions.
    pub async fn change_user(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: UserId,
        role: Role,
        agent: Option<&str>,
    ) -> Result<UserChange> {
        let now = self.now();
        let mut tx = self.lock_accounts(workspace).await?;
        if role != Role::Administrator && is_last_administrator(&mut tx, workspace, id).await? {
            tx.roll_back().await?;
            return Ok(UserChange::LastAdministrator);
        }
        let changed = query!(
            fetch_optional,
            (String,),
            tx,
            "UPDATE users SET role = $3, agent = $4 WHERE workspace = $1 AND id = $2 RETURNING login",
            workspace,
            id,
            role.name(),
            agent,
        )?;
        let what = |login: String| json!({"user": login, "role": role.name(), "agent": agent});
        settle(tx, (workspace, actor), id, Action::ChangeUser, changed.map(|(login,)| what(login)), now).await
    }

    /// Shuts somebody out, and ends her sessions.
    pub async fn disable_user(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: UserId,
    ) -> Result<UserChange> {
        let now = self.now();
        let mut tx = self.lock_accounts(workspace).await?;
        if is_last_administrator(&mut tx, workspace, id).await? {
            tx.roll_back().await?;
            return Ok(UserChange::LastAdministrator);
        }
        let disabled = query!(
            fetch_optional,
            (String,),
            tx,
            "UPDATE users SET disabled_at = $3 WHERE workspace = $1 AND id = $2 AND disabled_at IS NULL
             RETURNING login",
            workspace,
            id,
            now,
        )?;
        let what = disabled.map(|(login,)| json!({"user": login}));
        settle(tx, (workspace, actor), id, Action::DisableUser, what, now).await
    }

    /// Lets somebody in again who was shut out.
    pub async fn enable_user(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: UserId,
    ) -> Result<UserChange> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let enabled = query!(
            fetch_optional,
            (String,),
            tx,
            "UPDATE users SET disabled_at = NULL WHERE workspace = $1 AND id = $2 AND disabled_at IS NOT NULL
             RETURNING login",
            workspace,
            id,
        )?;
        let what = enabled.map(|(login,)| json!({"user": login}));
        settle(tx, (workspace, actor), id, Action::EnableUser, what, now).await
    }

    /// Gives an account a new password, and ends its sessions. Whoever changes her own password gets a new session
    /// afterwards.
    pub async fn set_password(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        id: UserId,
        password_hash: &str,
    ) -> Result<UserChange> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let set = query!(
            fetch_optional,
            (String,),
            tx,
            "UPDATE users SET password_hash = $3 WHERE workspace = $1 AND id = $2 RETURNING login",
            workspace,
            id,
            password_hash,
        )?;
        let what = set.map(|(login,)| json!({"user": login}));
        settle(tx, (workspace, actor), id, Action::SetPassword, what, now).await
    }

    /// Begins a change of the administrators of a workspace. Two such changes come one after the other, so that two
    /// administrators cannot shut each other out at the same time.
    async fn lock_accounts(&self, workspace: WorkspaceId) -> Result<Tx> {
        let mut tx = self.begin_tx().await?;
        execute!(tx, "UPDATE workspaces SET name = name WHERE id = $1", workspace)?;
        Ok(tx)
    }
}

/// Ends a change: what was changed goes on record, and the sessions of the account end.
async fn settle(
    mut tx: Tx,
    who: (WorkspaceId, &str),
    user: UserId,
    action: Action,
    what: Option<Value>,
    now: Moment,
) -> Result<UserChange> {
    let Some(what) = what else {
        tx.roll_back().await?;
        return Ok(UserChange::Nothing);
    };
    end_all(&mut tx, user, now).await?;
    record(&mut tx, who, action, what, now).await?;
    tx.commit().await?;
    Ok(UserChange::Done)
}

async fn finish(tx: Tx, made: Option<UserRow>) -> Result<Option<UserRow>> {
    match &made {
        Some(_) => tx.commit().await?,
        None => tx.roll_back().await?,
    }
    Ok(made)
}

/// Makes an account and puts it on record. `None` where the name to sign in with is taken.
pub(super) async fn make(tx: &mut Tx, new: NewUser<'_>, now: Moment) -> Result<Option<UserRow>> {
    let id = UserId(Uuid::now_v7());
    let made = execute!(
        *tx,
        "INSERT INTO users (id, workspace, login, name, role, agent, password_hash, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (login) DO NOTHING",
        id,
        new.workspace,
        new.login,
        new.name,
        new.role.name(),
        new.agent,
        new.password_hash,
        now,
        new.actor,
    )?;
    if made == 0 {
        return Ok(None);
    }
    let what = json!({"user": new.login, "role": new.role.name(), "agent": new.agent});
    record(tx, (new.workspace, new.actor), Action::CreateUser, what, now).await?;
    Ok(Some(UserRow {
        id,
        workspace: new.workspace,
        login: new.login.to_owned(),
        name: new.name.to_owned(),
        role: Some(new.role),
        agent: new.agent.map(ToOwned::to_owned),
        has_password: new.password_hash.is_some(),
        created_at: now,
        created_by: new.actor.to_owned(),
        disabled_at: None,
    }))
}

/// Whether this account is the only one of its workspace that decides who gets in.
async fn is_last_administrator(tx: &mut Tx, workspace: WorkspaceId, id: UserId) -> Result<bool> {
    let administrators = query!(
        fetch_all,
        (UserId,),
        *tx,
        "SELECT id FROM users WHERE workspace = $1 AND role = $2 AND disabled_at IS NULL",
        workspace,
        Role::Administrator.name(),
    )?;
    Ok(administrators == [(id,)])
}
