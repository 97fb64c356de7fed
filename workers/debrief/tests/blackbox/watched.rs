//! Tests what those see who watch a deployment: the address for metrics, the metrics of a running process, and whether
//! the dashboards, the alerts and the documentation name only what a process really shows.

mod exposition;
mod mentions;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use exposition::Exposition;
use mentions::{documented, mentions};
use serde_json::Value;

use crate::inputs::PhoneCall;
use crate::world::{Kind, World};

const BIND: (&str, &str) = ("DEBRIEF_METRICS_BIND", "127.0.0.1:0");
const PRICES: [(&str, &str); 2] = [("OPENAI_PRICE_PROMPT", "0.15"), ("OPENAI_PRICE_COMPLETION", "0.6")];
/// Prometheus, or the operator of Kubernetes, puts these on every series.
const OF_PROMETHEUS: [&str; 3] = ["namespace", "instance", "le"];

/// The address for metrics of the process with this role, as the process says it in its log.
async fn metrics_address(world: &World, role: &str) -> String {
    world
        .wait(&format!("{role} to say where its metrics are"), async |world| {
            let said = world.said(role);
            let (_, rest) = said.split_once("metrics=")?;
            rest.split_whitespace().next().map(str::to_owned)
        })
        .await
}

async fn get(address: &str, path: &str) -> (u16, String) {
    let client = platform::http::client(Duration::from_secs(10));
    let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn scraped(world: &World, role: &str) -> Exposition {
    let (status, text) = get(&metrics_address(world, role).await, "/metrics").await;
    assert_eq!(status, 200, "{text}");
    Exposition::read(&text)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_shows_its_metrics_and_its_health_without_a_key_on_an_address_of_its_own() {
    let world = World::start_with(Kind::Servers, &[BIND, ("DEBRIEF_API_KEY", "hunter2")]).await;
    for role in world.roles() {
        let address = metrics_address(&world, &role).await;
        for path in ["/metrics", "/health", "/ready"] {
            assert_eq!(get(&address, path).await.0, 200, "{role} {path}");
        }
        for path in ["/", "/stats", "/api/calls/history", "/api/queues", "/docs", "/webhook/zapier"] {
            assert_eq!(get(&address, path).await.0, 404, "{role} {path}");
        }
        let on_port = world.request_of(&role, "GET", "/metrics").send().await.unwrap();
        assert_eq!(on_port.status(), 401, "{role}");
    }
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_for_metrics_that_is_no_use_is_refused() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    for address in ["9090", "localhost:9090", "0.0.0.0", "nonsense", &taken] {
        let settings = [
            ("DEBRIEF_DATA_DIR".to_owned(), folder.path().to_str().unwrap().to_owned()),
            ("PORT".to_owned(), "0".to_owned()),
            ("DEBRIEF_METRICS_BIND".to_owned(), address.to_owned()),
        ];
        let (code, said) = crate::processes::command(&["run"], &settings.into()).await;
        assert_eq!(code, Some(2), "{address}: {said}");
        assert!(said.contains("DEBRIEF_METRICS_BIND"), "{address}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_counter_is_there_with_the_value_0_before_anything_happens() {
    let world = World::start_with(Kind::Embedded, &[BIND, PRICES[0], PRICES[1]]).await;
    let stages = ["dedup", "transcription", "analysis", "crm", "slack", "score", "live"];
    world
        .wait("the workers to run", async |world| {
            scraped(world, "all")
                .await
                .value("debrief_queue_consumers", &[("stage", "slack"), ("lane", "bulk")])
        })
        .await;
    let shown = scraped(&world, "all").await;
    let starts_at_0 = |name: &str, labels: &[(&str, &str)]| {
        assert_eq!(shown.value(name, labels), Some(0.0), "{name} {labels:?}");
    };
    for stage in stages {
        for outcome in ["done", "later", "retry", "parked", "dead"] {
            starts_at_0("debrief_runs_total", &[("stage", stage), ("outcome", outcome)]);
        }
        starts_at_0("debrief_undecodable_messages_total", &[("stage", stage)]);
    }
    for place in ["broker", "outbox", "nothing"] {
        starts_at_0("debrief_intake_events_total", &[("put_into", place)]);
    }
    starts_at_0("debrief_overload_refusals_total", &[]);
    for provider in ["assemblyai", "openai", "slack", "salesforce", "call_data"] {
        for outcome in
            ["ok", "refused", "account", "throttled", "failed", "unreachable", "no_answer", "too_long"]
        {
            starts_at_0("debrief_provider_requests_total", &[("provider", provider), ("outcome", outcome)]);
        }
    }
    starts_at_0("debrief_transcribed_audio_seconds_total", &[("provider", "assemblyai")]);
    for outcome in ["opened", "refused", "broken"] {
        starts_at_0("debrief_speech_streams_total", &[("provider", "assemblyai"), ("outcome", outcome)]);
    }
    for kind in ["prompt", "completion"] {
        starts_at_0("debrief_model_tokens_total", &[("provider", "openai"), ("kind", kind)]);
    }
    starts_at_0("debrief_model_cost_usd_total", &[("provider", "openai")]);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_counted_where_it_came_by() {
    let world = World::start_with(Kind::Embedded, &[BIND, PRICES[0], PRICES[1]]).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.completed(&call.id).await;
    let shown = scraped(&world, "all").await;
    for stage in ["dedup", "transcription", "analysis", "crm", "slack"] {
        assert_eq!(
            shown.value("debrief_runs_total", &[("stage", stage), ("outcome", "done")]),
            Some(1.0),
            "{stage}"
        );
    }
    assert_eq!(shown.value("debrief_intake_events_total", &[("put_into", "broker")]), Some(1.0));
    for provider in ["assemblyai", "openai", "slack", "call_data"] {
        let requests =
            shown.value("debrief_provider_requests_total", &[("provider", provider), ("outcome", "ok")]);
        assert!(requests.is_some_and(|requests| requests >= 1.0), "{provider}: {requests:?}");
    }
    // The dialogue of the call is nine seconds long.
    let audio = shown.value("debrief_transcribed_audio_seconds_total", &[("provider", "assemblyai")]);
    assert_eq!(audio, Some(9.0));
    let tokens = |kind| shown.value("debrief_model_tokens_total", &[("kind", kind)]).unwrap();
    let cost = shown.value("debrief_model_cost_usd_total", &[]).unwrap();
    assert!(tokens("prompt") > 0.0 && tokens("completion") > 0.0);
    let expected = (tokens("prompt") * 0.15 + tokens("completion") * 0.6) / 1_000_000.0;
    assert!((cost - expected).abs() < expected / 1000.0, "{cost} is not {expected}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_change_and_what_is_dead_is_counted_embedded() {
    changes_and_dead_letters(Kind::Embedded, "all").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_change_and_what_is_dead_is_counted_on_servers() {
    changes_and_dead_letters(Kind::Servers, "slack").await;
}

async fn changes_and_dead_letters(kind: Kind, role: &str) {
    // As soon as one key was made, every request needs one.
    let settings = [BIND, ("DEBRIEF_MAX_ATTEMPTS", "1"), ("DEBRIEF_API_KEY", "of-this-test")];
    let world = World::start_with(kind, &settings).await;
    world.make_key("reader", "default", &["read"]).await;
    let call = PhoneCall::new();
    let gone = world.serve(&call.id, "404", Vec::new()).await;
    let taken = world.post("/webhook/zapier", &call.webhook(Some(&gone))).await.unwrap();
    assert_eq!(taken.status(), 200);
    world.status(&call.id, "failed").await;
    world
        .wait("the dead letter and the new key to be counted", async |world| {
            let shown = scraped(world, role).await;
            let letters = shown.value("debrief_dead_letters", &[("stage", "transcription")])?;
            let keys = shown.value("debrief_operator_changes", &[("action", "key_create")])?;
            [letters, keys].iter().all(|count| (count - 1.0).abs() < 0.5).then_some(())
        })
        .await;
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_reaches_no_server_shows_no_old_numbers() {
    let world = World::start_with(Kind::Servers, &[BIND]).await;
    let shows = async |world: &World, name: &str| scraped(world, "crm").await.labels_of(name).is_some();
    for (wire, name) in [
        (world.rabbitmq().unwrap(), "debrief_queue_depth"),
        (world.postgres().unwrap(), "debrief_oldest_due_seconds"),
    ] {
        world.wait(name, async |world| shows(world, name).await.then_some(())).await;
        wire.cut();
        let gone = async |world: &World| (!shows(world, name).await).then_some(());
        world.wait(&format!("{name} to be gone"), gone).await;
        wire.mend();
        world.wait(&format!("{name} to be back"), async |world| shows(world, name).await.then_some(())).await;
    }
    world.finish().await;
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn files_in(folder: &str, ending: &str) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(repository().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == ending)).collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} has no .{ending}");
    found
}

/// Every query of a dashboard, with the legends in which labels stand.
fn queries(board: &Value, into: &mut Vec<String>) {
    match board {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(text) if name == "expr" || name == "query" => into.push(text.to_owned()),
                    _ => queries(value, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, into)),
        _ => {}
    }
}

/// Everything that names metrics: where it stands, and its text.
fn naming() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for path in files_in("deploy/grafana/dashboards", "json") {
        let board: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        queries(&board, &mut found);
        assert!(found.len() > 5, "{}: only {found:?}", path.display());
        all.extend(found.into_iter().map(|query| (path.display().to_string(), query)));
    }
    for path in files_in("deploy/runbook", "md") {
        all.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
    }
    for path in [
        "deploy/prometheus/alerts.yaml",
        "deploy/prometheus/alerts_test.yaml",
        "deploy/METRICS.md",
        "docs/watching.md",
        "helm/debrief/templates/scaling.yaml",
    ] {
        let text = text_of(path);
        assert!(!mentions(&text).is_empty(), "{path} names no metric");
        all.push((path.to_owned(), text));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_names_a_metric_names_one_that_a_running_process_shows() {
    let world = World::start_with(Kind::Embedded, &[BIND, PRICES[0], PRICES[1]]).await;
    let call = PhoneCall::new();
    world.webhook(&call).await;
    world.completed(&call.id).await;
    world
        .wait("the first measurement", async |world| {
            scraped(world, "all").await.labels_of("debrief_stage_runs").map(drop)
        })
        .await;
    let shown = scraped(&world, "all").await;
    let mut wrong = Vec::new();
    for (place, text) in naming() {
        for mention in mentions(&text) {
            let Some(labels) = shown.labels_of(&mention.metric) else {
                wrong.push(format!("{place}: no process shows `{}`", mention.metric));
                continue;
            };
            for (label, values) in &mention.labels {
                if OF_PROMETHEUS.contains(&label.as_str()) {
                    continue;
                }
                let Some(known) = labels.get(label) else {
                    wrong.push(format!("{place}: `{}` has no label `{label}`", mention.metric));
                    continue;
                };
                for value in values.iter().filter(|value| !known.contains(*value)) {
                    wrong.push(format!("{place}: `{}` never has {label}=\"{value}\"", mention.metric));
                }
            }
        }
    }
    let documented = documented(&text_of("deploy/METRICS.md"));
    for (name, labels) in shown.metrics() {
        let Some(told) = documented.get(&name) else {
            wrong.push(format!("deploy/METRICS.md does not list `{name}`"));
            continue;
        };
        let names =
            |labels: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> { labels.cloned().collect() };
        let (told_names, shown_names) = (names(&mut told.keys()), names(&mut labels.keys()));
        if told_names != shown_names {
            wrong.push(format!(
                "deploy/METRICS.md: `{name}` has the labels {shown_names:?}, not {told_names:?}"
            ));
        }
        for (label, values) in told {
            for value in
                values.iter().filter(|value| !labels.get(label).is_some_and(|all| all.contains(*value)))
            {
                wrong.push(format!("deploy/METRICS.md: `{name}` never has {label}=\"{value}\""));
            }
        }
    }
    for name in documented.keys().filter(|name| shown.labels_of(name).is_none()) {
        wrong.push(format!("deploy/METRICS.md lists `{name}`, which no process shows"));
    }
    let version = shown.labels_of("target_info").unwrap().get("service_version").cloned();
    assert_eq!(version, Some([env!("CARGO_PKG_VERSION").to_owned()].into()));
    assert!(
        shown.all_labels().iter().all(|label| !label.starts_with("otel_scope")),
        "{:?}",
        shown.all_labels()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.finish().await;
}

#[test]
fn every_alert_has_a_page_and_tests_and_every_page_has_an_alert() {
    let alerts = text_of("deploy/prometheus/alerts.yaml");
    let tests = text_of("deploy/prometheus/alerts_test.yaml");
    let named: BTreeSet<&str> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::trim).collect();
    assert!(named.len() > 10, "{named:?}");
    let pages: BTreeSet<String> = files_in("deploy/runbook", "md")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(named.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), pages);
    for name in named {
        assert!(
            alerts.contains(&format!("runbook: deploy/runbook/{name}.md")),
            "{name} does not name its page"
        );
        let page = text_of(&format!("deploy/runbook/{name}.md"));
        for part in ["**What it means.**", "**What to look at.**", "**What to do.**"] {
            assert!(page.contains(part), "the page of {name} does not say {part}");
        }
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels:");
        assert!(tests.contains(&fires), "no test says when {name} fires");
        let is_silent = format!("alertname: {name}, exp_alerts: []");
        assert!(tests.contains(&is_silent), "no test says when {name} does not fire");
    }
}
