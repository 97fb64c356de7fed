//! The rooms of the console, one file each.

pub(crate) mod account;
pub(crate) mod analytics;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod calls;
pub(crate) mod dead_letters;
pub(crate) mod deployment;
pub(crate) mod effects;
mod first_administrator;
pub(crate) mod keys;
pub(crate) mod language;
pub(crate) mod live;
mod oidc;
mod oidc_provider;
pub(crate) mod overview;
pub(crate) mod practice;
pub(crate) mod providers;
pub(crate) mod queues;
pub(crate) mod register;
pub(crate) mod samples;
pub(crate) mod search;
mod seed;
mod session_rows;
pub(crate) mod settings;
mod sign_in;
pub(crate) mod upload;
pub(crate) mod users;

use axum::{Extension, Router};

use crate::Console;

/// The routes for signing in, with a password or at a provider.
pub(crate) fn signing_in(console: &Console) -> Router<Console> {
    let provider = oidc_provider::Provider::of(console);
    sign_in::routes().merge(oidc::routes()).layer(Extension(provider))
}
