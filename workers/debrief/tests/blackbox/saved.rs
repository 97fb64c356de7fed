//! A back-up that is taken under load is restored into another folder. What is no good back-up is refused.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::inputs::{Meeting, PhoneCall};
use crate::processes::command;
use crate::world::{Kind, World};

/// Slack and Salesforce can be asked what happened. The call-data API cannot, so it is left out here.
const CAN_BE_ASKED: [(&str, &str); 3] =
    [("SLACK_BOT_TOKEN", "xoxb-1"), ("SLACK_CHANNEL", "C0123456789"), ("CRM_AUTO_UPLOAD", "false")];
/// How many calls are accepted before the back-up begins.
const BEFORE: usize = 10;

/// What the message has to say, and what damages a back-up.
type Damage<'a> = (&'a str, &'a dyn Fn(&Path));

/// The ids of all accepted calls: those of phone calls at their source, and our own ids of meetings.
#[derive(Clone, Default)]
struct Accepted {
    phone: Vec<String>,
    meetings: Vec<String>,
}

impl Accepted {
    fn len(&self) -> usize {
        self.phone.len() + self.meetings.len()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_before_a_back_up_ends_done_after_its_restore_and_nothing_is_done_twice() {
    let mut world = World::start_with(Kind::Embedded, &CAN_BE_ASKED).await;
    // Slack answers slowly, so that there is always work in hand.
    world.faults("slack", &json!({"latency_ms": 700})).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (saved, restored) = (elsewhere.path().join("saved"), elsewhere.path().join("restored"));

    let (accepted, is_over) = (Mutex::new(Accepted::default()), AtomicBool::new(false));
    let feeding = async {
        while !is_over.load(Ordering::Relaxed) {
            let call = PhoneCall::new();
            world.webhook(&call).await;
            accepted.lock().unwrap().phone.push(call.id);
            let meeting = world.meeting(&Meeting::new()).await;
            accepted.lock().unwrap().meetings.push(meeting);
        }
    };
    let saving = async {
        let enough = async |_: &World| (accepted.lock().unwrap().len() >= BEFORE).then_some(());
        world.wait("calls to be accepted", enough).await;
        let before = accepted.lock().unwrap().clone();
        let (code, said) = world.command(&["backup", saved.to_str().unwrap()], &[]).await;
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0), "{said}");
        before
    };
    let ((), before) = tokio::join!(feeding, saving);
    let all = accepted.into_inner().unwrap();
    assert!(all.len() >= before.len());
    assert_eq!(crate::host::open_to_others(&saved), Vec::<String>::new());

    // The deployment goes on after the back-up, and does things that the back-up cannot know.
    end_of(&world, &all).await;
    world.kill("all").await;
    let (code, said) =
        world.command(&["restore", saved.to_str().unwrap()], &[("DEBRIEF_DATA_DIR", path(&restored))]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        !said.contains("\n0 calls were not finished"),
        "the back-up was taken while nothing was in hand: {said}"
    );
    assert_eq!(crate::host::open_to_others(&restored), Vec::<String>::new());

    world.set("DEBRIEF_DATA_DIR", path(&restored));
    world.start_role("all").await;
    end_of(&world, &before).await;
    let posts = world.effects("slack", "post").await;
    assert!(!posts.is_empty() && posts.values().all(|times| *times == 1), "{posts:?}");
    let mut contacts = BTreeMap::<String, u32>::new();
    for contact in world.contacts().await {
        *contacts.entry(contact["Email"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    contacts.remove("");
    assert!(contacts.values().all(|times| *times == 1), "{contacts:?}");
    world.finish().await;
}

/// Waits until all of these calls are completed.
async fn end_of(world: &World, calls: &Accepted) {
    for id in &calls.phone {
        world.completed(id).await;
    }
    for id in &calls.meetings {
        let at = format!("/api/calls/{id}");
        let is_over = async |world: &World| world.get(&at).await.filter(|call| call["status"] == "completed");
        world.wait(&format!("the meeting {id} to be completed"), is_over).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_up_is_refused_unless_it_is_complete_and_whole_and_its_folder_is_empty() {
    // It takes a blob of the back-up away, so the blobs have to be in it.
    let settings: Vec<_> = CAN_BE_ASKED.into_iter().chain([("BLOB_URL", "")]).collect();
    let world = World::start_with(Kind::Embedded, &settings).await;
    let meeting = Accepted { meetings: vec![world.meeting(&Meeting::new()).await], ..Accepted::default() };
    end_of(&world, &meeting).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| elsewhere.path().join(name);
    let backup = async |to: &Path, extra: &[(&str, &str)]| world.command(&["backup", path(to)], extra).await;
    let restore = async |from: &Path, to: &Path, extra: &[(&str, &str)]| {
        let extra = [&[("DEBRIEF_DATA_DIR", path(to))], extra].concat();
        world.command(&["restore", path(from)], &extra).await
    };

    let (code, said) = backup(&at("saved"), &[]).await;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = backup(&at("saved"), &[]).await;
    assert_eq!((code, said.contains("is not empty")), (Some(2), true), "{said}");
    let (code, said) = backup(&world.folder().join("saved"), &[]).await;
    assert_eq!((code, said.contains("in the data folder")), (Some(2), true), "{said}");
    assert!(!world.folder().join("saved").exists());
    for (name, value) in [("AMQP_URL", "amqp://localhost"), ("DATABASE_URL", "postgres://localhost/d")] {
        let (code, said) = backup(&at("none"), &[(name, value)]).await;
        assert_eq!((code, said.contains("docs/backup.md")), (Some(2), true), "{said}");
        assert!(said.contains(name) && !at("none").exists(), "{said}");
    }

    let (code, said) = restore(&at("saved"), world.folder(), &[]).await;
    assert_eq!((code, said.contains("is not empty")), (Some(2), true), "{said}");
    let other_key = "0".repeat(64);
    let (code, said) = restore(&at("saved"), &at("a"), &[("DEBRIEF_SEAL_KEY", &other_key)]).await;
    assert_eq!((code, said.contains("DEBRIEF_SEAL_KEY")), (Some(2), true), "{said}");
    let blob = first_blob(&at("saved"));
    let damages: [Damage<'_>; 5] = [
        ("no complete back-up", &|copy| std::fs::remove_file(copy.join("manifest.json")).unwrap()),
        ("is damaged", &|copy| std::fs::write(copy.join(&blob), "other words").unwrap()),
        ("lacks", &|copy| std::fs::remove_file(copy.join(&blob)).unwrap()),
        ("is damaged", &|copy| {
            let file = copy.join("debrief.db");
            let mut bytes = std::fs::read(&file).unwrap();
            let last = bytes.len() - 100;
            bytes[last] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }),
        ("was changed", &|copy| {
            let list = copy.join("SHA256SUMS");
            let text = std::fs::read_to_string(&list).unwrap();
            let lines: Vec<&str> = text.lines().skip(1).collect();
            std::fs::write(list, lines.join("\n")).unwrap();
        }),
    ];
    for (number, (named, damage)) in damages.into_iter().enumerate() {
        let copy = at(&format!("copy-{number}"));
        copy_folder(&at("saved"), &copy);
        damage(&copy);
        let (code, said) = restore(&copy, &at("b"), &[]).await;
        assert_eq!((code, said.contains(named)), (Some(1), true), "{named}: {said}");
        let left = std::fs::read_dir(at("b")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{named}");
    }

    // Blobs in a bucket are no part of the back-up, and a restore has to be told where they are.
    let bucket = ("BLOB_URL", "s3://recordings");
    let (code, said) = backup(&at("without"), &[bucket]).await;
    assert_eq!((code, said.contains("the blobs are not in it")), (Some(0), true), "{said}");
    assert!(!at("without").join("blobs").exists());
    for (saved, extra) in [("without", &[][..]), ("saved", &[bucket])] {
        let (code, said) = restore(&at(saved), &at("e"), extra).await;
        assert_eq!((code, said.contains("BLOB_URL")), (Some(2), true), "{said}");
    }
    let (code, said) = restore(&at("without"), &at("e"), &[bucket]).await;
    assert_eq!(code, Some(0), "{said}");

    // A restore that was cut off is no deployment.
    std::fs::create_dir_all(at("c")).unwrap();
    std::fs::write(at("c").join("restore-unfinished"), "").unwrap();
    let folder = at("c");
    let cut_off = [("DEBRIEF_DATA_DIR", path(&folder))];
    for args in [&["run"][..], &["calls", "list"], &["check"], &["restore", path(&at("saved"))]] {
        let (code, said) = world.command(args, &cut_off).await;
        assert_eq!((code, said.contains("was cut off")), (Some(2), true), "{args:?}: {said}");
    }

    // What the data folder lacks already is said, and the back-up is taken nevertheless.
    std::fs::remove_file(world.folder().join(&blob)).unwrap();
    let (code, said) = backup(&at("lacking"), &[]).await;
    assert_eq!((code, said.contains("is missing")), (Some(1), true), "{said}");
    let (code, said) = restore(&at("lacking"), &at("d"), &[]).await;
    assert_eq!((code, said.contains("1 blobs were missing")), (Some(0), true), "{said}");
    world.finish().await;
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The path of a blob that a call names, below the folder of the back-up.
fn first_blob(saved: &Path) -> PathBuf {
    let list = std::fs::read_to_string(saved.join("SHA256SUMS")).unwrap();
    let blobs: HashSet<&str> =
        list.lines().filter_map(|line| line.split_once("  ")).map(|(_, path)| path).collect();
    let blob =
        blobs.into_iter().find(|path| path.split('/').count() == 4).unwrap_or_else(|| panic!("{list}"));
    PathBuf::from(blob)
}

fn copy_folder(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_the_running_process_whether_it_is_ready() {
    let mut world = World::start(Kind::Embedded).await;
    let port = world.port("all").to_string();
    let (code, said) = world.command(&["check", "--ready"], &[("PORT", &port)]).await;
    assert_eq!((code, said.starts_with("ready: ")), (Some(0), true), "{said}");
    assert_eq!(world.stop_role("all").await, Some(0));
    let (code, said) = world.command(&["check", "--ready"], &[("PORT", &port)]).await;
    assert_eq!((code, said.contains("nobody listens there")), (Some(1), true), "{said}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let answering = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut asked = [0; 1024];
        let length = socket.read(&mut asked).await.unwrap();
        let answer = "HTTP/1.1 503 Service Unavailable\r\n\r\n{\"detail\":\"the process is stopping\"}";
        socket.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    // The proxy of the environment has nothing to do with it.
    let extra = [("PORT", port.as_str()), ("HTTP_PROXY", "http://127.0.0.1:9")];
    let (code, said) = world.command(&["check", "--ready"], &extra).await;
    assert_eq!((code, said.contains("503: the process is stopping")), (Some(1), true), "{said}");
    assert!(answering.await.unwrap().starts_with("GET /ready HTTP/1.1\r\n"));
    let (code, said) = command(&["check", "--ready", "--connect"], &std::collections::HashMap::new()).await;
    assert_eq!(code, Some(2), "{said}");
    world.finish().await;
}
