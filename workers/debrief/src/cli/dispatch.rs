//! Calls the function that carries a command out.

use platform::config::Values;

use super::Command;
use super::subcommands::{Audit, Blobs, Calls, Dead, Effects, Keys, Topology, Users};
use crate::commands;
use crate::outcome::Ended;

pub(super) async fn dispatch(command: Command, values: Values, workspace: &str) -> Ended {
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
