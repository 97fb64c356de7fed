//! Accounts: signing in, roles, and what a hostile page could try.

mod hostile;
mod oidc;
mod registering;
mod roles;
mod signing_in;
