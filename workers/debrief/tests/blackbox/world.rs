//! A deployment under test, with the simulated providers that it talks to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use platform::blobs::testing::TestBucket;
use serde_json::Value;
use simulators::Simulators;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::inputs::{Meeting, PhoneCall};
use crate::processes::{Process, command, debrief, free_port, simulators};
use crate::proxy::Proxy;
use crate::settings::{Servers, servers, settings};

/// How long a test waits for a condition. It is long, because a message that may have been sent is looked for a
/// minute later at the earliest.
const PATIENCE: Duration = Duration::from_mins(2);
const ROLES: [&str; 9] =
    ["ingest", "api", "live", "practice", "dedup", "transcription", "analysis", "crm", "slack"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All roles run in one process.
    Embedded,
    /// Each role runs in its own process, on RabbitMQ, PostgreSQL and Redis.
    Servers,
}

pub(crate) struct World {
    kind: Kind,
    folder: tempfile::TempDir,
    settings: HashMap<String, String>,
    /// The processes by their role. An embedded deployment has one process, named `all`.
    running: HashMap<String, Process>,
    ports: HashMap<String, u16>,
    simulators: Simulators,
    providers: HashMap<String, String>,
    servers: Option<Servers>,
    /// The bucket of the blobs, where `DEBRIEF_TEST_BLOBS=s3` asks for one.
    bucket: Option<TestBucket>,
    client: reqwest::Client,
}

impl World {
    /// Starts the simulators and the deployment, and waits until it is ready.
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::start_with(kind, &[]).await
    }

    /// Starts a deployment whose blobs are in the data folder, for a test that looks into it.
    pub(crate) async fn start_in_folder(kind: Kind) -> Self {
        Self::start_with(kind, &[("BLOB_URL", "")]).await
    }

    /// Starts a deployment with settings beyond those that every test has.
    pub(crate) async fn start_with(kind: Kind, extra: &[(&str, &str)]) -> Self {
        // Another test of this process may have installed it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let (simulators, providers) = simulators().await;
        let mut settings = settings(&providers);
        settings.insert("DEBRIEF_DATA_DIR".into(), folder.path().to_str().unwrap().into());
        settings.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let bucket = if wants_bucket() && !settings.contains_key("BLOB_URL") {
            Some(TestBucket::make().await.expect("DEBRIEF_TEST_BLOBS=s3 needs DEBRIEF_TEST_S3_URL"))
        } else {
            None
        };
        for (name, value) in bucket.iter().flat_map(TestBucket::values) {
            settings.insert(name.into(), value);
        }
        let servers = match kind {
            Kind::Embedded => None,
            Kind::Servers => Some(servers(&mut settings).await),
        };
        let roles: &[&str] = if kind == Kind::Embedded { &["all"] } else { &ROLES };
        let ports: HashMap<String, u16> =
            roles.iter().map(|role| ((*role).to_owned(), free_port())).collect();
        let door = ports.get("ingest").unwrap_or_else(|| &ports["all"]);
        settings.insert("DEBRIEF_PUBLIC_URL".into(), format!("http://127.0.0.1:{door}"));
        let client = platform::http::client(Duration::from_secs(10));
        let mut world = Self {
            kind,
            folder,
            settings,
            running: HashMap::new(),
            ports,
            simulators,
            providers,
            servers,
            bucket,
            client,
        };
        if world.servers.is_some() {
            let migrating = debrief(&["migrate"], &world.settings, &world.log("migrate"));
            world.wait("the migration", async |world| migrated(world)).await;
            drop(migrating);
        }
        for role in world.roles() {
            world.start_role(&role).await;
        }
        world
    }

    pub(crate) fn roles(&self) -> Vec<String> {
        let all: &[&str] = if self.kind == Kind::Embedded { &["all"] } else { &ROLES };
        all.iter().map(|role| (*role).to_owned()).collect()
    }

    /// Starts a role that other tests do not need. An embedded deployment has it already.
    pub(crate) async fn start_more(&mut self, role: &str) {
        if self.kind == Kind::Servers {
            self.ports.insert(role.to_owned(), free_port());
            self.start_role(role).await;
        }
    }

    pub(crate) async fn start_role(&mut self, role: &str) {
        let mut settings = self.settings.clone();
        settings.insert("PORT".into(), self.ports[role].to_string());
        let mut args = vec!["run".to_owned()];
        let left_out = left_out();
        if self.kind == Kind::Servers {
            if left_out.as_deref() == Some(role) {
                return;
            }
            args.extend(["--role".to_owned(), role.to_owned()]);
        } else if let Some(out) = &left_out {
            for role in ROLES.iter().chain(&["keeper"]).filter(|role| *role != out) {
                args.extend(["--role".to_owned(), (*role).to_owned()]);
            }
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let process = debrief(&args, &settings, &self.log(role));
        self.running.insert(role.to_owned(), process);
        let ready = format!("http://127.0.0.1:{}/ready", self.ports[role]);
        self.wait(&format!("`{role}` to be ready"), async |world| {
            world.client.get(&ready).send().await.is_ok_and(|answer| answer.status() == 200).then_some(())
        })
        .await;
    }

    /// Starts the console where it runs in a process of its own. Only the tests that open its pages need one.
    pub(crate) async fn start_console(&mut self) {
        if self.kind == Kind::Servers {
            self.ports.insert("console".to_owned(), free_port());
            self.start_role("console").await;
        }
    }

    /// Kills the process of a role, as `kill -9` does.
    pub(crate) async fn kill(&mut self, role: &str) {
        self.running.remove(role).expect("it runs").kill().await;
    }

    /// Sends SIGTERM to the process of a role, and returns its exit code.
    pub(crate) async fn stop_role(&mut self, role: &str) -> Option<i32> {
        self.running.remove(role).expect("it runs").stop().await.code()
    }

    /// Sends SIGHUP to the process of a role, and returns its exit code.
    pub(crate) async fn hang_up(&mut self, role: &str) -> Option<i32> {
        self.running.remove(role).expect("it runs").signal("HUP").await.code()
    }

    pub(crate) async fn finish(mut self) {
        for (_, process) in self.running.drain() {
            process.kill().await;
        }
        self.simulators.stop().await;
        if let Some(bucket) = &self.bucket {
            bucket.remove().await;
        }
        if let Some(servers) = &self.servers {
            let mut connection = PgConnection::connect(&servers.database).await.unwrap();
            let sql = format!("DROP DATABASE {} WITH (FORCE)", servers.name);
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
        }
    }

    /// How much memory the embedded process uses, in MB.
    pub(crate) fn memory_mb(&self) -> u64 {
        let status = format!("/proc/{}/status", self.running["all"].id());
        let status = std::fs::read_to_string(status).unwrap_or_else(|_| panic!("it ended\n{}", self.logs()));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    }

    /// Runs a command beside the deployment. Returns its exit code and its output.
    pub(crate) async fn command(&self, args: &[&str], extra: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut settings = self.settings.clone();
        settings.insert("PORT".into(), "0".into());
        settings.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        command(args, &settings).await
    }

    /// Starts a command beside the deployment and does not wait for its end.
    pub(crate) fn begin(&self, args: &[&str]) -> Process {
        let mut settings = self.settings.clone();
        settings.insert("PORT".into(), "0".into());
        debrief(args, &settings, &self.log("command"))
    }

    // ------------------------------------------------------------ what a user does

    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.keyed("ingest", "POST", path).json(body).send().await
    }

    /// A request to ingest without a key. The test adds the body and the headers.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request_of("ingest", method, path)
    }

    /// A request without a key to the process of this role.
    pub(crate) fn request_of(&self, role: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), self.address(role, path))
    }

    /// A request with the key of the configuration, where the configuration has one.
    pub(crate) fn keyed(&self, role: &str, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = self.request_of(role, method, path);
        match self.setting("DEBRIEF_API_KEY") {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Makes a key with `debrief keys create`. The key has all scopes where none is named.
    pub(crate) async fn make_key(&self, name: &str, workspace: &str, scopes: &[&str]) -> String {
        let mut args = vec!["keys", "create", name, "--workspace", workspace];
        args.extend(scopes.iter().flat_map(|scope| ["--scope", *scope]));
        let (code, said) = self.command(&args, &[]).await;
        assert_eq!(code, Some(0), "{said}");
        said.lines().find(|line| line.starts_with("debrief_")).unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    /// Writes bytes to the listener, and then may close its own side. Returns what the listener answers before it
    /// closes the connection.
    pub(crate) async fn raw(&self, bytes: &str, hang_up: bool) -> String {
        let address = self.address("ingest", "");
        let mut socket = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
        // The listener may close the connection before it has read everything.
        let mut sent = socket.write_all(bytes.as_bytes()).await;
        if hang_up {
            sent = sent.and(socket.shutdown().await);
        }
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.is_empty(), "no answer: {sent:?}, {read:?}");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Makes the simulator of recordings serve `bytes` in the given variant. Returns their URL.
    pub(crate) async fn serve(&self, name: &str, variant: &str, bytes: Vec<u8>) -> String {
        let mut control =
            url::Url::parse(&format!("{}/_control/recordings/{name}", self.providers["recordings"])).unwrap();
        control.query_pairs_mut().append_pair("variant", variant);
        let put = self.client.put(control).header("content-type", "audio/wav").body(bytes);
        let put = put.send().await.unwrap();
        assert!(put.status().is_success(), "{}", put.text().await.unwrap());
        format!("{}/recordings/{name}", self.providers["recordings"])
    }

    /// Puts the recording of the call at the simulator, and sends the webhook of the call.
    pub(crate) async fn webhook(&self, call: &PhoneCall) {
        let recording = self.record(call).await;
        let answer = self.post("/webhook/zapier", &call.webhook(Some(&recording))).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }

    /// Sends the webhook of the call. Returns whether the webhook was accepted.
    pub(crate) async fn try_webhook(&self, call: &PhoneCall) -> bool {
        let recording = self.record(call).await;
        let sent = self.post("/webhook/zapier", &call.webhook(Some(&recording))).await;
        sent.is_ok_and(|answer| answer.status() == 200)
    }

    /// Makes the simulator of recordings serve the recording of the call. Returns its URL.
    pub(crate) async fn record(&self, call: &PhoneCall) -> String {
        self.serve(&format!("{}.wav", call.id), "whole", Self::spoken(call)).await
    }

    /// The recording of the call.
    pub(crate) fn spoken(call: &PhoneCall) -> Vec<u8> {
        let dialogue = serde_json::from_value::<Vec<simulators::Utterance>>(call.dialogue()).unwrap();
        simulators::recording_with(&dialogue)
    }

    /// The address of the simulator of this provider.
    pub(crate) fn provider(&self, name: &str) -> &str {
        &self.providers[name]
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The port of the process of this role, or of the one process that has all roles.
    pub(crate) fn port(&self, role: &str) -> u16 {
        *self.ports.get(role).unwrap_or_else(|| &self.ports["all"])
    }

    /// The uploaded files that belong to no call yet.
    pub(crate) fn uploads(&self) -> Vec<PathBuf> {
        assert!(self.bucket.is_none(), "this looks into the folder of the blobs");
        let folder = std::fs::read_dir(self.folder.path().join("blobs/incoming"));
        folder.map(|files| files.map(|file| file.unwrap().path()).collect()).unwrap_or_default()
    }

    /// Uploads a meeting, and returns our id of it.
    pub(crate) async fn meeting(&self, meeting: &Meeting) -> String {
        let part = |text: String, name: &str| reqwest::multipart::Part::text(text).file_name(name.to_owned());
        let form = reqwest::multipart::Form::new()
            .part("meeting", part(meeting.json().to_string(), "meeting.json"))
            .part("transcript", part(meeting.transcript(), "meeting.vtt"));
        let request = self.keyed("ingest", "POST", "/api/meetings").multipart(form);
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert_eq!(status, 202, "{body}");
        body["call_id"].as_str().unwrap().to_owned()
    }

    /// The JSON that the API returns at `path`. `None` unless the status is 200.
    pub(crate) async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.keyed("api", "GET", path).send().await.ok()?;
        if answer.status() != 200 {
            return None;
        }
        answer.json().await.ok()
    }

    pub(crate) async fn health(&self, role: &str) -> Value {
        let answer = self.client.get(self.address(role, "/health")).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("ask {role} how it is: {error}\n{}", self.logs()));
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    pub(crate) async fn ready(&self, role: &str) -> u16 {
        self.client.get(self.address(role, "/ready")).send().await.unwrap().status().as_u16()
    }

    /// Waits until the call with this id is completed. The id is the one of the call's source.
    pub(crate) async fn completed(&self, id: &str) -> Value {
        self.status(id, "completed").await
    }

    pub(crate) async fn status(&self, id: &str, status: &str) -> Value {
        let path = format!("/call/{id}");
        self.wait(&format!("call {id} to be {status}"), async |world| {
            world.get(&path).await.filter(|call| call["status"] == status)
        })
        .await
    }

    // ------------------------------------------------------------ what arrived at the providers

    /// How often each effect of this kind happened at a provider.
    pub(crate) async fn effects(&self, provider: &str, kind: &str) -> HashMap<String, u64> {
        let url = format!("{}/_control/effects", self.providers[provider]);
        let all: HashMap<String, HashMap<String, u64>> =
            self.client.get(url).send().await.unwrap().json().await.unwrap();
        all.get(kind).cloned().unwrap_or_default()
    }

    /// The texts that were posted to Slack and that contain `what`.
    pub(crate) async fn slack_posts(&self, what: &str) -> Vec<String> {
        let bodies = self.received("slack", "/services/").await;
        let texts = bodies.iter().filter_map(|body| body["text"].as_str());
        texts.filter(|text| text.contains(what)).map(str::to_owned).collect()
    }

    /// The bodies of the requests that a provider got at addresses that contain `path`.
    pub(crate) async fn received(&self, provider: &str, path: &str) -> Vec<Value> {
        let url = format!("{}/_control/received", self.providers[provider]);
        let all: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        let requests = all["requests"].as_array().cloned().unwrap_or_default();
        requests
            .into_iter()
            .filter(|request| request["path"].as_str().is_some_and(|p| p.contains(path)))
            .map(|request| request["body"].clone())
            .collect()
    }

    pub(crate) async fn contacts(&self) -> Vec<Value> {
        let url = format!("{}/_control/contacts", self.providers["salesforce"]);
        let contacts: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        match contacts {
            Value::Array(contacts) => contacts,
            other => other["contacts"].as_array().cloned().unwrap_or_default(),
        }
    }

    pub(crate) async fn faults(&self, provider: &str, faults: &Value) {
        let url = format!("{}/_control/faults", self.providers[provider]);
        let set = self.client.post(url).json(faults).send().await.unwrap();
        assert!(set.status().is_success(), "{}", set.text().await.unwrap());
    }

    // ------------------------------------------------------------ servers

    pub(crate) fn postgres(&self) -> Option<&Proxy> {
        self.servers.as_ref().map(|servers| &servers.postgres)
    }

    pub(crate) fn rabbitmq(&self) -> Option<&Proxy> {
        self.servers.as_ref().map(|servers| &servers.rabbitmq)
    }

    /// Waits until the condition returns a value. A failure names the condition and shows the end of each log.
    pub(crate) async fn wait<T>(&self, what: &str, mut look: impl AsyncFnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The text that the process of a role returns at `path`.
    pub(crate) async fn text(&self, role: &str, path: &str) -> String {
        let answer = self.client.get(self.address(role, path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{role} {path}");
        answer.text().await.unwrap()
    }

    /// The page that a browser gets at the address of a role.
    pub(crate) async fn page(&self, role: &str) -> String {
        let request = self.client.get(self.address(role, "/")).header("accept", "text/html,*/*;q=0.8");
        request.send().await.unwrap().text().await.unwrap()
    }

    /// Everything that the process of a role wrote to standard output and standard error.
    pub(crate) fn said(&self, role: &str) -> String {
        std::fs::read_to_string(self.log(role)).unwrap()
    }

    /// Changes a setting for the processes that are started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.insert(name.to_owned(), value.to_owned());
    }

    /// What is at an address.
    pub(crate) async fn fetch(&self, address: &str) -> Vec<u8> {
        self.client.get(address).send().await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    pub(crate) fn data(&self) -> &Path {
        self.folder.path()
    }

    fn address(&self, role: &str, path: &str) -> String {
        let port = self.port(role);
        format!("http://127.0.0.1:{port}{path}")
    }

    fn log(&self, role: &str) -> PathBuf {
        self.folder.path().join(format!("{role}.log"))
    }

    fn logs(&self) -> String {
        let tail = |role: &String| {
            let log = std::fs::read_to_string(self.log(role)).unwrap_or_default();
            let lines: Vec<&str> = log.lines().rev().take(400).collect();
            format!("--- {role}\n{}\n", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        self.roles().iter().map(tail).collect()
    }
}

fn migrated(world: &World) -> Option<()> {
    let log = std::fs::read_to_string(world.log("migrate")).unwrap_or_default();
    log.contains("up to date").then_some(())
}

/// Whether the blobs are to be in a bucket of the S3 server, and not in the data folder.
#[expect(clippy::disallowed_methods, reason = "the environment says where the blobs are to be")]
pub(crate) fn wants_bucket() -> bool {
    std::env::var("DEBRIEF_TEST_BLOBS").is_ok_and(|place| place == "s3")
}

/// The role that `DEBRIEF_TEST_WITHOUT_ROLE` leaves out.
#[expect(clippy::disallowed_methods, reason = "the environment says which role to leave out")]
fn left_out() -> Option<String> {
    std::env::var("DEBRIEF_TEST_WITHOUT_ROLE").ok()
}
