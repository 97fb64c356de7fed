//! Tests the drop folder.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use crate::processes::{Process, command, debrief};

const PATIENCE: Duration = Duration::from_mins(1);

struct Dropped {
    dir: tempfile::TempDir,
    settings: HashMap<String, String>,
}

impl Dropped {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("drop")).unwrap();
        let data = dir.path().join("data").to_str().unwrap().to_owned();
        let settings = [("DEBRIEF_DATA_DIR", data), ("DEBRIEF_RETRY_SCHEDULE", "100ms".to_owned())];
        Self { dir, settings: settings.map(|(name, value)| (name.to_owned(), value)).into() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("drop").join(name)
    }

    fn drop(&self, name: &str, content: &str) {
        std::fs::create_dir_all(self.at(name).parent().unwrap()).unwrap();
        std::fs::write(self.at(name), content).unwrap();
    }

    fn watching(&self) -> Process {
        let folder = self.at("");
        let args = ["import", "--watch", folder.to_str().unwrap()];
        debrief(&args, &self.settings, &self.log())
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    async fn there(&self, name: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Ok(text) = std::fs::read_to_string(self.at(name)) {
                return text;
            }
            let said = || std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(Instant::now() < end, "{name} never came: {}", said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn calls(&self) -> usize {
        let (code, said) = command(&["calls", "list", "--json"], &self.settings).await;
        assert_eq!(code, Some(0), "{said}");
        serde_json::from_str::<Vec<serde_json::Value>>(&said).unwrap().len()
    }
}

fn vtt(words: &str) -> String {
    format!("WEBVTT\n\n00:01.000 --> 00:03.000\nAnn Weber: {words}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_into_the_folder_is_brought_in_once_and_moved_and_a_restart_changes_nothing() {
    let dropped = Dropped::new();
    dropped.drop("before.vtt", &vtt("It was here before."));
    let watching = dropped.watching();
    assert_eq!(dropped.there("done/before.vtt").await, vtt("It was here before."));
    dropped.drop("later/one.vtt", &vtt("It came later."));
    dropped.drop("page.wav", "<!DOCTYPE html><p>Sign in</p>");
    dropped.there("done/later/one.vtt").await;
    let why = dropped.there("failed/page.wav.txt").await;
    assert!(why.contains("not a recording"), "{why}");
    dropped.there("failed/page.wav").await;
    // A process that is killed leaves what it had in hand, and the next one finds it.
    watching.kill().await;
    dropped.drop("again.vtt", &vtt("It was here before."));
    dropped.drop("new.vtt", &vtt("It came while nobody looked."));
    let watching = dropped.watching();
    dropped.there("done/again.vtt").await;
    dropped.there("done/new.vtt").await;
    assert_eq!(watching.stop().await.code(), Some(0));
    let said = std::fs::read_to_string(dropped.log()).unwrap();
    assert!(said.trim_end().ends_with("{\"success\":2,\"failed\":0,\"total\":2}"), "{said}");
    assert_eq!(dropped.calls().await, 3, "the same words are the same call");
    let left: Vec<_> =
        std::fs::read_dir(dropped.at("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let all_are_folders = |paths: &[PathBuf]| paths.iter().all(|path| Path::is_dir(path));
    assert!(all_are_folders(&left), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_none_is_named() {
    let dropped = Dropped::new();
    let (code, said) = command(&["import", "--watch", "/nowhere/at/all"], &dropped.settings).await;
    assert!(code == Some(2) && said.contains("--watch") && said.contains("is no folder"), "{said}");
}
