//! Tries to sign in, as far as they failed. [`domain::sign_in`] decides what follows from them.
//!
//! A try is written down before its password is checked, and taken out again when it was right. So many tries at the same
//! time count each other.

use std::time::Duration;

use uuid::Uuid;

use super::{Result, Store, execute, read};
use domain::moment::Moment;
use domain::sign_in::{COUNTED_WITHIN, Count, Failures};

const KEPT_FOR: Duration = Duration::from_hours(24);
/// How long an address counts as one from which somebody signs in.
const KNOWN_FOR: Duration = Duration::from_hours(24 * 30);

/// A try that is being decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignInTry {
    pub id: Uuid,
    /// The failures before it.
    pub failures: Failures,
}

type Counts = (i64, Option<Moment>);

impl Store {
    /// Writes a try down and counts those before it.
    pub async fn begin_sign_in(&self, login: &str, network: &str) -> Result<SignInTry> {
        let (id, now) = (Uuid::now_v7(), self.now());
        let mut tx = self.begin_tx().await?;
        execute!(tx, "DELETE FROM sign_in_failures WHERE at < $1", now.minus(KEPT_FOR))?;
        execute!(
            tx,
            "INSERT INTO sign_in_failures (id, login, network, at) VALUES ($1, $2, $3, $4)",
            id,
            login,
            network,
            now,
        )?;
        tx.commit().await?;
        let since = now.minus(COUNTED_WITHIN);
        let (of_both, newest_of_both, of_account, newest_of_account): (_, _, _, _) = read!(
            fetch_one,
            (i64, Option<Moment>, i64, Option<Moment>),
            self,
            "SELECT COUNT(*) FILTER (WHERE network = $2), MAX(at) FILTER (WHERE network = $2), COUNT(*), MAX(at)
             FROM sign_in_failures WHERE login = $1 AND at > $3 AND id <> $4",
            login,
            network,
            since,
            id,
        )?;
        let (of_network, newest_of_network) = read!(
            fetch_one,
            Counts,
            self,
            "SELECT COUNT(*), MAX(at) FROM sign_in_failures WHERE network = $1 AND at > $2 AND id <> $3",
            network,
            since,
            id,
        )?;
        let known = read!(
            fetch_optional,
            (Uuid,),
            self,
            "SELECT s.id FROM user_sessions AS s JOIN users AS u ON u.id = s.user_id
             WHERE u.login = $1 AND s.network = $2 AND s.created_at > $3 LIMIT 1",
            login,
            network,
            now.minus(KNOWN_FOR),
        )?;
        let count = |count: i64, newest: Option<Moment>| Count {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            newest_ago: newest.map_or(COUNTED_WITHIN, |newest| now.since(newest)),
        };
        let failures = Failures {
            of_both: count(of_both, newest_of_both),
            of_account: count(of_account, newest_of_account),
            of_network: count(of_network, newest_of_network),
            network_is_known: known.is_some(),
        };
        Ok(SignInTry { id, failures })
    }

    /// Takes a try out that was not decided, because it came too early.
    pub async fn forget_sign_in(&self, tried: &SignInTry) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "DELETE FROM sign_in_failures WHERE id = $1", tried.id)?;
        tx.commit().await
    }

    /// Takes the failures out that an address had with an account, because the right password came.
    pub async fn forgive_sign_ins(&self, login: &str, network: &str) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "DELETE FROM sign_in_failures WHERE login = $1 AND network = $2", login, network)?;
        tx.commit().await
    }

    /// Takes every failure of an account out. This is for whoever runs the installation.
    pub async fn forgive_account(&self, login: &str) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(tx, "DELETE FROM sign_in_failures WHERE login = $1", login)?;
        tx.commit().await
    }
}
