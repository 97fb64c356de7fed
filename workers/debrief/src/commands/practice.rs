//! `debrief practice`: a meeting in the terminal, in text.

use std::io::{IsTerminal as _, stdin};
use std::process::ExitCode;
use std::sync::Arc;

use domain::shown_text;
use platform::cache::Memory;
use platform::config::{Installation, Values};
use practice::Practice;
use practice::terminal::{Talk, access};
use queue_topology::broker::Lane;
use queue_topology::intake::Intake;
use uuid::Uuid;

use crate::deployment::{open_blobs, open_workspace, sealer};
use crate::outcome::{Ended, failed};

/// Holds a meeting with whoever sits at the terminal. What the meeting becomes at its end is taken in by the next `run`, or
/// by the one that runs beside.
pub(crate) async fn practice(values: &Values, workspace: &str, meeting: Option<Uuid>) -> Ended {
    let installation = Installation::read(values)?;
    let (store, workspace) = open_workspace(values, workspace).await?;
    let blobs = open_blobs(values, &installation)?;
    let cache = Arc::new(Memory::default());
    let intake = Intake {
        broker: None,
        outbox: Arc::new(store.clone()),
        blobs: blobs.clone(),
        sealer: sealer(values, &store).await?,
        cache: cache.clone(),
        lane: Lane::Live,
    };
    let practice = Practice::from_values(values, (store.clone(), blobs), cache, access(workspace), intake)?;
    let ended = match Talk::open(practice, workspace, meeting).await {
        Ok(talk) => hold(&talk).await,
        Err(why) => Err(why),
    };
    store.close().await;
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(why) => failed(why),
    }
}

async fn hold(talk: &Talk) -> Result<(), String> {
    let is_terminal = stdin().is_terminal();
    show(talk.opening());
    loop {
        if is_terminal {
            say_on!("> ");
        }
        let line = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            stdin().read_line(&mut line).map(|_| line)
        });
        let line = line.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let words = line.trim();
        if words.is_empty() || words == "/end" {
            break;
        }
        show(talk.say(words).await?);
    }
    show(talk.end().await?);
    Ok(())
}

fn show(lines: Vec<String>) {
    for line in lines {
        say!("{}", shown_text::lines(&line).trim_end());
    }
}
