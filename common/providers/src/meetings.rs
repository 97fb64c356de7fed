//! Systems that hold meetings and know who was in them.

pub mod zoom;

use std::sync::Arc;

use domain::call::{CallDetails, Participant};
use domain::refusal::{Refusal, Remote};
use futures::future::BoxFuture;
use platform::config::{ConfigError, Values};

use crate::slots::Slots;

/// A system that knows who was in its meetings.
pub trait Attendance: Send + Sync {
    /// The source of the calls that are its meetings.
    fn source(&self) -> &'static str;

    fn remote(&self) -> &'static Remote;

    /// Everybody who was in the meeting with this external id. `details` are what is known of it.
    fn participants<'a>(
        &'a self,
        meeting: &'a str,
        details: &'a CallDetails,
    ) -> BoxFuture<'a, Result<Vec<Participant>, Refusal>>;
}

/// The systems that are turned on and can be asked who was in a meeting.
pub fn attendance(values: &Values, slots: &Slots) -> Result<Vec<Arc<dyn Attendance>>, ConfigError> {
    let zoom = zoom::Zoom::from_values(values, slots)?.and_then(|zoom| zoom.api);
    Ok(zoom.into_iter().map(|api| api as Arc<dyn Attendance>).collect())
}
