//! Arrows run one way: `domain` <- `media`, `platform` <- `store` <- `providers`, `web` <- `queue-topology` <- each
//! worker <- the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Every crate of ours.
pub(crate) fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .other_options(vec!["--offline".into()])
        .exec()
        .unwrap();
    metadata.packages
}

/// Of every crate of ours: what it depends on, tests aside.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    packages()
        .iter()
        .map(|package| {
            let on = package.dependencies.iter().filter(|on| on.kind != DependencyKind::Development);
            (package.name.to_string(), on.map(|on| on.name.clone()).collect())
        })
        .collect()
}

fn dependents(on: &str) -> BTreeSet<String> {
    dependencies().into_iter().filter(|(_, its)| its.contains(on)).map(|(name, _)| name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn only_the_queues_and_the_benchmark_name_the_amqp_client() {
    assert!(
        dependents("lapin").is_subset(&set(&["queue-topology", "load-tests"])),
        "{:?}",
        dependents("lapin")
    );
}

#[test]
fn only_the_store_the_embedded_broker_and_the_benchmark_name_the_sql_client() {
    let allowed = set(&["domain", "store", "queue-topology", "load-tests"]);
    assert!(dependents("sqlx").is_subset(&allowed), "{:?}", dependents("sqlx"));
    // A call's id can stand in a column, but only the store asks for that.
    for package in packages() {
        for on in package.dependencies {
            let asks = on.features.iter().any(|feature| feature == "sqlx");
            assert!(!asks || package.name == "store", "{} asks for {}/sqlx", package.name, on.name);
            assert!(on.name != "sqlx" || on.optional || package.name != "domain");
        }
    }
}

/// The rooms from bottom to top: each may depend on the ones that are named beside it, and on no other of ours.
const ROOMS: [(&str, &[&str]); 9] = [
    ("domain", &[]),
    ("media", &["domain"]),
    ("platform", &["domain"]),
    ("store", &["domain", "platform"]),
    ("providers", &["domain", "media", "platform", "store"]),
    ("web", &["domain", "media", "platform", "store"]),
    ("queue-topology", &["domain", "platform", "store"]),
    ("simulators", &[]),
    ("load-tests", &["simulators"]),
];
const BELOW_WORKERS: [&str; 7] =
    ["domain", "media", "platform", "store", "providers", "web", "queue-topology"];

#[test]
fn each_room_depends_only_on_the_rooms_below_it() {
    let all = dependencies();
    let ours: BTreeSet<String> = all.keys().cloned().collect();
    for (name, allowed) in ROOMS {
        let Some(on) = all.get(name) else { continue };
        let wrong: Vec<_> = on.intersection(&ours).filter(|on| !allowed.contains(&on.as_str())).collect();
        assert!(wrong.is_empty(), "{name} depends on {wrong:?}");
    }
}

#[test]
fn workers_do_not_depend_on_each_other() {
    let all = dependencies();
    let ours: BTreeSet<String> = all.keys().cloned().collect();
    let rooms: BTreeSet<&str> = ROOMS.iter().map(|(name, _)| *name).collect();
    // The binary joins all of them.
    let workers = ours.iter().filter(|name| !rooms.contains(name.as_str()) && *name != "debrief");
    for worker in workers {
        let wrong: Vec<_> =
            all[worker].intersection(&ours).filter(|on| !BELOW_WORKERS.contains(&on.as_str())).collect();
        assert!(wrong.is_empty(), "{worker} depends on {wrong:?}");
    }
}

#[test]
fn failpoints_are_only_in_a_build_that_asks_for_them() {
    for package in packages() {
        assert!(!package.features.contains_key("default"), "{}", package.name);
        for on in package.dependencies {
            assert!(on.name != "fail" || on.optional, "{}", package.name);
            assert!(
                !on.features.iter().any(|it| it == "failpoints") || on.name == "fail",
                "{}",
                package.name
            );
        }
    }
}

/// Whom the store must not know: it keeps effects, and who makes them is said by their targets.
const PROVIDERS: [&str; 12] = [
    "slack",
    "salesforce",
    "hubspot",
    "zendesk",
    "call_data",
    "assemblyai",
    "deepgram",
    "openai",
    "exotel",
    "twilio",
    "zoom",
    "zapier",
];

#[test]
fn the_store_names_no_provider() {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/store");
    let mut folders = vec![store.join("src"), store.join("migrations")];
    let mut read = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
            let named: Vec<_> = PROVIDERS.iter().filter(|provider| text.contains(**provider)).collect();
            assert!(named.is_empty(), "{} names {named:?}", path.display());
            read += 1;
        }
    }
    assert!(read > 20, "only {read} files were read");
}

#[test]
fn only_tests_and_load_tests_ask_for_the_feature_testing() {
    for package in packages() {
        for on in package.dependencies {
            let asks = on.features.iter().any(|feature| feature == "testing");
            let is_for_tests = on.kind == DependencyKind::Development || package.name == "load-tests";
            assert!(!asks || is_for_tests, "{} asks for {}/testing", package.name, on.name);
        }
    }
}
