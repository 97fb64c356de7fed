//! How a process learns that another one has stored events: PostgreSQL tells it (`LISTEN`, `NOTIFY`).
//!
//! A notice is sent when the transaction with the events is committed, and it carries only the call. Whoever gets it reads
//! the events from the store. So a notice that is lost or doubled loses and doubles nothing.

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::super::{Db, Result, Store};
use domain::call::CallId;

pub(super) const CHANNEL: &str = "debrief_live";

/// A notice says that there may be new events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveNotice {
    /// This call has them.
    Of(CallId),
    /// Any call may have them, because notices may have been missed.
    OfAny,
}

/// The notices of other processes.
pub struct LiveNotices(PgListener);

impl Store {
    /// Begins to listen for the events that other processes store. `None` for an embedded store, which has one process.
    pub async fn live_notices(&self) -> Result<Option<LiveNotices>> {
        let Db::Postgres(connections) = &self.db else { return Ok(None) };
        // The listener keeps its connection for ever, so it is none of the pool's.
        let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(connections.options());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(LiveNotices(listener)))
    }
}

impl LiveNotices {
    /// The next notice. After the connection broke and was made again, notices may have been missed.
    pub async fn next(&mut self) -> Result<LiveNotice> {
        let notice = self.0.try_recv().await?;
        let call = notice.and_then(|notice| notice.payload().parse().ok());
        Ok(call.map_or(LiveNotice::OfAny, |call| LiveNotice::Of(CallId(call))))
    }
}
