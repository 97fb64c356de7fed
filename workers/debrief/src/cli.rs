//! The command line: what can be asked of the binary, and the exit code of each answer.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use domain::principal::Scope;
use platform::config::{self, ConfigError, Values};
use uuid::Uuid;

use crate::commands;
use crate::deployment::StartError;
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;
use crate::settings;

/// The usage or the configuration is wrong.
const BAD_USAGE: u8 = 2;
/// The workspace that an installation begins with, by its name.
const DEFAULT_WORKSPACE: &str = "default";

#[derive(Parser)]
#[command(
    name = "debrief",
    version,
    about = "Turns calls and meetings into transcripts, analyses, CRM updates and Slack messages"
)]
struct Cli {
    /// The configuration file; `debrief.toml` beside the process where there is one.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The workspace that the command works in; `default` where none is named
    #[arg(long, global = true, value_name = "NAME")]
    workspace: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start roles; all of them where none is named
    Run {
        /// ingest, api, keeper, dedup, transcription, analysis, crm or slack; can be repeated
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
    },
    /// Sample calls through the whole pipeline, with simulated providers, and nothing to set up
    ///
    /// It listens on PORT where that is set, else on 8000, or on any port where that is taken.
    Demo {
        /// Exit after the table: 0 when every sample ended as it should
        #[arg(long)]
        once: bool,
    },
    /// Bring files in: sessions, meetings and recordings
    Import(commands::import::Import),
    /// Who may ask over the network: keys, each of one workspace
    Keys {
        #[command(subcommand)]
        what: Keys,
    },
    /// What the store knows
    Calls {
        #[command(subcommand)]
        what: Calls,
    },
    /// Do a call again
    Replay {
        /// Our id of the call, or its source's
        #[arg(long, value_name = "ID")]
        call: String,
        /// The stage from which on it is done again
        #[arg(long, value_name = "STAGE", default_value = "transcription")]
        from: String,
    },
    /// What could not be done, and why
    Dead {
        #[command(subcommand)]
        what: Dead,
    },
    /// Depth, consumers and runs per stage
    Queues {
        /// Show it again every second until interrupted
        #[arg(long)]
        watch: bool,
        #[arg(long)]
        json: bool,
    },
    /// Who had what done again, and who made or revoked a key
    Audit {
        #[command(subcommand)]
        what: Audit,
    },
    /// What was changed in other people's systems
    Effects {
        #[command(subcommand)]
        what: Effects,
    },
    /// The queues on the broker
    Topology {
        #[command(subcommand)]
        what: Topology,
    },
    /// Bring the database up to this program
    Migrate,
    /// The configuration, in words
    Check {
        /// Try each server and provider
        #[arg(long)]
        connect: bool,
        /// Print a commented configuration file with every default
        #[arg(long)]
        defaults: bool,
    },
}

#[derive(Subcommand)]
enum Keys {
    /// Make a key. It is printed once, alone on standard output, and kept nowhere. A workspace that is not there yet
    /// is made with it
    Create {
        /// Names the key in lists and on the audit record
        #[arg(value_name = "NAME", value_parser = commands::keys::name)]
        name: String,
        /// `bring_in`, `read`, `operate` or `administer`; can be repeated, and where none is named the key has all
        #[arg(long = "scope", value_name = "SCOPE", value_parser = commands::keys::scope)]
        scopes: Vec<Scope>,
        #[arg(long)]
        json: bool,
    },
    /// The keys of the workspace, without what they are
    List {
        #[arg(long)]
        json: bool,
    },
    /// Have a key refused; every process does so within ten seconds
    Revoke {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Subcommand)]
enum Calls {
    /// The newest calls
    List {
        #[arg(long)]
        status: Option<String>,
        #[arg(long, default_value_t = 20)]
        limit: i64,
        #[arg(long)]
        json: bool,
    },
    /// One call on one page
    Show {
        /// Our id of the call, or its source's
        id: String,
        /// The call as the API shows it
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum Dead {
    /// By what they died of
    List {
        #[command(flatten)]
        which: commands::dead::Which,
        #[arg(long)]
        json: bool,
    },
    /// One of them, whole
    Show { id: Uuid },
    /// Send them on again
    Replay {
        #[command(flatten)]
        which: commands::dead::Which,
        /// Say how many there are, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// How many a second at most
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
    },
}

#[derive(Subcommand)]
enum Effects {
    /// What is not confirmed, or the effects of one call
    List {
        #[arg(long)]
        call: Option<String>,
        /// `target=NAME`, `state=NAME` or `since=TIME`; can be repeated
        #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', conflicts_with = "call")]
        filter: Vec<String>,
    },
    /// One of them, whole
    Show { id: Uuid },
    /// Say what became of effects of which nobody knows
    Resolve {
        #[arg(required_unless_present = "filter")]
        ids: Vec<Uuid>,
        /// Instead of ids: `target=NAME`, `state=NAME` or `since=TIME`; can be repeated
        #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', conflicts_with = "ids")]
        filter: Vec<String>,
        /// They happened
        #[arg(long, conflicts_with = "resend", required_unless_present = "resend")]
        sent: bool,
        /// They did not: do them again
        #[arg(long)]
        resend: bool,
    },
}

#[derive(Subcommand)]
enum Audit {
    /// The newest requests by hand: replays, words given for effects, and keys
    List {
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum Topology {
    /// Declare what is missing
    Apply,
    /// Compare the broker with what is needed; exit 1 when something differs
    Check,
    /// Print it as RabbitMQ definitions
    Export,
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(StartError::Config(error)) => {
            eprintln!("debrief: {error}");
            ExitCode::from(BAD_USAGE)
        }
        Err(StartError::Other(error)) => {
            eprintln!("debrief: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn start(cli: Cli) -> Ended {
    let values = config::load(&settings::known(), cli.config.as_deref(), config::environment())?;
    // Whatever speaks TLS later needs it; a second installation would be a mistake of ours.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err(anyhow::anyhow!("the TLS provider was installed twice").into());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let workspace = cli.workspace.as_deref();
    if let Some(problem) = workspace.and_then(|_| cli.command.concerns_all_workspaces()) {
        return Err(ConfigError::new("--workspace", problem).into());
    }
    runtime.block_on(dispatch(cli.command, values, workspace.unwrap_or(DEFAULT_WORKSPACE)))
}

impl Command {
    /// Why a command has no use for the name of a workspace.
    fn concerns_all_workspaces(&self) -> Option<&'static str> {
        match self {
            Self::Run { .. } => {
                Some("`run` works for all workspaces; whose a call is follows from the key it comes with")
            }
            Self::Demo { .. } => Some("`demo` makes an installation of its own"),
            Self::Queues { .. } => Some("`queues` counts over all workspaces"),
            Self::Topology { .. } | Self::Migrate | Self::Check { .. } => {
                Some("this command is about the installation as a whole")
            }
            Self::Import(_)
            | Self::Keys { .. }
            | Self::Calls { .. }
            | Self::Replay { .. }
            | Self::Dead { .. }
            | Self::Audit { .. }
            | Self::Effects { .. } => None,
        }
    }
}

async fn dispatch(command: Command, values: Values, workspace: &str) -> Ended {
    match command {
        Command::Run { roles } => commands::run::run(values, roles).await,
        Command::Demo { once } => commands::demo::demo(&values, once).await,
        Command::Import(import) => commands::import::import(values, workspace, import).await,
        Command::Keys { what: Keys::Create { name, scopes, json } } => {
            commands::keys::create(&values, workspace, &name, &scopes, json).await
        }
        Command::Keys { what: Keys::List { json } } => commands::keys::list(&values, workspace, json).await,
        Command::Keys { what: Keys::Revoke { name } } => {
            commands::keys::revoke(&values, workspace, &name).await
        }
        Command::Calls { what: Calls::List { status, limit, json } } => {
            commands::calls::list(&values, workspace, status.as_deref(), limit, json).await
        }
        Command::Calls { what: Calls::Show { id, json } } => {
            commands::calls::show(&values, workspace, &id, json).await
        }
        Command::Replay { call, from } => commands::replay::call(&values, workspace, &call, &from).await,
        Command::Dead { what: Dead::List { which, json } } => {
            commands::dead::list(&values, workspace, which, json).await
        }
        Command::Dead { what: Dead::Show { id } } => commands::dead::show(&values, workspace, id).await,
        Command::Dead { what: Dead::Replay { which, dry_run, rate } } => {
            commands::dead::replay(&values, workspace, which, dry_run, rate).await
        }
        Command::Queues { watch, json } => commands::queues::queues(values, watch, json).await,
        Command::Audit { what: Audit::List { limit, json } } => {
            commands::audit::list(&values, workspace, limit, json).await
        }
        Command::Effects { what: Effects::List { call, filter } } => {
            commands::effects::list(&values, workspace, call.as_deref(), &filter).await
        }
        Command::Effects { what: Effects::Show { id } } => {
            commands::effects::show(&values, workspace, id).await
        }
        Command::Effects { what: Effects::Resolve { ids, filter, sent, .. } } => {
            commands::effects::resolve(&values, workspace, &ids, &filter, sent).await
        }
        Command::Topology { what } => match what {
            Topology::Apply => commands::topology::apply(&values).await,
            Topology::Check => commands::topology::check(&values).await,
            Topology::Export => commands::topology::export(&values),
        },
        Command::Migrate => commands::migrate::migrate(&values).await,
        Command::Check { connect, defaults } => commands::check::check(&values, connect, defaults).await,
    }
}
