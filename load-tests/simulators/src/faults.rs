//! What goes wrong on request, and with which requests.

pub(crate) mod injection;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The latency and the faults of one simulator. By default there are none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// The time that every request waits before anything else happens.
    pub latency_ms: u64,
    /// The faults of the next requests, one request each, in this order. A fault with a `path` waits for a request to
    /// that path.
    pub next: VecDeque<Fault>,
    /// The fault of every request that meets none of `next`, or of a share of them.
    pub always: Option<Fault>,
    /// The share of the requests that meet `always`, from 0 to 1.
    pub rate: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self { latency_ms: 0, next: VecDeque::new(), always: None, rate: 1.0 }
    }
}

/// What happens to one request. With `delay_ms` alone the request is answered well, but late.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the JSON that sets it")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// The fault meets only requests whose path contains this text.
    pub path: Option<String>,
    pub delay_ms: u64,
    /// The status of the answer. The body is an error in the provider's own form unless `body` is set.
    pub status: Option<u16>,
    /// The value of a `Retry-After` header, sent as it stands: seconds, a date, or nonsense.
    pub retry_after: Option<String>,
    /// The answer has a `Retry-After` header with the date that lies so many seconds ahead of the answer. It takes the
    /// place of `retry_after`.
    pub retry_after_date_s: Option<u32>,
    /// The body of the answer. The status is 200 unless `status` is set.
    pub body: Option<String>,
    /// The request takes effect before it is answered with `status` or `body`.
    pub accept: bool,
    /// The connection is closed without an answer, and nothing took effect.
    pub reset: bool,
    /// The request takes effect, and then the connection is closed without an answer.
    pub accept_then_reset: bool,
    /// The request takes effect, and the answer ends in the middle of its body.
    pub cut_short: bool,
    /// The request takes effect, the answer stops in the middle of its body, and the connection stays open.
    pub stall: bool,
    /// What is wrong with the answer of a model. Other providers ignore it.
    pub model: Option<ModelFault>,
}

/// What can be wrong with the answer of a model while HTTP is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelFault {
    /// The answer is prose instead of JSON.
    NotJson,
    /// The JSON ends in the middle, and `finish_reason` is `length`.
    CutOff,
    /// The model says that it does not want to answer.
    Refusal,
    /// The answer is JSON, but it does not keep to the schema of the request.
    SchemaBreak,
}

impl Fault {
    pub fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    pub fn model(fault: ModelFault) -> Self {
        Self { model: Some(fault), ..Self::default() }
    }

    fn meets(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|part| path.contains(part.as_str()))
    }
}

impl Faults {
    /// Makes faults that meet one request each, and no request after them.
    pub fn next(faults: impl IntoIterator<Item = Fault>) -> Self {
        Self { next: faults.into_iter().collect(), ..Self::default() }
    }

    /// Makes a fault that meets every request.
    pub fn always(fault: Fault) -> Self {
        Self { always: Some(fault), ..Self::default() }
    }

    /// Says what is wrong with faults that came as JSON.
    fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(format!("`rate` is {}: it must be from 0 to 1", self.rate));
        }
        let statuses = self.next.iter().chain(&self.always).filter_map(|fault| fault.status);
        match statuses.into_iter().find(|code| !(200..600).contains(code)) {
            Some(code) => Err(format!("`status` is {code}: it must be from 200 to 599")),
            None => Ok(()),
        }
    }

    /// Decides how long the next request to `path` waits and what goes wrong with it. `dice` is from 0 to 1.
    fn plan(&mut self, path: &str, dice: f64) -> (Duration, Option<Fault>) {
        let due = self.next.iter().position(|fault| fault.meets(path));
        let fault = due
            .and_then(|nth| self.next.remove(nth))
            .or_else(|| self.always.as_ref().filter(|fault| fault.meets(path) && dice < self.rate).cloned());
        (Duration::from_millis(self.latency_ms), fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_faults_come_one_by_one_and_then_none() {
        let mut faults = Faults::next([Fault::status(429), Fault::status(500)]);
        let codes: Vec<_> = (0..3).map(|_| faults.plan("/x", 0.5).1.and_then(|fault| fault.status)).collect();
        assert_eq!(codes, [Some(429), Some(500), None]);
    }

    #[test]
    fn a_fault_with_a_path_waits_for_a_request_to_it() {
        let mut faults =
            Faults::next([Fault { path: Some("/upload".into()), ..Fault::status(500) }, Fault::status(400)]);
        assert_eq!(faults.plan("/transcript", 0.5).1.and_then(|fault| fault.status), Some(400));
        assert_eq!(faults.plan("/v2/upload", 0.5).1.and_then(|fault| fault.status), Some(500));
    }

    #[test]
    fn the_rate_is_the_share_of_requests_that_meet_the_fault() {
        let mut faults = Faults { rate: 0.2, ..Faults::always(Fault::status(503)) };
        assert!(faults.plan("/x", 0.1).1.is_some());
        assert!(faults.plan("/x", 0.3).1.is_none());
    }

    #[test]
    fn a_rate_or_a_status_out_of_range_is_refused() {
        assert!(Faults { rate: 1.5, ..Faults::default() }.check().is_err());
        assert!(Faults::next([Fault::status(42)]).check().is_err());
    }
}
