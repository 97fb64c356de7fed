//! `debrief migrate`: updates the tables of the database for this version of the program.

use std::process::ExitCode;

use anyhow::Context as _;
use platform::config::Values;
use store::Store;

use crate::deployment::make_store;
use crate::outcome::Ended;

pub(crate) async fn migrate(values: &Values) -> Ended {
    match values.text("DATABASE_URL") {
        Some(url) => {
            Store::migrate_postgres(&url).await.context("migrate the database that DATABASE_URL names")?;
        }
        // Opening an embedded store migrates it.
        None => make_store(values).await?.close().await,
    }
    say!("the store is up to date");
    Ok(ExitCode::SUCCESS)
}
