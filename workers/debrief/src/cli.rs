//! The command line: the commands of the binary, their options and their exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use domain::account::Role as AccountRole;
use domain::moment::Moment;
use domain::principal::Scope;
use domain::shown_text;
use platform::config::{self, ConfigError, Values};
use uuid::Uuid;

use crate::commands;
use crate::deployment::StartError;
use crate::outcome::{Ended, FAILED};
use crate::roles::Role;
use crate::settings;

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

#[derive(Subcommand)]
enum Keys {
    /// Make a key. The key is printed once, alone on standard output, and is not stored anywhere. A workspace that
    /// does not exist yet is made together with the key
    Create {
        /// The name of the key in lists and on the audit record
        #[arg(value_name = "NAME", value_parser = commands::keys::name)]
        name: String,
        /// A scope of the key: `bring_in`, `read`, `operate` or `administer`. The option can be repeated. Without it
        /// the key has all scopes
        #[arg(long = "scope", value_name = "SCOPE", value_parser = commands::keys::scope)]
        scopes: Vec<Scope>,
        #[arg(long)]
        json: bool,
    },
    /// List the keys of the workspace. The keys themselves are not shown
    List {
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key. Every process refuses it within ten seconds
    Revoke {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Subcommand)]
enum Users {
    /// Make an account. Its password is printed once, alone on standard output
    Create {
        /// The e-mail address or the name with which she signs in
        #[arg(value_name = "LOGIN")]
        login: String,
        /// `administrator`, `manager`, `agent` or `viewer`
        #[arg(long, value_name = "ROLE", value_parser = commands::users::role)]
        role: AccountRole,
        /// For the role `agent`: her name as it stands in the calls
        #[arg(long, value_name = "NAME")]
        agent: Option<String>,
    },
    /// List the accounts of the workspace
    List {
        #[arg(long)]
        json: bool,
    },
    /// Shut somebody out, and end her sessions
    Disable {
        #[arg(value_name = "LOGIN")]
        login: String,
    },
    /// Let somebody in again who was shut out
    Enable {
        #[arg(value_name = "LOGIN")]
        login: String,
    },
    /// Give an account a new password, which is printed once, and forget the wrong ones that were tried
    Reset {
        #[arg(value_name = "LOGIN")]
        login: String,
    },
}

#[derive(Subcommand)]
enum Calls {
    /// List the newest calls
    List {
        #[arg(long)]
        status: Option<String>,
        #[arg(long, default_value_t = 20)]
        limit: i64,
        #[arg(long)]
        json: bool,
    },
    /// Show one call on one page
    Show {
        /// Our id of the call, or its source's
        id: String,
        /// Print the call as JSON, as the API shows it
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum Dead {
    /// List the dead letters, newest first
    List {
        #[command(flatten)]
        which: commands::dead::Which,
        #[arg(long)]
        json: bool,
    },
    /// Show one entry with everything that is known about it
    Show { id: Uuid },
    /// Start the work of these dead letters again
    Replay {
        #[command(flatten)]
        which: commands::dead::Which,
        /// Only say how many dead letters match
        #[arg(long)]
        dry_run: bool,
        /// The highest number of dead letters that are started again in a second
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        rate: Option<u32>,
        /// The reason, which the audit keeps
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

#[derive(Subcommand)]
enum Effects {
    /// List the effects that are not confirmed, or the effects of one call
    List {
        #[arg(long)]
        call: Option<String>,
        /// Only effects that match: `target=NAME`, `state=NAME` or `since=TIME`. The option can be repeated
        #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', conflicts_with = "call")]
        filter: Vec<String>,
    },
    /// Show one entry with everything that is known about it
    Show { id: Uuid },
    /// After a database was restored from a dump: let each destination be asked before anything is done again for
    /// calls that are not finished
    ///
    /// Call it before the first process starts on the restored database. `debrief restore` does it by itself. It
    /// concerns all workspaces.
    Doubt {
        /// When the dump was begun
        #[arg(long, value_name = "TIME", value_parser = commands::effects::since)]
        since: Moment,
    },
    /// Decide about effects whose outcome is unknown: they happened, or they did not
    Resolve {
        #[arg(required_unless_present = "filter")]
        ids: Vec<Uuid>,
        /// Choose the effects by `target=NAME`, `state=NAME` or `since=TIME` instead of by ids. The option can be
        /// repeated
        #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', conflicts_with = "ids")]
        filter: Vec<String>,
        /// The effects happened. Nothing is sent again
        #[arg(long, conflicts_with = "resend", required_unless_present = "resend")]
        sent: bool,
        /// The effects did not happen. They are sent again
        #[arg(long)]
        resend: bool,
        /// The reason, which the audit keeps
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
}

#[derive(Subcommand)]
enum Blobs {
    /// Copy all blobs. What is there already is not copied again, so a copy that was interrupted can be begun again. The
    /// exit code is 1 when a blob could not be copied
    Copy {
        /// Where the blobs are: the folder `blobs` of a data folder, or `s3://bucket/prefix`
        #[arg(value_name = "FROM")]
        from: String,
        /// Where the blobs are to be: a folder, or `s3://bucket/prefix`
        #[arg(value_name = "TO")]
        to: String,
        /// Also read what is there already at both places, and copy it again where it differs
        #[arg(long)]
        verify: bool,
    },
}

#[derive(Subcommand)]
enum Audit {
    /// List the newest requests that people made: replays, decisions about effects, and keys that were made or
    /// revoked
    List {
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Subcommand)]
enum Topology {
    /// Declare the queues, exchanges and bindings that are missing
    Apply,
    /// Compare the broker with what is needed. The exit code is 1 when something differs
    Check,
    /// Print what is needed as RabbitMQ definitions
    Export,
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
    runtime.block_on(dispatch(cli.command, values, workspace.unwrap_or(DEFAULT_WORKSPACE)))
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

async fn dispatch(command: Command, values: Values, workspace: &str) -> Ended {
    match command {
        Command::Run { roles } => commands::run::run(values, roles).await,
        Command::Demo { once } => commands::demo::demo(&values, once).await,
        Command::Import(import) => commands::import::import(values, workspace, import).await,
        Command::Audio { file, json, decode_only } => {
            let how = match (json, decode_only) {
                (true, _) => commands::audio::How::Json,
                (false, true) => commands::audio::How::DecodeOnly,
                (false, false) => commands::audio::How::Page,
            };
            commands::audio::audio(&file, how).await
        }
        Command::Keys { what: Keys::Create { name, scopes, json } } => {
            commands::keys::create(&values, workspace, &name, &scopes, json).await
        }
        Command::Keys { what: Keys::List { json } } => commands::keys::list(&values, workspace, json).await,
        Command::Keys { what: Keys::Revoke { name } } => {
            commands::keys::revoke(&values, workspace, &name).await
        }
        Command::Practice { meeting } => commands::practice::practice(&values, workspace, meeting).await,
        Command::Users { what } => match what {
            Users::Create { login, role, agent } => {
                commands::users::create(&values, workspace, &login, role, agent.as_deref()).await
            }
            Users::List { json } => commands::users::list(&values, workspace, json).await,
            Users::Disable { login } => commands::users::set_disabled(&values, workspace, &login, true).await,
            Users::Enable { login } => commands::users::set_disabled(&values, workspace, &login, false).await,
            Users::Reset { login } => commands::users::reset(&values, workspace, &login).await,
        },
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
        Command::Dead { what: Dead::Replay { which, dry_run, rate, why } } => {
            commands::dead::replay(&values, workspace, which, dry_run, rate, why.as_deref()).await
        }
        Command::Queues { watch, json } => commands::queues::queues(values, watch, json).await,
        Command::Audit { what: Audit::List { limit, json } } => {
            commands::audit::list(&values, workspace, limit, json).await
        }
        Command::Usage { from, to, by, json } => {
            commands::usage::usage(&values, workspace, from.as_deref(), to.as_deref(), &by, json).await
        }
        Command::Effects { what: Effects::List { call, filter } } => {
            commands::effects::list(&values, workspace, call.as_deref(), &filter).await
        }
        Command::Effects { what: Effects::Show { id } } => {
            commands::effects::show(&values, workspace, id).await
        }
        Command::Effects { what: Effects::Doubt { since } } => commands::effects::doubt(&values, since).await,
        Command::Effects { what: Effects::Resolve { ids, filter, sent, why, .. } } => {
            commands::effects::resolve(&values, workspace, &ids, &filter, sent, why.as_deref()).await
        }
        Command::Topology { what } => match what {
            Topology::Apply => commands::topology::apply(&values).await,
            Topology::Check => commands::topology::check(&values).await,
            Topology::Export => commands::topology::export(&values),
        },
        Command::Backup { to } => commands::backup::backup(&values, &to).await,
        Command::Restore { from } => commands::restore::restore(&values, &from).await,
        Command::Blobs { what: Blobs::Copy { from, to, verify } } => {
            commands::blobs::copy(&values, &from, &to, verify).await
        }
        Command::Migrate => commands::migrate::migrate(&values).await,
        Command::Check { ready: true, .. } => commands::check::ready::ready(&values).await,
        Command::Check { connect, defaults, .. } => commands::check::check(&values, connect, defaults).await,
    }
}
