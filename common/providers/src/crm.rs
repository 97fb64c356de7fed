//! Systems that keep customers and calls.

pub mod call_data;
pub mod salesforce;
