use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use platform::config::Misspelling;
use platform::config::keys::CORE;
use proptest::prelude::*;

use super::*;
use crate::commands::run::Running;
use crate::deployment::StartError;
use crate::roles::Role;

/// Settings that turn every part on, so that every part reads all of its settings.
fn all_on(folder: &str) -> Values {
    Values::of([
        ("DEBRIEF_DATA_DIR", folder),
        ("BLOB_URL", "s3://calls/debrief"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("ASSEMBLYAI_API_KEY", "key"),
        ("OPENAI_API_KEY", "key"),
        ("DEEPGRAM_API_KEY", "key"),
        ("ELEVENLABS_API_KEY", "key"),
        ("LOCAL_SPEECH_BASE_URL", "http://127.0.0.1:1/v1"),
        ("EXOTEL_API_KEY", "key"),
        ("EXOTEL_API_TOKEN", "token"),
        ("ZOOM_WEBHOOK_SECRET_TOKEN", "secret"),
        ("ZOOM_ACCOUNT_ID", "account"),
        ("ZOOM_CLIENT_ID", "client"),
        ("ZOOM_CLIENT_SECRET", "secret"),
        ("SLACK_BOT_TOKEN", "xoxb-1"),
        ("SLACK_CHANNEL", "C0123456789"),
        ("SALESFORCE_LOGIN_URL", "https://acme.my.salesforce.com"),
        ("SALESFORCE_CONSUMER_KEY", "key"),
        ("SALESFORCE_CONSUMER_SECRET", "secret"),
        ("CRM_AUTO_UPLOAD", "true"),
        ("CRM_UPLOAD_URL", "https://crm.example.com/call-data"),
    ])
}

#[test]
fn every_setting_in_the_list_is_read_and_nothing_that_is_not_in_it() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let values = all_on(folder.path().to_str().unwrap()).remembering(&asked);
    read_all(&values).unwrap();
    let listed: BTreeSet<String> = known().keys().map(|key| key.name.to_owned()).collect();
    let asked = asked.lock().unwrap();
    let unread: Vec<_> = listed.difference(&asked).collect();
    assert!(unread.is_empty(), "nobody reads {unread:?}");
    let unlisted: Vec<_> = asked.difference(&listed).collect();
    assert!(unlisted.is_empty(), "nobody can set {unlisted:?}");
}

#[test]
fn a_setting_stands_in_one_list() {
    let known = known();
    let names: BTreeSet<_> = known.keys().map(|key| key.name).collect();
    assert_eq!(names.len(), known.keys().count());
}

/// The settings that a file of `deploy` gives, by their names there.
fn given_in(file: &str, text: &str) -> BTreeSet<String> {
    let lines = text.lines();
    let names: Vec<&str> = match file {
        "compose.yaml" => {
            let block = lines.skip_while(|line| !line.starts_with("x-settings:")).skip(1);
            block
                .take_while(|line| line.starts_with("  "))
                .filter(|line| !line.trim_start().starts_with('#'))
                .filter_map(|line| line.split(':').next())
                .collect()
        }
        "debrief.service" => lines
            .filter_map(|line| line.trim_start_matches(['#', ' ']).strip_prefix("Environment="))
            .filter_map(|setting| setting.split('=').next())
            .collect(),
        _ => lines
            .filter_map(|line| line.strip_prefix("ENV "))
            .filter_map(|setting| setting.split('=').next())
            .collect(),
    };
    names.into_iter().map(|name| name.trim().to_owned()).collect()
}

#[test]
fn every_setting_that_a_file_of_deploy_gives_exists() {
    let known = known();
    for (file, text, least) in [
        ("compose.yaml", include_str!("../../../../deploy/compose.yaml"), 8),
        ("debrief.service", include_str!("../../../../deploy/debrief.service"), 3),
        ("Dockerfile", include_str!("../../../../deploy/Dockerfile"), 1),
    ] {
        let given = given_in(file, text);
        assert!(given.len() >= least, "{file}: {given:?}");
        for name in given {
            let in_file =
                name.strip_suffix("_FILE").and_then(|name| known.find(name)).filter(|key| key.secret);
            let exists = known.find(&name).is_some() || in_file.is_some();
            assert!(exists, "{file} gives `{name}`; the nearest setting is `{}`", known.nearest(&name));
        }
    }
}

/// Variables that programs, shells, containers, clouds and build systems set. None of them is a misspelt setting
/// of ours.
const OF_OTHERS: &str = include_str!("../../tests/samples/environment.txt");

#[test]
fn a_slip_of_the_hand_is_noticed_and_the_setting_that_was_meant_is_named() {
    for (name, meant) in [
        ("SLACK_WEBHOK_URL", "SLACK_WEBHOOK_URL"),
        ("SLACK_WEB_HOOK_URL", "SLACK_WEBHOOK_URL"),
        ("SLACK-WEBHOOK-URL", "SLACK_WEBHOOK_URL"),
        ("slack_webhook_url", "SLACK_WEBHOOK_URL"),
        ("SLACK_WEBHOOK_URI", "SLACK_WEBHOOK_URL"),
        ("SLAK_WEBHOK_URL", "SLACK_WEBHOOK_URL"),
        ("SLACK_WEBHOK_URL_FILE", "SLACK_WEBHOOK_URL_FILE"),
        ("OPENAI_API_KEYS", "OPENAI_API_KEY"),
        ("OPEN_AI_API_KEY", "OPENAI_API_KEY"),
        ("OPENIA_API_KEY", "OPENAI_API_KEY"),
        ("ASSEMBLY_AI_API_KEY", "ASSEMBLYAI_API_KEY"),
        ("ASSEMBYAI_API_KEY", "ASSEMBLYAI_API_KEY"),
        ("DEBREIF_API_KEY", "DEBRIEF_API_KEY"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("AMPQ_URL", "AMQP_URL"),
        ("REDDIS_URL", "REDIS_URL"),
        ("SUPPORT_NUMBERS", "SUPPORT_NUMBER"),
        ("SALESFORCE_CONSUMER_SECERT", "SALESFORCE_CONSUMER_SECRET"),
    ] {
        assert_eq!(
            Misspelling::of(&known(), name).map(|found| found.meant).as_deref(),
            Some(meant),
            "{name}"
        );
    }
}

#[test]
fn what_belongs_to_others_is_none_of_our_business() {
    let names: Vec<&str> = OF_OTHERS.split_whitespace().collect();
    assert!(names.len() > 400, "{}", names.len());
    for name in names {
        assert_eq!(Misspelling::of(&known(), name).filter(|_| known().find(name).is_none()), None);
    }
}

#[test]
fn every_setting_of_some_length_is_noticed_with_a_letter_missing_and_with_one_twice() {
    let letters = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).count();
    for key in known().keys().filter(|key| letters(key.name) > 7) {
        let end = key.name.len() - 1;
        let shorter = &key.name[..end];
        let longer = format!("{}{}", key.name, &key.name[end..]);
        for name in [shorter, &longer] {
            let found = Misspelling::of(&known(), name).unwrap_or_else(|| panic!("{name} is not noticed"));
            assert_eq!(found.name, name);
            assert!(known().find(&found.meant).is_some(), "{found}");
        }
    }
}

#[test]
fn the_warning_names_both_and_shows_no_value() {
    let said = Misspelling::of(&known(), "SLACK_WEBHOK_URL").unwrap().to_string();
    assert_eq!(said, "SLACK_WEBHOK_URL: is not a setting and has no effect; is `SLACK_WEBHOOK_URL` meant?");
}

/// Reads the configuration with everything turned on and one setting changed.
fn read_with(name: &str, value: &str) -> Result<Installation, ConfigError> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let mut values = all_on(folder.path().to_str().unwrap());
    values.set(name, value);
    read_all(&values)
}

/// Reads the settings of the providers that have the setting `name`, with everything turned on and this one changed. To
/// read the settings of all providers for each value would take minutes.
fn read_by_its_own(name: &str, value: &str) -> Result<(), ConfigError> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let mut values = all_on(folder.path().to_str().unwrap());
    values.set(name, value);
    let mut is_read = false;
    for provider in providers::all() {
        if provider.settings().keys.iter().any(|key| key.name == name) {
            is_read = true;
            provider.is_on(&values)?;
        }
    }
    if is_read { Ok(()) } else { read_all(&values).map(drop) }
}

#[test]
fn every_setting_that_is_a_length_of_time_has_a_bound() {
    let is_span = |text: &str| {
        text.split(',').all(|part| {
            Values::of([("DEBRIEF_LEASE", part)]).duration("DEBRIEF_LEASE", Duration::ZERO).is_ok()
        })
    };
    // RabbitMQ closes the channel of a delivery that is in hand for 30 minutes, so a fetch has a bound of its own.
    let has_bounds_of_its_own = |name: &str| name == "DEBRIEF_FETCH_TIMEOUT";
    let known = known();
    let spans =
        known.keys().filter(|key| !key.default.is_empty() && is_span(key.default)).map(|key| key.name);
    // `ASSEMBLYAI_POLL` has no default, so the filter above does not find it.
    let spans: Vec<&str> = spans.chain(["ASSEMBLYAI_POLL"]).collect();
    for known in ["DEBRIEF_LEASE", "DEBRIEF_DRAIN_TIMEOUT", "DEBRIEF_RETRY_SCHEDULE", "OPENAI_TIMEOUT"] {
        assert!(spans.contains(&known), "{known} is not among {spans:?}");
    }
    for name in spans {
        for absurd in ["18446744073709551615s", "18446744073709551615ms", "18446744073709551615h", "11y"] {
            let error = read_with(name, absurd).expect_err(name);
            assert_eq!(error.name, name, "{error}");
            assert!(error.problem.contains("10 years") || has_bounds_of_its_own(name), "{error}");
        }
        if !has_bounds_of_its_own(name) {
            read_with(name, "87600h").unwrap_or_else(|error| panic!("{error}"));
        }
    }
}

#[test]
fn what_all_parts_share_is_refused_by_its_name() {
    for (name, value) in [
        ("DEBRIEF_TIMEZONE", "Mars/Base"),
        ("DEBRIEF_REGION", "India"),
        ("DEBRIEF_MAX_UPLOAD_MB", "0"),
        ("DEBRIEF_PUBLIC_URL", "example.com"),
    ] {
        assert_eq!(read_with(name, value).unwrap_err().name, name);
    }
}

/// Texts that nobody means: garbage, and the extremes of numbers.
const GARBAGE: [&str; 22] = [
    "0",
    "-1",
    "x",
    "[",
    "*",
    ",,a",
    "true",
    "NaN",
    "1e400",
    "65536",
    "18446744073709551615",
    "18446744073709551615s",
    "0s",
    "5s,",
    "0/s",
    "4294967295/s",
    "https://user:hunter2@",
    "amqp://user:hunter2@host:99999999/x",
    "../../../../etc",
    "\u{9b}31m\u{202e}word",
    "two\nlines",
    "\0",
];

/// Reads the configuration with one setting changed, and checks what is said where it is refused.
fn is_accepted_or_refused_by_its_name(name: &'static str, value: &str) {
    let known = known();
    let key = known.find(name).unwrap();
    // The settings of the core mean the same without providers, and then they are read much faster.
    let is_of_the_core = CORE.iter().any(|group| group.keys.iter().any(|key| key.name == name));
    let read = if is_of_the_core {
        read_all(&Values::of([(name, value)])).map(drop)
    } else {
        read_by_its_own(name, value)
    };
    let Err(error) = read else { return };
    let said = error.to_string();
    assert!(known.find(&error.name).is_some(), "{name}=`{value}`: {said}");
    assert!(said.contains(name), "{name}=`{value}` is not named: {said}");
    assert!(said.len() < 500, "{name}: {said}");
    assert!(!said.contains('\n'), "{name}: {said}");
    let is_told = value.len() > 3 && said.contains(value);
    let is_secret_told = key.secret && is_told;
    assert!(!said.contains("hunter2") && !is_secret_told, "{name} tells `{value}`: {said}");
}

#[tokio::test]
async fn every_setting_takes_garbage_or_refuses_it_by_its_name_without_telling_a_secret() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let long = "9".repeat(100_000);
    for key in known().keys() {
        for value in GARBAGE.iter().copied().chain([long.as_str()]) {
            is_accepted_or_refused_by_its_name(key.name, value);
        }
    }
}

#[test]
fn every_setting_takes_any_text_or_refuses_it_by_its_name() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let names: Vec<&'static str> = known().keys().map(|key| key.name).collect();
    let value = prop_oneof![
        any::<String>(),
        "[0-9]{1,25}[a-z/]{0,3}",
        "[a-z]{2,6}://[^ ]{0,30}",
        any::<f64>().prop_map(|number| number.to_string()),
    ];
    drop(rustls::crypto::ring::default_provider().install_default());
    let cases = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) };
    proptest!(cases, |(name in proptest::sample::select(names), value in value)| {
        is_accepted_or_refused_by_its_name(name, &value);
    });
}

#[tokio::test]
async fn what_is_no_use_is_refused_by_its_name() {
    for (name, value) in [
        ("DEBRIEF_MAX_CONNECTIONS", "0"),
        ("DEBRIEF_MAX_CONNECTIONS", "-1"),
        ("DEBRIEF_MAX_CONNECTIONS", "x"),
        ("DEBRIEF_MAX_CONNECTIONS", "18446744073709551615"),
        ("DEBRIEF_MAX_REQUESTS", "0"),
        ("DEBRIEF_MAX_REQUESTS", "18446744073709551615"),
        ("DEBRIEF_MAX_ATTEMPTS", "0"),
        ("DEBRIEF_METRICS_BIND", "9090"),
        ("DEBRIEF_METRICS_BIND", "localhost:9090"),
        ("RUST_LOG", "["),
        ("RUST_LOG", "info,debrief=loud"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:hunter2@"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://localhost:4317"),
        ("SUPPORT_NUMBER", "abc"),
        ("DEBRIEF_REGION", "XX"),
        ("DEBRIEF_API_KEY", "schlüssel"),
        ("DEBRIEF_API_KEY", "a\u{1b}[31mb"),
        ("OPENAI_TIMEOUT", "0s"),
        ("DEBRIEF_RATE_LIMIT", "4294967295/s"),
        ("RABBITMQ_MANAGEMENT_URL", "nowhere"),
        ("REDIS_URL", "nowhere"),
        ("DEBRIEF_DATA_DIR", "/dev/null/x"),
    ] {
        let error = read_with(name, value).err().unwrap_or_else(|| panic!("{name}={value} is taken"));
        assert_eq!(error.name, name, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn what_needs_a_partner_is_refused_without_it() {
    drop(rustls::crypto::ring::default_provider().install_default());
    for (given, missing) in [
        (&[("EXOTEL_API_KEY", "key")][..], "EXOTEL_API_TOKEN"),
        (&[("EXOTEL_API_TOKEN", "token")], "EXOTEL_API_KEY"),
        (&[("OPENAI_PRICE_PROMPT", "1")], "OPENAI_PRICE_COMPLETION"),
        (&[("SLACK_BOT_TOKEN", "xoxb-1")], "SLACK_CHANNEL"),
        (&[("CRM_AUTO_UPLOAD", "true")], "CRM_UPLOAD_URL"),
        (&[("DATABASE_URL", "postgres://localhost/x")], "AMQP_URL"),
        (&[("DEBRIEF_API_KEY", "hunter2"), ("DEBRIEF_WEBHOOK_KEY", "hunter2")], "DEBRIEF_WEBHOOK_KEY"),
    ] {
        let error = read_all(&Values::of(given.iter().copied())).unwrap_err();
        assert_eq!(error.name, missing, "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// Starts everything that listens and works, and stops it.
async fn starts(settings: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let mut values = all_on(folder.path().to_str().unwrap());
    // A bucket would be asked whether it is there, and it has limits of its own.
    let usual = [("PORT", "0"), ("DEBRIEF_BIND", "127.0.0.1"), ("BLOB_URL", "")];
    for (name, value) in usual.iter().chain(settings) {
        values.set(name, value);
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let running = Running::start(values, &Role::all()).await;
    running.unwrap_or_else(|error: StartError| panic!("{settings:?}: {error}")).stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_starts_with_every_limit_at_its_highest() {
    starts(&[
        ("DEBRIEF_MAX_REQUESTS", "1000000"),
        ("DEBRIEF_MAX_CONNECTIONS", "1000000"),
        ("DEBRIEF_MAX_UPLOAD_MB", "18446744073709551615"),
        ("DEBRIEF_RATE_LIMIT", "1000000000/s"),
        ("DEBRIEF_RETRY_SCHEDULE", "87600h"),
        ("DEBRIEF_MAX_ATTEMPTS", "1000000"),
        ("DEBRIEF_LEASE", "87600h"),
        ("OPENAI_TIMEOUT", "87600h"),
        ("OPENAI_RATE", "4294967295/s"),
        ("SLACK_RATE", "4294967295/s"),
        ("ASSEMBLYAI_POLL", "87600h"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_starts_with_every_limit_at_its_lowest() {
    starts(&[
        ("DEBRIEF_MAX_REQUESTS", "1"),
        ("DEBRIEF_MAX_CONNECTIONS", "1"),
        ("DEBRIEF_MAX_UPLOAD_MB", "1"),
        ("DEBRIEF_RATE_LIMIT", "1/h"),
        ("DEBRIEF_RETRY_SCHEDULE", "0s"),
        ("DEBRIEF_MAX_ATTEMPTS", "1"),
        ("DEBRIEF_LEASE", "1s"),
        ("DEBRIEF_DRAIN_TIMEOUT", "0s"),
        ("OPENAI_TIMEOUT", "1s"),
        ("SLACK_RATE", "1/h"),
    ])
    .await;
}
