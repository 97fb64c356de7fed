//! Tests how Debrief treats the machine that it runs on: who can read its files, what a killed process leaves behind,
//! what wrong settings and damaged files do, and what reaches a terminal.

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::inputs::{Meeting, PhoneCall};
use crate::processes::{command, command_within};
use crate::world::{Kind, World};

const EVIL: &str = "x\u{1b}[31my\u{9b}2Jz\u{202e}w";

/// A command with a data folder of its own, without providers.
fn alone(folder: &Path) -> HashMap<String, String> {
    let folder = folder.to_str().unwrap().to_owned();
    let settings = [("DEBRIEF_DATA_DIR", folder), ("PORT", "0".to_owned())];
    settings.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Every file and folder below `folder`, and the folder itself.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut at = 0;
    while at < found.len() {
        if found[at].is_dir() {
            found.extend(std::fs::read_dir(&found[at]).unwrap().map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    found
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o777
}

pub(crate) fn open_to_others(folder: &Path) -> Vec<String> {
    let paths = everything(folder).into_iter();
    // The log of a process is written by the test.
    let paths = paths.filter(|path| path.extension().is_none_or(|extension| extension != "log"));
    paths
        .filter(|path| mode(path) & 0o077 != 0)
        .map(|path| format!("{:o} {}", mode(&path), path.display()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_read_what_debrief_writes_and_what_was_open_is_mended_at_start() {
    let mut world = World::start(Kind::Embedded).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.completed(&call.id).await;
    world.meeting(&Meeting::new()).await;
    assert_eq!(open_to_others(world.folder()), Vec::<String>::new());

    world.kill("all").await;
    let lines = |log: &str| log.lines().filter(|line| line.contains("only this user can read them")).count();
    let before = lines(&world.said("all"));
    for path in everything(world.folder()) {
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    world.start_role("all").await;
    assert_eq!(open_to_others(world.folder()), Vec::<String>::new());
    assert_eq!(lines(&world.said("all")), before + 1, "{}", world.said("all"));
    world.finish().await;
}

/// Sends the first part of an upload.
async fn begun_upload(port: u16) -> TcpStream {
    let head = "POST /api/calls HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000000\r\n\
                Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n\
                Content-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\nRIFF\x24\0\0\0WAVEfmt ";
    let mut upload = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    upload.write_all(head.as_bytes()).await.unwrap();
    upload.write_all(&vec![0; 1024 * 1024]).await.unwrap();
    upload
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_a_killed_process_left_is_removed_at_the_next_start() {
    let mut world = World::start_in_folder(Kind::Embedded).await;
    let mut uploads = Vec::new();
    for _ in 0..3 {
        uploads.push(begun_upload(world.port("all")).await);
    }
    world.wait("the uploads to begin", async |world| (world.uploads().len() == 3).then_some(())).await;
    world.kill("all").await;
    drop(uploads);
    assert_eq!(world.uploads().len(), 3, "a killed process leaves them behind");
    world.start_role("all").await;
    assert_eq!(world.uploads(), Vec::<PathBuf>::new());
    assert!(world.said("all").contains("removed uploads that a process left unfinished"));
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_removes_what_a_killed_one_left_and_nothing_that_another_one_writes() {
    let mut world = World::start_in_folder(Kind::Servers).await;
    let upload = begun_upload(world.port("ingest")).await;
    world.wait("the upload to begin", async |world| (world.uploads().len() == 1).then_some(())).await;
    for path in world.uploads() {
        // A slow upload is as old as one that was left behind.
        let then = SystemTime::now() - Duration::from_hours(1000);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }
    world.stop_role("api").await;
    world.start_role("api").await;
    assert_eq!(world.uploads().len(), 1, "ingest still writes it");
    world.kill("ingest").await;
    drop(upload);
    world.stop_role("api").await;
    world.start_role("api").await;
    assert_eq!(world.uploads(), Vec::<PathBuf>::new());
    world.finish().await;
}

/// Settings that are of no use, with the name that has to be in the message.
const WRONG: [(&[(&str, &str)], &str); 18] = [
    (&[("DEBRIEF_MAX_CONNECTIONS", "0")], "DEBRIEF_MAX_CONNECTIONS"),
    (&[("DEBRIEF_MAX_CONNECTIONS", "-1")], "DEBRIEF_MAX_CONNECTIONS"),
    (&[("DEBRIEF_MAX_CONNECTIONS", "x")], "DEBRIEF_MAX_CONNECTIONS"),
    (&[("DEBRIEF_MAX_REQUESTS", "18446744073709551615")], "DEBRIEF_MAX_REQUESTS"),
    (&[("DEBRIEF_MAX_UPLOAD_MB", "0")], "DEBRIEF_MAX_UPLOAD_MB"),
    (&[("DEBRIEF_REGION", "XX")], "DEBRIEF_REGION"),
    (&[("SUPPORT_NUMBER", "abc")], "SUPPORT_NUMBER"),
    (&[("EXOTEL_API_KEY", "hunter2")], "EXOTEL_API_TOKEN"),
    (&[("DEBRIEF_API_KEY", "hunter2"), ("DEBRIEF_WEBHOOK_KEY", "hunter2")], "DEBRIEF_WEBHOOK_KEY"),
    (&[("RUST_LOG", "[")], "RUST_LOG"),
    (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:hunter2@")], "OTEL_EXPORTER_OTLP_ENDPOINT"),
    (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2")], "OTEL_EXPORTER_OTLP_ENDPOINT"),
    (&[("DEBRIEF_RETRY_SCHEDULE", "18446744073709551615s")], "DEBRIEF_RETRY_SCHEDULE"),
    (&[("DEBRIEF_RETRY_SCHEDULE", "5s,")], "DEBRIEF_RETRY_SCHEDULE"),
    (&[("REDIS_URL", "hunter2")], "REDIS_URL"),
    (&[("DEBRIEF_SEAL_KEY", "hunter2")], "DEBRIEF_SEAL_KEY"),
    (&[("DEBRIEF_DATA_DIR", "/dev/null/data")], "DEBRIEF_DATA_DIR"),
    (&[("SLACK_WEBHOOK_URL", "hunter2")], "SLACK_WEBHOOK_URL"),
];

#[tokio::test(flavor = "multi_thread")]
async fn check_and_run_refuse_the_same_settings_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for (given, named) in WRONG {
        let mut settings = alone(folder.path());
        settings.extend(given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        for args in [["check"], ["run"]] {
            let (code, said) = command(&args, &settings).await;
            assert_eq!(code, Some(2), "{given:?} {args:?}: {said}");
            assert!(said.contains(named) && said.lines().count() == 1, "{given:?} {args:?}: {said}");
            assert!(!said.contains("hunter2") && !said.contains("panicked"), "{given:?} {args:?}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_text_is_refused_and_no_process_runs_without_it() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    for args in ["check", "run"] {
        let key = std::ffi::OsStr::from_bytes(b"hunter2\xff");
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_debrief"));
        process.arg(args).env_clear().envs(alone(folder.path())).env("DEBRIEF_API_KEY", key);
        let ended = process.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("DEBRIEF_API_KEY") && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_command_line_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let settings = alone(folder.path());
    for (args, named) in [
        (&["run", "--role", "crn"][..], &["crn", "--role", "the roles are ingest, api"][..]),
        (&["run", "--rol", "crm"], &["--rol", "--role"]),
        (&["rum"], &["rum", "run"]),
        (&["replay"], &["--call"]),
        (&["calls", "list", "--limit", "many"], &["many", "--limit"]),
    ] {
        let (code, said) = command(args, &settings).await;
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(said.starts_with("debrief: "), "{args:?}: {said}");
        assert!(named.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
}

/// Checks that a terminal would obey nothing of it.
fn is_harmless(what: &str, said: &str) {
    let obeyed = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!said.contains(obeyed), "{what}: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_an_argument_or_in_a_file_name_is_obeyed_by_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let settings = alone(&folder.path().join("data"));
    let (code, said) = command(&["migrate"], &settings).await;
    assert_eq!(code, Some(0), "{said}");
    let file = folder.path().join(format!("{EVIL}.bin"));
    std::fs::write(&file, "nothing").unwrap();
    let file = file.to_str().unwrap();
    let in_list = format!("target={EVIL}");
    for args in [
        &[EVIL][..],
        &["calls", "show", EVIL],
        &["calls", "list", "--status", EVIL],
        &["calls", EVIL],
        &["calls", "list", "--limit", EVIL],
        &["calls", "list", "--workspace", EVIL],
        &["calls", "list", "--config", EVIL],
        &["replay", "--call", EVIL],
        &["replay", "--call", "x", "--from", EVIL],
        &["run", "--role", EVIL],
        &["dead", "list", "--since", EVIL],
        &["dead", "list", "--stage", EVIL],
        &["effects", "list", "--filter", EVIL],
        &["effects", "list", "--filter", &in_list],
        &["keys", "create", EVIL],
        &["keys", "revoke", EVIL],
        &["import", "--dry-run", file],
        &["import", "--dry-run", "--json", file],
        &["import", &format!("/nowhere/{EVIL}")],
        &["import", "--lead", EVIL, file],
    ] {
        let (_, said) = command(args, &settings).await;
        assert!(!said.is_empty(), "{args:?}");
        is_harmless(&format!("{args:?}"), &said);
    }
    for name in ["PORT", "DEBRIEF_DATA_DIR", "DEBRIEF_REGION", "DEBRIEF_RETRY_SCHEDULE", "RUST_LOG"] {
        let mut settings = settings.clone();
        settings.insert(name.to_owned(), format!("/dev/null/{EVIL}"));
        let (_, said) = command(&["check"], &settings).await;
        is_harmless(name, &said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_says_exactly_what_is_stored_and_a_terminal_obeys_nothing_of_it() {
    let world = World::start(Kind::Embedded).await;
    let call = PhoneCall { agent: format!("Ann {EVIL}"), ..PhoneCall::new() };
    world.webhook(&call).await;
    world.completed(&call.id).await;
    for args in [&["calls", "show", &call.id][..], &["calls", "list"]] {
        let (code, said) = world.command(args, &[]).await;
        assert_eq!(code, Some(0), "{said}");
        is_harmless(&format!("{args:?}"), &said);
    }
    let (_, said) = world.command(&["calls", "show", "--json", &call.id], &[]).await;
    is_harmless("--json", &said);
    let shown: Value = serde_json::from_str(&said).unwrap();
    let api = world.get(&format!("/api/calls/{}", shown["id"].as_str().unwrap())).await.unwrap();
    assert_eq!(shown["participants"], api["participants"]);
    assert_eq!(shown["metadata"], api["metadata"]);
    let log = world.said("all");
    is_harmless("the log", &log);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_only_looks_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let settings = alone(&data);
    for args in [
        &["calls", "list"][..],
        &["calls", "show", "x"],
        &["dead", "list"],
        &["effects", "list"],
        &["audit", "list"],
        &["keys", "list"],
        &["queues"],
        &["replay", "--call", "x"],
    ] {
        let (code, said) = command(args, &settings).await;
        assert_eq!(code, Some(2), "{args:?}: {said}");
        assert!(said.contains("there is no store in") && said.lines().count() == 1, "{args:?}: {said}");
        assert!(!data.exists(), "{args:?} made the folder");
    }
    let (code, said) = command(&["check", "--connect"], &settings).await;
    assert_eq!((code, data.exists()), (Some(0), false), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_named_once_with_what_to_do() {
    for (file, advice) in [("debrief.db", "restore"), ("queue.db", "restore")] {
        let folder = tempfile::tempdir().unwrap();
        let settings = alone(folder.path());
        let path = folder.path().join(file);
        std::fs::write(&path, "this is no database, but it is longer than a header of one: ".repeat(100))
            .unwrap();
        let commands: &[&[&str]] = match file {
            "debrief.db" => &[&["run"], &["calls", "list"], &["migrate"]],
            _ => &[&["run"]],
        };
        for args in commands {
            let (code, said) = command(args, &settings).await;
            assert_eq!(code, Some(1), "{args:?}: {said}");
            let named = said.matches(path.to_str().unwrap()).count();
            let lines: Vec<_> = said.lines().filter(|line| line.starts_with("debrief: ")).collect();
            assert!(lines.len() == 1 && named >= 1 && lines[0].contains(advice), "{args:?}: {said}");
        }
    }
}

// ------------------------------------------------------------ import

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn import(&self, paths: &[&str]) -> (Option<i32>, String) {
        let settings = alone(&self.0.path().join("data"));
        let args: Vec<&str> = ["import"].iter().chain(paths).copied().collect();
        command_within(Duration::from_mins(1), &args, &settings).await
    }
}

const VTT: &str = "WEBVTT\n\n00:01.000 --> 00:03.000\nAnn Weber: The invoice is wrong.\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_was_named_and_brings_nothing_in_is_an_error() {
    let files = Files::new();
    let pipe = files.0.path().join("pipe.vtt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let link = files.0.path().join("link.vtt");
    std::os::unix::fs::symlink("/nowhere/a.vtt", &link).unwrap();
    let empty = files.0.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    files.file("others/readme.md", "# nothing of ours");
    let others = files.0.path().join("others");
    let cases = [
        (files.file("deck.pdf", "%PDF-1.7"), "a PDF document"),
        (files.file("words.txt", "%PDF-1.7\nTitle: words"), "a PDF document"),
        (files.file("caption.vtt", "%PDF-1.7\n"), "a PDF document"),
        (files.file("other.json", "{\"results\": []}"), "no session, lead, meeting or transcript"),
        (files.file("other.vtt", "{\"results\": []}"), "JSON"),
        (files.file("ttml.vtt", "<?xml version=\"1.0\"?><tt xmlns=\"http://www.w3.org/ns/ttml\"/>"), "it is"),
        (files.file("cyrillic.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\n\xc0\xed\xed\xe0\xc0\xed\xed\xe0\xc0\xed\xed\xe0\xc0\xed\xed\xe0\xc0\xed\xed\xe0\n"), "not text"),
        (files.file("nothing.txt", ""), "empty"),
        (files.file("nothing.vtt", ""), "empty"),
        (files.file("nothing.wav", ""), "empty"),
        (files.file("page.wav", "<html>gone</html>"), "not a recording"),
        (files.file("program", b"\x7fELF\x02"), "a program"),
        (pipe.to_str().unwrap().to_owned(), "is no file"),
        (link.to_str().unwrap().to_owned(), "leads nowhere"),
        ("/nowhere/a.vtt".to_owned(), "there is no such file"),
        (empty.to_str().unwrap().to_owned(), "in the folder"),
        (others.to_str().unwrap().to_owned(), "in the folder"),
    ];
    for (path, why) in &cases {
        let (code, said) = files.import(&[path]).await;
        assert_eq!(code, Some(1), "{path}: {said}");
        assert!(said.contains(why), "{path}: {said}");
        assert!(said.ends_with("{\"success\":0,\"failed\":1,\"total\":1}\n"), "{path}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_is_brought_in_beside_what_cannot_and_keeps_its_name() {
    let files = Files::new();
    let wide: Vec<u8> = format!("\u{feff}{VTT}")
        .replace("invoice", "café")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let folder = files.0.path().join("calls");
    files.file("calls/wide.vtt", wide);
    files.file("calls/sample.vtt", VTT);
    files.file("calls/sample.srt", "1\n00:00:01,000 --> 00:00:03,000\nBob Lane: Another call altogether.\n");
    files.file("calls/readme.md", "# about these calls");
    let (code, said) = files.import(&[folder.to_str().unwrap(), "/nowhere/b.vtt"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.ends_with("{\"success\":3,\"failed\":1,\"total\":4}\n"), "{said}");
    assert!(!said.contains("the same"), "{said}");

    let settings = alone(&files.0.path().join("data"));
    let (code, said) = command(&["calls", "list", "--json"], &settings).await;
    assert_eq!(code, Some(0), "{said}");
    let calls: Value = serde_json::from_str(&said).unwrap();
    let names: std::collections::BTreeSet<&str> = calls
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["metadata"]["file_name"].as_str().unwrap())
        .collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["sample.srt", "sample.vtt", "wide.vtt"]);
    let (_, said) = command(&["calls", "show", calls[0]["id"].as_str().unwrap()], &settings).await;
    assert!(
        said.contains("Files") && said.contains(calls[0]["metadata"]["file_name"].as_str().unwrap()),
        "{said}"
    );
}
