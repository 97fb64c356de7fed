//! Runs the provider simulators until it is told to stop.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde_json::json;
use simulators::{Options, Simulators};
use simulators::{Provider, Simulator};
use tokio::signal::unix::{SignalKind, signal};

const CONTROL: &str = r#"GET received lists what arrived, GET effects counts what was made, POST faults sets what goes wrong:
  {"latency_ms": 50, "rate": 0.1, "always": FAULT, "next": [FAULT, ...]}
`next` meets one request each, `always` the others, or a share of them. A FAULT is {"path": "/upload", "delay_ms": 100}
and what happens there: "status": 500, "body": "...", "accept": true (it took effect nevertheless), "retry_after": "7",
"retry_after_date_s": 7 (the same as a date), "reset": true, "accept_then_reset": true, "cut_short": true,
"stall": true (the answer stops in its body), "model": "not_json" | "cut_off" | "refusal" | "schema_break"."#;

/// Simulates the providers that Debrief talks to, on loopback.
///
/// Prints where they listen and runs until SIGTERM or SIGINT. Each has control routes under `/_control`:
/// `received`, `effects` and `faults`.
#[derive(Parser)]
#[command(after_help = CONTROL)]
struct Cli {
    #[command(subcommand)]
    which: Which,
    /// How long a transcript takes, in milliseconds.
    #[arg(long, global = true, default_value_t = 300)]
    transcription_ms: u64,
    /// A field that the Salesforce org has; repeated for each. Without it, the standard ones.
    #[arg(long = "contact-field", global = true)]
    contact_fields: Vec<String>,
    /// Print the addresses as one line of JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Which {
    /// Every provider, each on a port of its own.
    All {
        /// The first one's port; the others take the ports after it. 0: any free ports.
        #[arg(long, default_value_t = 0)]
        port_base: u16,
    },
    #[command(flatten)]
    One(One),
}

#[derive(Subcommand)]
enum One {
    Assemblyai(Port),
    Openai(Port),
    Slack(Port),
    Salesforce(Port),
    #[command(name = "call_data")]
    CallData(Port),
    Recordings(Port),
}

#[derive(clap::Args)]
struct Port {
    /// 0: any free port.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

impl One {
    fn place(&self) -> (Provider, u16) {
        match self {
            Self::Assemblyai(place) => (Provider::Assemblyai, place.port),
            Self::Openai(place) => (Provider::Openai, place.port),
            Self::Slack(place) => (Provider::Slack, place.port),
            Self::Salesforce(place) => (Provider::Salesforce, place.port),
            Self::CallData(place) => (Provider::CallData, place.port),
            Self::Recordings(place) => (Provider::Recordings, place.port),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let mut options =
        Options { transcription_time: Duration::from_millis(cli.transcription_ms), ..Options::default() };
    if !cli.contact_fields.is_empty() {
        options.contact_fields = cli.contact_fields;
    }
    // Before anything is told, so that whoever reads the addresses can stop us.
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let simulators = match cli.which {
        Which::All { port_base } => {
            options.base_port = (port_base > 0).then_some(port_base);
            Vec::from(Simulators::start(&options).await?)
        }
        Which::One(one) => {
            let (provider, port) = one.place();
            vec![Simulator::start(provider, port, &options).await?]
        }
    };
    announce(&simulators, cli.json)?;
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    for simulator in simulators {
        simulator.stop().await;
    }
    Ok(())
}

fn announce(simulators: &[Simulator], as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let addresses: serde_json::Map<_, _> =
            simulators.iter().map(|one| (one.provider.name().to_owned(), json!(one.url("")))).collect();
        writeln!(out, "{}", serde_json::Value::Object(addresses))?;
    } else {
        for simulator in simulators {
            writeln!(out, "{:<12} {}", simulator.provider.name(), simulator.url(""))?;
        }
    }
    out.flush().context("write the addresses")
}
