//! The data folder of the first version goes through the program of today.
//!
//! The files in `tests/first_version` were written by the first version. Its Slack was away, and it had no speech to text.
//! So two calls are analyzed and not posted, one call waits for speech to text, one has no recording, and two deliveries
//! are still in the queue: a second session, and the first meeting again.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, SqliteConnection};

use crate::world::{Kind, World};

/// The calls of the folder by the ids of their sources, and how they end.
const CALLS: [(&str, &str); 5] = [
    ("hN3xT0aWQ1yDebriefDemo==", "completed"),
    ("S-1", "completed"),
    ("S-2", "completed"),
    ("CA-77", "waiting"),
    ("CA-78", "no_recording"),
];
/// What is posted about the completed ones. The transcript of the meeting is a message of its own.
const MESSAGES: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn the_data_folder_of_the_first_version_goes_on_where_it_was() {
    let settings = [("ASSEMBLYAI_API_KEY", ""), ("OPENAI_API_KEY", ""), ("CRM_AUTO_UPLOAD", "false")];
    let mut world = World::start_with(Kind::Embedded, &settings).await;
    world.stop_role("all").await;
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/first_version");
    for (database, text) in [("debrief.db", "store.sql"), ("queue.db", "queue.sql")] {
        let sql = std::fs::read_to_string(fixture.join(text)).unwrap();
        make_database(&folder.path().join(database), sql).await;
    }
    copy_folder(&fixture.join("blobs"), &folder.path().join("blobs"));
    world.set("DEBRIEF_DATA_DIR", folder.path().to_str().unwrap());
    // The first version kept its blobs in the data folder.
    world.set("BLOB_URL", "");
    world.start_role("all").await;

    for (id, status) in CALLS {
        world.status(id, status).await;
    }
    let meeting = world.get("/api/calls/hN3xT0aWQ1yDebriefDemo==").await.unwrap();
    assert_eq!(meeting["participants"][0]["name"], "Iris Adeyemi");
    assert_eq!(meeting["analysis"]["analyzer"], "builtin", "what the first version found is read");
    let posts = world.effects("slack", "post").await;
    assert_eq!(posts.len(), MESSAGES, "{posts:?}");
    assert!(posts.values().all(|times| *times == 1), "{posts:?}");
    world.finish().await;
}

async fn make_database(file: &Path, sql: String) {
    let mut database =
        SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &there);
        } else {
            std::fs::copy(entry.path(), there).unwrap();
        }
    }
}
