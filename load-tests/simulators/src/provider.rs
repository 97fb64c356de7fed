//! What describes a simulated provider, and what its routes are made from.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;

use crate::control::Control;
use crate::options::Options;
use crate::recording_store::RecordingStore;

/// The name and the value of one of Debrief's settings.
pub type Setting = (&'static str, String);

/// The description of a simulated provider. Each provider's module has one, called `PROVIDER`.
#[derive(Debug)]
pub struct Provider {
    /// The provider's name on the command line and in lists of addresses. Debrief calls the destination the same.
    pub name: &'static str,
    /// The kinds of things that a call makes at this provider, each of them once. What a call may make again, such as
    /// a request to a model, is not listed.
    pub made_once: &'static [&'static str],
    /// Makes the routes of the provider.
    pub(crate) routes: fn(&Site<'_>) -> Router,
    /// Makes the answer with which the provider refuses a request, in the provider's own form.
    pub(crate) refusal: fn(StatusCode) -> Response,
    /// Makes the settings from the address of the simulator.
    pub(crate) settings: fn(&str) -> Vec<Setting>,
}

impl Provider {
    /// Returns the settings with which Debrief uses the simulator at this address (`http://127.0.0.1:40213`).
    pub fn settings(&self, address: &str) -> Vec<Setting> {
        (self.settings)(address)
    }
}

/// What a simulator is given when it starts.
pub(crate) struct Site<'a> {
    /// The address of the simulator, without a slash at its end.
    pub(crate) base: &'a str,
    pub(crate) control: Arc<Control>,
    pub(crate) options: &'a Options,
    pub(crate) recordings: &'a RecordingStore,
}
