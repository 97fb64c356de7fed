//! The pages of live calls and of practice.

mod api;
mod live;
mod meetings;
mod practice;

pub(crate) use api::Api;
