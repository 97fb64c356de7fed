//! The commands within a command, with their options.

use clap::Subcommand;
use domain::account::Role as AccountRole;
use domain::moment::Moment;
use domain::principal::Scope;
use uuid::Uuid;

use crate::commands;

#[derive(Subcommand)]
pub(super) enum Keys {
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
pub(super) enum Users {
    /// Make an account. Its password is printed once, alone on standard output
    Create {
        /// The e-mail address or the name with which she signs in
        #[arg(value_name = "LOGIN", value_parser = commands::users::login)]
        login: String,
        /// `administrator`, `manager`, `agent` or `viewer`
        #[arg(long, value_name = "ROLE", value_parser = commands::users::role)]
        role: AccountRole,
        /// For the role `agent`: her name as it stands in the calls
        #[arg(long, value_name = "NAME", value_parser = commands::users::agent)]
        agent: Option<String>,
    },
    /// List the accounts of the workspace
    List {
        #[arg(long)]
        json: bool,
    },
    /// Shut somebody out, and end her sessions
    Disable {
        #[arg(value_name = "LOGIN", value_parser = commands::users::login)]
        login: String,
    },
    /// Let somebody in again who was shut out
    Enable {
        #[arg(value_name = "LOGIN", value_parser = commands::users::login)]
        login: String,
    },
    /// Give an account a new password, which is printed once, and forget the wrong ones that were tried
    Reset {
        #[arg(value_name = "LOGIN", value_parser = commands::users::login)]
        login: String,
    },
}

#[derive(Subcommand)]
pub(super) enum Calls {
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
pub(super) enum Dead {
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
pub(super) enum Effects {
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
pub(super) enum Blobs {
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
pub(super) enum Audit {
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
pub(super) enum Topology {
    /// Declare the queues, exchanges and bindings that are missing
    Apply,
    /// Compare the broker with what is needed. The exit code is 1 when something differs
    Check,
    /// Print what is needed as RabbitMQ definitions
    Export,
}
