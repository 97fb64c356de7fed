//! The outbox: events that were accepted while the broker did not confirm. The keeper relays them to the broker.

use uuid::Uuid;

use super::{Db, Result, Store, execute, query, read};

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OutboxRow {
    pub id: i64,
    pub event_id: Uuid,
    /// `live` or `bulk`.
    pub lane: String,
    /// The encoded envelope.
    pub body: String,
}

impl Store {
    pub async fn add_to_outbox(&self, event_id: Uuid, lane: &str, body: &str) -> Result<()> {
        let mut tx = self.one_statement().await?;
        execute!(
            tx,
            "INSERT INTO outbox (event_id, lane, body, created_at) VALUES ($1, $2, $3, $4)",
            event_id,
            lane,
            body,
            self.now(),
        )?;
        tx.commit().await
    }

    /// Passes up to `limit` rows to `relay`, oldest first. `relay` returns the ids of the rows that it has published,
    /// and these are removed. Two processes never relay the same row at the same time.
    pub async fn relay_outbox<F>(&self, limit: i64, relay: F) -> Result<usize>
    where
        F: AsyncFnOnce(Vec<OutboxRow>) -> Vec<i64>,
    {
        if self.outbox_len().await? == 0 {
            return Ok(0);
        }
        let mut tx = self.begin_tx().await?;
        let sql = match &self.db {
            Db::Postgres(_) => {
                "SELECT id, event_id, lane, body FROM outbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED"
            }
            Db::Sqlite { .. } => "SELECT id, event_id, lane, body FROM outbox ORDER BY id LIMIT $1",
        };
        let rows = query!(fetch_all, OutboxRow, tx, sql, limit)?;
        let published = relay(rows).await;
        for id in &published {
            execute!(tx, "DELETE FROM outbox WHERE id = $1", *id)?;
        }
        tx.commit().await?;
        Ok(published.len())
    }

    pub async fn outbox_len(&self) -> Result<i64> {
        let (rows,) = read!(fetch_one, (i64,), self, "SELECT COUNT(*) FROM outbox")?;
        Ok(rows)
    }
}
