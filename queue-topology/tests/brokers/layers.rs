//! Arrows run one way: `common` <- `queue-topology` <- each worker <- the binary.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Every crate of ours.
fn packages() -> Vec<Package> {
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
    assert!(
        dependents("sqlx").is_subset(&set(&["common", "queue-topology", "load-tests"])),
        "{:?}",
        dependents("sqlx")
    );
}

#[test]
fn common_depends_on_nothing_of_ours_and_the_queues_only_on_common() {
    let all = dependencies();
    let ours: BTreeSet<String> = all.keys().cloned().collect();
    let of_ours = |name: &str| -> BTreeSet<String> { all[name].intersection(&ours).cloned().collect() };
    assert_eq!(of_ours("common"), BTreeSet::new());
    assert_eq!(of_ours("queue-topology"), set(&["common"]));
}

#[test]
fn workers_do_not_depend_on_each_other() {
    let all = dependencies();
    let below = set(&["common", "queue-topology"]);
    // The binary joins all of them; the load tests drive the binary.
    let above = set(&["debrief", "load-tests"]);
    let workers: BTreeSet<&String> =
        all.keys().filter(|name| !below.contains(*name) && !above.contains(*name)).collect();
    for worker in &workers {
        let wrong: Vec<&String> =
            all[*worker].iter().filter(|on| workers.contains(on) || above.contains(*on)).collect();
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
