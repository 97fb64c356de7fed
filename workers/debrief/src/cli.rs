//! The command line: the commands of the binary, their options and their exit codes.

mod dispatch;
mod subcommands;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use domain::shown_text;
use platform::config::{self, ConfigError};
use uuid::Uuid;

use crate::commands;
use crate::deployment::StartError;
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;
use crate::settings;
use subcommands::{Audit, Blobs, Calls, Dead, Effects, Keys, Topology, Users};

/// The exit code for a wrong command line or a wrong configuration.
const BAD_USAGE: u8 = 2;
/// The name of the workspace that every installation begins with.
const DEFAULT_WORKSPACE: &str = "default";

#[derive(Parser)]
#[command(
    name = "debrief",
    version,
    about = "Turns calls and meetings into transcripts, analyses, CRM updates and Slack messages"
)]
struct Cli {
    /// The configuration file. Without this option, `debrief.toml` in the current folder is read where there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The workspace that the command works in. Without this option it is `default`
    #[arg(long, global = true, value_name = "NAME")]
    workspace: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the roles that are named, or all roles where none is named
    Run {
        /// A role to run: ingest, api, console, practice, keeper, dedup, transcription, analysis, crm or slack. The option
        /// can be repeated
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
    },
    /// Send sample calls through the whole pipeline, with simulated providers; nothing has to be set up
    ///
    /// The demo listens on PORT where that is set. Otherwise it listens on 8000, or on any free port where 8000 is in
    /// use.
    Demo {
        /// Exit after the table. The exit code is 0 when every sample ended as it should
        #[arg(long)]
        once: bool,
    },
    /// Bring in files: sessions, meetings and recordings
    Import(commands::import::Import),
    /// Say what a recording is and what is measured in it: format, speech, silence, and what is odd
    Audio {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[arg(long)]
        json: bool,
        /// Only decode the recording and bring it to 16 kHz, for a comparison with other programs
        #[arg(long, conflicts_with = "json")]
        decode_only: bool,
    },
    /// Make, list and revoke the keys with which others may use the HTTP interface. Each key belongs to one workspace
    Keys {
        #[command(subcommand)]
        what: Keys,
    },
    /// Hold a practice meeting in the terminal, in text. Without `--meeting` one is made with two people
    Practice {
        /// The id of a meeting that was made before
        #[arg(long, value_name = "ID")]
        meeting: Option<Uuid>,
    },
    /// Make, list, shut out and let in the people who sign in to the console
    Users {
        #[command(subcommand)]
        what: Users,
    },
    /// Show the calls that the store knows
    Calls {
        #[command(subcommand)]
        what: Calls,
    },
    /// Process a call again
    Replay {
        /// Our id of the call, or its source's
        #[arg(long, value_name = "ID")]
        call: String,
        /// The first stage that is run again
        #[arg(long, value_name = "STAGE", default_value = "transcription")]
        from: String,
    },
    /// Show the work that was given up and why, and start it again
    Dead {
        #[command(subcommand)]
        what: Dead,
    },
    /// Show the waiting messages, the consumers and the runs of each stage
    Queues {
        /// Show the table again every second until you press Ctrl-C
        #[arg(long)]
        watch: bool,
        #[arg(long)]
        json: bool,
    },
    /// Show who started work again, who decided about effects, and who made or revoked keys
    Audit {
        #[command(subcommand)]
        what: Audit,
    },
    /// Show what models and transcripts cost
    Usage {
        /// Only what was paid for at this time or later: a day in UTC, or a time with an offset
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Only what was paid for at this time or earlier. A day means the whole day
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
        /// What each line is about: day, model or call
        #[arg(long, value_name = "WHAT", default_value = "day")]
        by: String,
        #[arg(long)]
        json: bool,
    },
    /// Show the effects: what Debrief changed in other systems
    Effects {
        #[command(subcommand)]
        what: Effects,
    },
    /// Copy an embedded deployment into a new folder, while it runs
    ///
    /// The copy has everything that a restore needs, the key that opens sealed addresses included. Keep it as secret
    /// as the data folder.
    Backup {
        /// The folder of the back-up. It must be new or empty
        #[arg(value_name = "TO")]
        to: PathBuf,
    },
    /// Put a back-up into an empty data folder
    Restore {
        /// The folder of the back-up
        #[arg(value_name = "FROM")]
        from: PathBuf,
    },
    /// Declare, compare or print the queues on the broker
    Topology {
        #[command(subcommand)]
        what: Topology,
    },
    /// Move recordings and documents between the data folder and a bucket
    Blobs {
        #[command(subcommand)]
        what: Blobs,
    },
    /// Update the tables of the database for this version of the program
    Migrate,
    /// Check the configuration and show it in words
    Check {
        /// Also try to reach each server and provider
        #[arg(long)]
        connect: bool,
        /// Only ask the process that runs with this configuration on this machine whether it is ready. The exit code
        /// is 0 when it is, and 1 when it is not
        #[arg(long, conflicts_with_all = ["connect", "defaults"])]
        ready: bool,
        /// Print a commented configuration file with every default
        #[arg(long)]
        defaults: bool,
    },
}

pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) => return answer(&wrong),
    };
    match start(cli) {
        Ok(code) => code,
        Err(StartError::Config(error)) => {
            complain!("debrief: {error}");
            ExitCode::from(BAD_USAGE)
        }
        Err(StartError::Other(error)) => {
            complain!("debrief: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Shows the help that was asked for, or what is wrong with the command line. The text of an error quotes arguments,
/// so what a terminal would obey is removed from it.
fn answer(wrong: &clap::Error) -> ExitCode {
    if !wrong.use_stderr() {
        say_on!("{}", wrong.render().ansi());
        return ExitCode::SUCCESS;
    }
    let text = wrong.render().to_string();
    match wrong.kind() {
        // The command line names no command. The text is the help.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => eprint!("{}", shown_text::lines(&text)),
        _ => complain!("debrief: {}", in_one_line(&text)),
    }
    ExitCode::from(BAD_USAGE)
}

/// What is wrong with a command line, from the text of clap, in one line. The last line of a log is often the only one
/// that is read: `kubectl describe pod` shows it.
fn in_one_line(text: &str) -> String {
    let told =
        |paragraph: &&str| !paragraph.starts_with("Usage:") && !paragraph.starts_with("For more information");
    let one_line = |paragraph: &str| paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = text.split("\n\n").map(str::trim).filter(told).map(one_line).collect::<Vec<_>>().join("; ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

fn start(cli: Cli) -> Ended {
    let values = config::load(&settings::known(), cli.config.as_deref(), config::environment())?;
    // Every client that speaks TLS needs the provider. A second installation can only be a mistake in this program.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return Err(anyhow::anyhow!("the TLS provider was installed twice").into());
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from)?;
    let workspace = cli.workspace.as_deref();
    if let Some(problem) = workspace.and_then(|_| cli.command.concerns_all_workspaces()) {
        return Err(ConfigError::new("--workspace", problem).into());
    }
    runtime.block_on(dispatch::dispatch(cli.command, values, workspace.unwrap_or(DEFAULT_WORKSPACE)))
}

impl Command {
    /// Why the command takes no `--workspace`. `None` where the command takes one.
    fn concerns_all_workspaces(&self) -> Option<&'static str> {
        match self {
            Self::Run { .. } => Some(
                "`run` works for all workspaces; the key with which a call comes in decides its workspace",
            ),
            Self::Audio { .. } => Some("`audio` looks at a file and at no workspace"),
            Self::Demo { .. } => Some("`demo` makes an installation of its own"),
            Self::Queues { .. } => Some("`queues` counts over all workspaces"),
            Self::Effects { what: Effects::Doubt { .. } } => {
                Some("`effects doubt` is about the database as a whole")
            }
            Self::Backup { .. }
            | Self::Restore { .. }
            | Self::Blobs { .. }
            | Self::Topology { .. }
            | Self::Migrate
            | Self::Check { .. } => Some("this command is about the installation as a whole"),
            Self::Import(_)
            | Self::Keys { .. }
            | Self::Users { .. }
            | Self::Practice { .. }
            | Self::Calls { .. }
            | Self::Replay { .. }
            | Self::Dead { .. }
            | Self::Audit { .. }
            | Self::Usage { .. }
            | Self::Effects { .. } => None,
        }
    }
}
