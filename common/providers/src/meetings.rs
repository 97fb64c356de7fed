//! Systems that hold meetings and keep their recordings.

pub mod zoom;

use crate::descriptor::Descriptor;

/// Every system that holds meetings.
pub static ALL: &[&Descriptor<zoom::Zoom>] = &[&zoom::DESCRIPTOR];
