//! Sessions: the browsers and programs in which people are signed in.
//!
//! Only the SHA-256 of a session's token is kept. A session ends at its time, after a while in which nobody used it, when
//! somebody ends it, and when its account is changed.

use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::audit::{Action, actor, record};
use super::columns::bounded;
use super::{Result, Store, Tx, execute, query, read};
use domain::account::{Role, UserId};
use domain::call::WorkspaceId;
use domain::moment::Moment;
use domain::principal::{AgentIdentity, Principal, Scopes, Sees};

/// A session that nobody uses for so long has ended.
const UNUSED_FOR: Duration = Duration::from_hours(24);
/// How exactly it is known when a session was last used. Each note of it is a write.
const SEEN_WITHIN: Duration = Duration::from_mins(1);
/// How long a session that has ended is kept. It shows from which addresses somebody has signed in.
const KEPT_FOR: Duration = Duration::from_hours(24 * 30);
const MAX_AGENT_CHARS: usize = 200;

/// A session that is to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    pub user: UserId,
    pub workspace: WorkspaceId,
    pub token_hash: &'a str,
    pub lifetime: Duration,
    /// `password`, `oidc` or `token`.
    pub how: &'static str,
    /// What the browser says of itself.
    pub user_agent: &'a str,
    pub network: &'a str,
}

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionRow {
    pub id: Uuid,
    pub created_at: Moment,
    pub last_seen_at: Moment,
    pub expires_at: Moment,
    pub how: String,
    pub user_agent: String,
    pub network: String,
}

/// Who is signed in, by her session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    pub session: Uuid,
    pub user: UserId,
    pub login: String,
    pub name: String,
    pub role: Role,
    /// The workspace of her account. Her principal can be in another one, where she is an administrator of the
    /// installation.
    pub home: WorkspaceId,
    pub has_password: bool,
    pub principal: Principal,
}

impl SignedIn {
    /// Whether she may enter every workspace.
    pub fn administers_installation(&self) -> bool {
        administers_installation(self.home, self.role)
    }
}

fn administers_installation(home: WorkspaceId, role: Role) -> bool {
    home == WorkspaceId::DEFAULT && role == Role::Administrator
}

#[derive(sqlx::FromRow)]
struct Columns {
    session: Uuid,
    workspace: WorkspaceId,
    last_seen_at: Moment,
    user_id: UserId,
    home: WorkspaceId,
    login: String,
    name: String,
    role: String,
    agent: Option<String>,
    has_password: bool,
}

impl Columns {
    /// `None` where the account has no rights in the workspace of the session.
    fn signed_in(self) -> Option<SignedIn> {
        let role: Role = self.role.parse().ok()?;
        if self.workspace != self.home && !administers_installation(self.home, role) {
            return None;
        }
        let (scopes, sees) = match role {
            // An agent whose name is not set sees no call of anybody.
            Role::Agent => match self.agent.as_deref().and_then(AgentIdentity::new) {
                Some(agent) => (role.scopes(), Sees::OnlyOf(agent)),
                None => (Scopes::default(), Sees::All),
            },
            Role::Administrator | Role::Manager | Role::Viewer => (role.scopes(), Sees::All),
        };
        let principal =
            Principal { workspace: self.workspace, actor: actor(&self.login).into(), scopes, sees };
        Some(SignedIn {
            session: self.session,
            user: self.user_id,
            login: self.login,
            name: self.name,
            role,
            home: self.home,
            has_password: self.has_password,
            principal,
        })
    }
}

impl Store {
    /// Makes a session, and forgets those of the account that ended long ago.
    pub async fn create_session(&self, new: NewSession<'_>) -> Result<Uuid> {
        let (id, now) = (Uuid::now_v7(), self.now());
        let mut tx = self.begin_tx().await?;
        execute!(
            tx,
            "DELETE FROM user_sessions WHERE user_id = $1 AND (expires_at < $2 OR ended_at < $2)",
            new.user,
            now.minus(KEPT_FOR),
        )?;
        execute!(
            tx,
            "INSERT INTO user_sessions (id, token_hash, user_id, workspace, created_at, last_seen_at, expires_at, how,
                user_agent, network)
             VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9)",
            id,
            new.token_hash,
            new.user,
            new.workspace,
            now,
            now.plus(new.lifetime),
            new.how,
            bounded(new.user_agent, MAX_AGENT_CHARS),
            new.network,
        )?;
        tx.commit().await?;
        Ok(id)
    }

    /// Who is signed in with this token. `None` where the session has ended or never was. It takes no workspace: the
    /// session says which one it is.
    pub async fn signed_in(&self, token_hash: &str) -> Result<Option<SignedIn>> {
        let now = self.now();
        let row = read!(
            fetch_optional,
            Columns,
            self,
            "SELECT s.id AS session, s.workspace, s.last_seen_at, u.id AS user_id, u.workspace AS home, u.login, u.name,
                u.role, u.agent, u.password_hash IS NOT NULL AS has_password
             FROM user_sessions AS s JOIN users AS u ON u.id = s.user_id
             WHERE s.token_hash = $1 AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3
                AND u.disabled_at IS NULL",
            token_hash,
            now,
            now.minus(UNUSED_FOR),
        )?;
        let Some(row) = row else { return Ok(None) };
        let (session, seen) = (row.session, row.last_seen_at);
        let signed_in = row.signed_in();
        if signed_in.is_some() && now.since(seen) >= SEEN_WITHIN {
            let mut tx = self.one_statement().await?;
            execute!(tx, "UPDATE user_sessions SET last_seen_at = $2 WHERE id = $1", session, now)?;
            tx.commit().await?;
        }
        Ok(signed_in)
    }

    /// The sessions of an account that have not ended, newest first.
    pub async fn sessions(&self, workspace: WorkspaceId, user: UserId) -> Result<Vec<SessionRow>> {
        let now = self.now();
        Ok(read!(
            fetch_all,
            SessionRow,
            self,
            "SELECT id, created_at, last_seen_at, expires_at, how, user_agent, network FROM user_sessions
             WHERE user_id = (SELECT id FROM users WHERE id = $1 AND workspace = $2)
                AND ended_at IS NULL AND expires_at > $3 AND last_seen_at > $4
             ORDER BY created_at DESC, id DESC",
            user,
            workspace,
            now,
            now.minus(UNUSED_FOR),
        )?)
    }

    /// Signs out: ends the session of this token.
    pub async fn sign_out(&self, token_hash: &str) -> Result<()> {
        let mut tx = self.one_statement().await?;
        let now = self.now();
        execute!(
            tx,
            "UPDATE user_sessions SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL",
            token_hash,
            now,
        )?;
        tx.commit().await
    }

    /// Ends one session of an account, or all but `except`, and puts that on record. Returns how many ended.
    pub async fn end_sessions(
        &self,
        (workspace, actor): (WorkspaceId, &str),
        user: UserId,
        only: Option<Uuid>,
        except: Option<Uuid>,
    ) -> Result<u64> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let login = query!(
            fetch_optional,
            (String,),
            tx,
            "SELECT login FROM users WHERE id = $1 AND workspace = $2",
            user,
            workspace,
        )?;
        let Some((login,)) = login else {
            tx.roll_back().await?;
            return Ok(0);
        };
        let nobody = Uuid::nil();
        let ended = execute!(
            tx,
            "UPDATE user_sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
                AND (id = $3 OR $3 = $5) AND id <> $4",
            user,
            now,
            only.unwrap_or(nobody),
            except.unwrap_or(nobody),
            nobody,
        )?;
        if ended > 0 {
            let what = json!({"user": login, "sessions": ended});
            record(&mut tx, (workspace, actor), Action::EndSessions, what, now).await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    /// Lets the session of an administrator of the installation work in another workspace. Whether she may is decided
    /// by who is signed in, whenever the session is read. Returns whether there is such a workspace.
    pub async fn enter_workspace(&self, who: &SignedIn, workspace: WorkspaceId) -> Result<bool> {
        let now = self.now();
        let mut tx = self.begin_tx().await?;
        let entered = execute!(
            tx,
            "UPDATE user_sessions SET workspace = $2 WHERE id = $1 AND EXISTS (SELECT 1 FROM workspaces WHERE id = $2)",
            who.session,
            workspace,
        )?;
        if entered == 1 && who.administers_installation() {
            let what = json!({"user": who.login});
            record(&mut tx, (workspace, &who.principal.actor), Action::EnterWorkspace, what, now).await?;
            tx.commit().await?;
            return Ok(true);
        }
        tx.roll_back().await?;
        Ok(false)
    }
}

/// Ends every session of an account.
pub(super) async fn end_all(tx: &mut Tx, user: UserId, now: Moment) -> Result<()> {
    execute!(
        *tx,
        "UPDATE user_sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL",
        user,
        now,
    )?;
    Ok(())
}
