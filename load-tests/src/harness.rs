//! What benchmarks and fault runs share: Debrief as a process, the load that is sent to it, and where the
//! results go.

pub mod amqp;
pub mod http;
pub mod load;
pub mod process;
pub mod report;
pub mod servers;
pub mod webhook;
