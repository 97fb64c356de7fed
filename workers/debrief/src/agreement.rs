//! Tests that all parts say the same about one call, and that each shared setting is read in only one place.

use std::path::{Path, PathBuf};

use domain::analysis::{Analysis, Category, Metrics, Priority, Resolution, Sentiment, Tone};
use domain::call::{Call, CallDetails, CallId, CallKind, CallStatus, Direction, WorkspaceId};
use domain::moment::Moment;
use domain::transcript::Transcript;
use platform::config::{Installation, Values};
use providers::Slots;
use serde_json::json;

fn call(details: CallDetails) -> Call {
    Call {
        id: CallId::derive(WorkspaceId::DEFAULT, "exotel", "CALL-1"),
        workspace: WorkspaceId::DEFAULT,
        source: "exotel".into(),
        external_id: "CALL-1".into(),
        kind: CallKind::Phone,
        status: CallStatus::Processing,
        generation: 1,
        details,
        received_at: Moment::from_micros(0),
        updated_at: Moment::from_micros(0),
    }
}

fn analysis() -> Analysis {
    Analysis {
        analyzer: "builtin".into(),
        summary: String::new(),
        key_points: Vec::new(),
        topics: Vec::new(),
        sentiment: Sentiment::Neutral,
        tone: Tone::Neutral,
        concern: None,
        category: Category::Other,
        action_items: Vec::new(),
        customer_requests: Vec::new(),
        resolution: Resolution::Unknown,
        priority: Priority::Low,
        contacts: Vec::new(),
        metrics: Metrics::default(),
        usage: None,
    }
}

/// The text under a heading of the message. `None` where the message says "Not provided".
fn under<'a>(message: &'a str, heading: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(heading).unwrap();
    rest.lines().nth(1).filter(|text| *text != "Not provided")
}

struct Case {
    from: &'static str,
    to: &'static str,
    said: Option<Direction>,
    agent: &'static str,
    support: &'static str,
    region: &'static str,
    /// The direction, our number and the customer's.
    wanted: (Direction, Option<&'static str>, Option<&'static str>),
}

const PLAIN: Case = Case {
    from: "+442079460991",
    to: "+442079460100",
    said: None,
    agent: "",
    support: "+442079460100",
    region: "",
    wanted: (INCOMING, Some("+442079460100"), Some("+442079460991")),
};
const INCOMING: Direction = Direction::Incoming;
const OUTGOING: Direction = Direction::Outgoing;

#[test]
fn slack_the_call_data_record_and_the_api_say_the_same_of_who_called_whom() {
    // The clients of the CRM are made, though nobody asks them.
    drop(rustls::crypto::ring::default_provider().install_default());
    let cases = [
        PLAIN,
        // The numbers decide, even where the source says something else.
        Case { said: Some(OUTGOING), ..PLAIN },
        Case {
            from: "020 7946 0100",
            to: "020 7946 0991",
            said: Some(INCOMING),
            wanted: (OUTGOING, Some("020 7946 0100"), Some("020 7946 0991")),
            ..PLAIN
        },
        // A country may be written in lower case.
        Case {
            from: "(202) 555-0100",
            to: "(202) 555-0131",
            support: "2025550100",
            region: "us",
            wanted: (OUTGOING, Some("(202) 555-0100"), Some("(202) 555-0131")),
            ..PLAIN
        },
        Case {
            from: "(202) 555-0100",
            to: "(202) 555-0131",
            support: "+1 202 555 0100",
            region: "US",
            wanted: (OUTGOING, Some("(202) 555-0100"), Some("(202) 555-0131")),
            ..PLAIN
        },
        // Where no country is set, the first support number names the country. Where there is no such number, the
        // country is India.
        Case {
            from: "09631084471",
            to: "+912066600000",
            support: "+919631084471",
            wanted: (OUTGOING, Some("09631084471"), Some("+912066600000")),
            ..PLAIN
        },
        // A call from the agent's own number is outgoing.
        Case {
            from: "+442079460555",
            to: "+442079460991",
            agent: "02079460555",
            wanted: (OUTGOING, Some("+442079460555"), Some("+442079460991")),
            ..PLAIN
        },
        // Where neither number is ours, the source's word for the direction counts. Without such a word the call is
        // incoming.
        Case {
            support: "",
            said: Some(OUTGOING),
            wanted: (OUTGOING, Some("+442079460991"), Some("+442079460100")),
            ..PLAIN
        },
        Case { support: "+442079460222,+442079460333", ..PLAIN },
        // A hidden number does not count as anybody's number.
        Case {
            from: "anonymous",
            support: "+442079460222",
            agent: "unknown",
            wanted: (INCOMING, Some("+442079460100"), Some("anonymous")),
            ..PLAIN
        },
        Case { to: " ", wanted: (INCOMING, Some("+442079460100"), Some("+442079460991")), ..PLAIN },
        Case { from: "", wanted: (INCOMING, Some("+442079460100"), None), ..PLAIN },
    ];
    for (number, case) in cases.into_iter().enumerate() {
        let Case { from, to, said, agent, support, region, wanted } = case;
        let values = Values::of([
            ("SUPPORT_NUMBER", support),
            ("DEBRIEF_REGION", region),
            ("CRM_AUTO_UPLOAD", "true"),
            ("CRM_UPLOAD_URL", "https://crm.example/calls"),
            ("CRM_CAMPAIGN_ID", "c"),
            ("CRM_VOICE_AGENT_ID", "v"),
            ("CRM_CLIENT_ID", "k"),
        ]);
        let installation = Installation::read(&values).unwrap();
        let slots = Slots::of_this_process();
        let call = call(CallDetails {
            from_number: Some(from.into()),
            to_number: Some(to.into()),
            direction: said,
            agent_phone: Some(agent.into()),
            ..CallDetails::default()
        });
        let (direction, support, customer) = wanted;

        let format = slack::Settings::read(&values, &installation, &slots).unwrap().format;
        let posted = slack::message::write(&call, &analysis(), &Transcript::default(), &format).concat();
        let in_slack = (under(&posted, "*Support Number:*"), under(&posted, "Customer Number:*"));
        assert_eq!(in_slack, (support, customer), "Slack, case {number}");

        let settings = crm::Settings::read(&values, &installation, &slots).unwrap();
        let defaults = settings.call_log.unwrap().defaults;
        let record = crm::call_data::payload(&call, None, &Transcript::default(), &defaults).unwrap();
        let name = if direction == OUTGOING { "outbound" } else { "inbound" };
        assert_eq!(record["callDetails"]["direction"], name, "call data, case {number}");
        assert_eq!(record["callDetails"]["callerNumber"], json!(customer), "call data, case {number}");

        let view = api::view::call(&call, &installation.lines, None, &[], &[], None);
        let name = if direction == OUTGOING { "outgoing" } else { "incoming" };
        assert_eq!(view.direction.as_deref(), Some(name), "the API, case {number}");
    }
}

/// Lists every Rust file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn what_all_parts_share_is_read_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::new();
    for folder in ["common", "queue-topology", "workers"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 100, "{}", files.len());
    let shared = [
        "DEBRIEF_TIMEZONE",
        "DEBRIEF_REGION",
        "SUPPORT_NUMBER",
        "DEBRIEF_MAX_UPLOAD_MB",
        "DEBRIEF_PUBLIC_URL",
    ];
    // A setting's name can stand in a call of a method of `Values` that reads, or in a constant.
    let ways = ["text(", "list(", "url(", "secret(", "parse(", ">(", "&str = "];
    let mut readers = Vec::new();
    for path in files.iter().filter(|path| !path.ends_with("platform/src/config/load.rs")) {
        let text = std::fs::read_to_string(path).unwrap();
        for name in shared {
            if ways.iter().any(|way| text.contains(&format!("{way}\"{name}\""))) {
                readers.push((name, path.file_name().unwrap().to_owned()));
            }
        }
    }
    readers.dedup_by(|one, other| one.1 == other.1);
    assert_eq!(
        readers.iter().map(|(_, file)| file.to_str().unwrap()).collect::<Vec<_>>(),
        ["installation.rs"]
    );
}
