//! What benchmarks and fault runs share: Debrief as a process, the load that is sent to it, and the file with the
//! results.

pub mod amqp;
pub mod autoscaler;
pub mod balancer;
pub mod chart;
pub mod http;
pub mod ledger;
pub mod load;
pub mod mix;
pub mod model;
pub mod open_loop;
pub mod process;
pub mod providers;
pub mod report;
pub mod seen;
pub mod servers;
pub mod socket_io;
pub mod spoken;
pub mod usage;
pub mod webhook;
pub mod wire;
