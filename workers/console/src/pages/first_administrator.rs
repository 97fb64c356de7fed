//! Who may make the first administrator, for people in a browser and for programs.

use axum::http::request::Parts;
use domain::principal::Scope;
use web::{INSTALLATION, Problem};

use crate::Console;

/// Who makes the first administrator: whoever shows a key that may decide who gets in, or anybody on this machine while
/// no key is set. `None` for everybody else.
pub(crate) async fn actor_of(console: &Console, head: &Parts, key: &str) -> Result<Option<String>, Problem> {
    if console.access.is_open() {
        return Ok(Some("no key".to_owned()));
    }
    if key.is_empty() {
        return Ok(None);
    }
    let principal = console.access.of_key(key, head).await?;
    let principal =
        principal.filter(|who| who.scopes.has(Scope::Administer) && who.workspace == INSTALLATION);
    Ok(principal.map(|who| who.actor.to_string()))
}

/// From the first account on, everybody has to sign in.
pub(crate) async fn close(console: &Console) {
    if let Err(error) = console.access.look().await {
        tracing::warn!(error = format!("{error:#}"), "failed to look whether there is an account");
    }
}
