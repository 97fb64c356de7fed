//! Tests what is said about a file of the embedded store that cannot be used.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sqlx::Connection as _;
use store::{FileError, OpenError, Store};

/// Makes a store with some pages, changes its file, and opens it again.
async fn opened(change: impl FnOnce(&Path)) -> Result<Store, OpenError> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_embedded(folder.path()).await.unwrap();
    for number in 0..200 {
        let name = format!("secret {number}");
        store.shared_secret(&name, || "x".repeat(500)).await.unwrap();
    }
    store.close().await;
    change(&folder.path().join("debrief.db"));
    Store::open_embedded(folder.path()).await
}

fn overwrite(file: &Path, from: usize, length: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[from..from + length].fill(0xa5);
    fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
    let truncated = opened(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    });
    let garbage_header = opened(|file| overwrite(file, 0, 100));
    let garbage_page = opened(|file| {
        let middle = fs::metadata(file).unwrap().len() / 2 / 4096 * 4096;
        overwrite(file, usize::try_from(middle).unwrap(), 4096);
    });
    let a_text = opened(|file| {
        fs::write(file, "not a database at all, but long enough for one\n".repeat(50)).unwrap();
    });
    for (what, result) in [
        ("truncated", truncated.await),
        ("header", garbage_header.await),
        ("page", garbage_page.await),
        ("text", a_text.await),
    ] {
        let error = result.err().unwrap_or_else(|| panic!("{what}: it was opened"));
        let said = error.to_string();
        assert!(matches!(error, OpenError::File(FileError::Damaged { .. })), "{what}: {said}");
        assert!(said.contains("debrief.db") && said.contains("restore"), "{what}: {said}");
        assert!(!said.contains('\n'), "{what}: {said}");
    }
}

#[tokio::test]
async fn a_log_without_content_is_no_damage() {
    opened(|file| fs::write(file.with_file_name("debrief.db-wal"), "").unwrap()).await.unwrap().close().await;
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("debrief.db");
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let mut theirs = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE bookmarks (url TEXT)").execute(&mut theirs).await.unwrap();
    theirs.close().await.unwrap();
    let before = fs::read(&file).unwrap();
    let error = Store::open_embedded(folder.path()).await.err().unwrap();
    assert!(matches!(error, OpenError::File(FileError::OfAnotherProgram { .. })), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
    let mut theirs = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let (tables,): (i64,) =
        sqlx::query_as("SELECT count(*) FROM sqlite_master").fetch_one(&mut theirs).await.unwrap();
    assert_eq!(tables, 1, "none of our tables is in it");
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("debrief.db")).unwrap();
    let said = Store::open_embedded(folder.path()).await.err().unwrap().to_string();
    assert!(said.contains("debrief.db") && said.contains("folder of this name"), "{said}");
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_named() {
    let result = opened(|file| fs::set_permissions(file, fs::Permissions::from_mode(0o0)).unwrap()).await;
    // Root may read everything.
    if let Err(error) = result {
        let said = error.to_string();
        assert!(said.contains("debrief.db") && said.contains("may read and write"), "{said}");
    }
}
