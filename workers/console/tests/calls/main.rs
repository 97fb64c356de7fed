//! The pages about calls, through the router, over an embedded store.

mod call;
mod list;
mod world;
