//! Accounts in the console, over its real routes: signing in, roles, and what a hostile page could try.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod hostile;
mod oidc;
mod registering;
mod roles;
mod signing_in;
mod world;
