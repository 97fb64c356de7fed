//! Invitations: whoever has one can make one account, until a time.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::audit::{Action, actor, record};
use super::users::{NewUser, UserRow, make};
use super::{Result, Store, Tx, execute, query, read};
use domain::account::Role;
use domain::call::WorkspaceId;
use domain::moment::Moment;

/// An invitation that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewInvitation<'a> {
    pub workspace: WorkspaceId,
    /// What she will sign in with.
    pub login: &'a str,
    pub role: Role,
    pub agent: Option<&'a str>,
    pub token_hash: &'a str,
    pub lifetime: Duration,
    /// Who invites.
    pub actor: &'a str,
}

/// An invitation that is open.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct InvitationRow {
    pub id: Uuid,
    pub workspace: WorkspaceId,
    pub login: String,
    pub role: String,
    pub agent: Option<String>,
    pub created_at: Moment,
    pub created_by: String,
    pub expires_at: Moment,
}

/// Which invitation is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitation<'a> {
    /// The one with this token.
    Token(&'a str),
    /// The one for this name to sign in with, which a provider has verified.
    Login(&'a str),
}

/// What an accepted invitation makes.
#[derive(Clone, Copy, Debug)]
pub struct NewAccount<'a> {
    pub name: &'a str,
    pub password_hash: Option<&'a str>,
}

/// What became of an invitation that somebody wanted to accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    Accepted(UserRow),
    /// It was accepted or revoked before, its time is over, or it never was.
    Gone,
    /// Somebody signs in with this name already.
    LoginTaken,
}

impl Store {
    /// Invites somebody. An open invitation for the same name ends. Returns `false` where somebody signs in with this name
    /// already.
    pub async fn invite(&self, new: NewInvitation<'_>) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let taken =
            query!(fetch_optional, (String,), tx, "SELECT name FROM users WHERE login = $1", new.login)?;
        if taken.is_some() {
            tx.roll_back().await?;
            return Ok(false);
        }
        execute!(
            tx,
            "UPDATE invitations SET ended_at = $3 WHERE workspace = $1 AND login = $2 AND ended_at IS NULL",
            new.workspace,
            new.login,
            now,
        )?;
        execute!(
            tx,
            "INSERT INTO invitations (id, token_hash, workspace, login, role, agent, created_at, created_by, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            Uuid::now_v7(),
            new.token_hash,
            new.workspace,
            new.login,
            new.role.name(),
            new.agent,
            now,
            new.actor,
            now.plus(new.lifetime),
        )?;
        let what = json!({"user": new.login, "role": new.role.name(), "agent": new.agent});
        record(&mut tx, (new.workspace, new.actor), Action::InviteUser, what, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// The open invitations of a workspace, newest first.
    pub async fn invitations(&self, workspace: WorkspaceId) -> Result<Vec<InvitationRow>> {
        Ok(read!(
            fetch_all,
            InvitationRow,
            self,
            "SELECT id, workspace, login, role, agent, created_at, created_by, expires_at FROM invitations
             WHERE workspace = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC",
            workspace,
            self.now(),
        )?)
    }

    /// The open invitation with this token. It takes no workspace: the invitation says which one it is.
    pub async fn invitation(&self, token_hash: &str) -> Result<Option<InvitationRow>> {
        Ok(read!(
            fetch_optional,
            InvitationRow,
            self,
            "SELECT id, workspace, login, role, agent, created_at, created_by, expires_at FROM invitations
             WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2",
            token_hash,
            self.now(),
        )?)
    }

    /// Takes an invitation back. Returns whether it was open.
    pub async fn revoke_invitation(&self, (workspace, actor): (WorkspaceId, &str), id: Uuid) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let ended = query!(
            fetch_optional,
            (String,),
            tx,
            "UPDATE invitations SET ended_at = $3 WHERE workspace = $1 AND id = $2 AND ended_at IS NULL
             RETURNING login",
            workspace,
            id,
            now,
        )?;
        let Some((login,)) = ended else {
            tx.roll_back().await?;
            return Ok(false);
        };
        let what = json!({"user": login});
        record(&mut tx, (workspace, actor), Action::RevokeInvitation, what, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Makes the account of an invitation. The invitation ends with it, so it makes only one.
    pub async fn accept_invitation(
        &self,
        invitation: Invitation<'_>,
        account: NewAccount<'_>,
    ) -> Result<Acceptance> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let ended = end(&mut tx, invitation, now).await?;
        let Some((row, role)) = ended.and_then(|row| row.role.parse().ok().map(|role| (row, role))) else {
            tx.roll_back().await?;
            return Ok(Acceptance::Gone);
        };
        let new = NewUser {
            workspace: row.workspace,
            login: &row.login,
            name: account.name,
            role,
            agent: row.agent.as_deref(),
            password_hash: account.password_hash,
            actor: &actor(&row.login),
        };
        let Some(user) = make(&mut tx, new, now).await? else {
            tx.roll_back().await?;
            return Ok(Acceptance::LoginTaken);
        };
        tx.commit().await?;
        Ok(Acceptance::Accepted(user))
    }
}

async fn end(tx: &mut Tx, invitation: Invitation<'_>, now: Moment) -> Result<Option<InvitationRow>> {
    Ok(match invitation {
        Invitation::Token(token_hash) => query!(
            fetch_optional,
            InvitationRow,
            *tx,
            "UPDATE invitations SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL AND expires_at > $2
             RETURNING id, workspace, login, role, agent, created_at, created_by, expires_at",
            token_hash,
            now,
        )?,
        // Two workspaces can invite the same person. The newest invitation counts.
        Invitation::Login(login) => query!(
            fetch_optional,
            InvitationRow,
            *tx,
            "UPDATE invitations SET ended_at = $2 WHERE id = (SELECT id FROM invitations
                WHERE login = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT 1)
                AND ended_at IS NULL
             RETURNING id, workspace, login, role, agent, created_at, created_by, expires_at",
            login,
            now,
        )?,
    })
}
