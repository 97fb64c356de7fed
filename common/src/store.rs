//! The store: one set of methods over PostgreSQL and SQLite.

use crate::analysis::Analysis;
use crate::moment::Moment;
use crate::transcript::Transcript;

#[derive(Debug, thiserror::Error)]
#[error("failed to use the store: {0}")]
pub struct StoreError(#[from] sqlx::Error);

/// A result of a run, stored in the transaction that ends it.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    Transcript(Transcript),
    Analysis(Box<Analysis>),
}

#[derive(Clone, Debug)]
pub struct Store;

impl Store {
    pub fn now(&self) -> Moment {
        Moment::now()
    }
}
