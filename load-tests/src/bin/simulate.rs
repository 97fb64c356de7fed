//! Runs the simulators of providers until it is asked to stop.

use std::io::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use clap::{ArgMatches, Args as _, Command, FromArgMatches as _, value_parser};
use serde_json::json;
use simulators::{Options, PROVIDERS, Provider, Simulators};
use tokio::signal::unix::{SignalKind, signal};

const CONTROL: &str = r#"GET received lists what arrived, GET effects counts what was made, PUT pace sets how fast answers are streamed
({"sentence_ms": 300, "sound_speed": 8}), POST faults sets what goes wrong:
  {"latency_ms": 50, "rate": 0.1, "always": FAULT, "next": [FAULT, ...]}
Each fault in `next` meets one request. `always` meets the other requests, or a share of them. A FAULT may name the
requests that it meets and delay them, {"path": "/upload", "delay_ms": 100}, and says what happens to them:
"status": 500, "body": "...", "accept": true (the request takes effect all the same), "retry_after": "7",
"retry_after_date_s": 7 (the same as a date), "reset": true, "accept_then_reset": true, "cut_short": true,
"stall": true (the answer stops in its body), "model": "not_json" | "cut_off" | "refusal" | "schema_break"."#;
const ALL: &str = "all";

/// What every subcommand takes.
#[derive(clap::Args)]
struct Common {
    /// The time that a transcript takes, in milliseconds
    #[arg(long, global = true, default_value_t = 300)]
    transcription_ms: u64,
    /// A field that a contact has in the Salesforce org; can be repeated. Without it, the standard fields
    #[arg(long = "contact-field", global = true)]
    contact_fields: Vec<String>,
    /// Print the addresses as one line of JSON
    #[arg(long, global = true)]
    json: bool,
}

/// Makes the command line: one subcommand for all providers, and one for each provider of the table.
fn command() -> Command {
    let port = |name: &'static str, help: &'static str| {
        clap::Arg::new(name).long(name).value_parser(value_parser!(u16)).default_value("0").help(help)
    };
    let all = Command::new(ALL).about("Every provider, each on a port of its own").arg(port(
        "port-base",
        "The port of the first provider; each further one takes the next port. 0: any free ports",
    ));
    let one =
        |provider: &&Provider| Command::new(provider.name).arg(port("port", "The port. 0: any free port"));
    let command = Command::new("simulate")
        .about("Simulates the providers that Debrief talks to, on loopback")
        .long_about(
            "Simulates the providers that Debrief talks to, on loopback.\n\nPrints their addresses and runs until \
             SIGTERM or SIGINT. Each has control routes under `/_control`: `received`, `effects`, `pace` and `faults`.",
        )
        .after_help(CONTROL)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(all)
        .subcommands(PROVIDERS.iter().map(one));
    Common::augment_args(command)
}

/// Returns the providers that a subcommand names, and the port of the first one.
fn chosen(subcommand: &str, arguments: &ArgMatches) -> (Vec<&'static Provider>, Option<u16>) {
    let port = if subcommand == ALL { "port-base" } else { "port" };
    let port = arguments.get_one::<u16>(port).copied().filter(|port| *port > 0);
    let is_chosen = |provider: &&&Provider| subcommand == ALL || provider.name == subcommand;
    (PROVIDERS.iter().filter(is_chosen).copied().collect(), port)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let matches = command().get_matches();
    let common = Common::from_arg_matches(&matches)?;
    let (subcommand, arguments) = matches.subcommand().context("read the command line")?;
    let (providers, base_port) = chosen(subcommand, arguments);
    let options = Options {
        base_port,
        transcription_time: Duration::from_millis(common.transcription_ms),
        contact_fields: common.contact_fields,
        ..Options::default()
    };
    // Whoever reads the addresses may ask the program to stop at once.
    let mut term = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let simulators = Simulators::start_only(&providers, &options).await?;
    print_addresses(&simulators, common.json)?;
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
    simulators.stop().await;
    Ok(())
}

fn print_addresses(simulators: &Simulators, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        let addresses: serde_json::Map<_, _> =
            simulators.iter().map(|one| (one.provider.name.to_owned(), json!(one.url("")))).collect();
        writeln!(out, "{}", serde_json::Value::Object(addresses))?;
    } else {
        for simulator in simulators.iter() {
            writeln!(out, "{:<12} {}", simulator.provider.name, simulator.url(""))?;
        }
    }
    out.flush().context("write the addresses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_provider_of_the_table_has_a_subcommand() {
        command().debug_assert();
        for provider in PROVIDERS {
            let matches =
                command().try_get_matches_from(["simulate", provider.name, "--port", "7", "--json"]).unwrap();
            let (subcommand, arguments) = matches.subcommand().unwrap();
            let (chosen, port) = chosen(subcommand, arguments);
            assert_eq!(chosen.iter().map(|one| one.name).collect::<Vec<_>>(), [provider.name]);
            assert_eq!(port, Some(7));
            assert!(Common::from_arg_matches(&matches).unwrap().json);
        }
        let matches = command().try_get_matches_from(["simulate", "all"]).unwrap();
        let (subcommand, arguments) = matches.subcommand().unwrap();
        assert_eq!(chosen(subcommand, arguments).0.len(), PROVIDERS.len());
    }
}
