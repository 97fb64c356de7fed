//! Decides what follows when a provider does not make the transcript: whether the next one is asked, and how a run ends
//! that no provider served.

use std::time::Duration;

use domain::fault::Fault;
use queue_topology::StageError;
use store::SpeechOutcome;

/// A wait that is longer than this is a reason to ask the next provider.
const LONG: Duration = Duration::from_mins(1);
/// How old a run may become whose provider has no room. After this the run would end for good, so it waits for a provider
/// that is away instead.
const NEARLY_TOO_OLD: Duration = Duration::from_hours(23);

/// Whether the provider is the reason of the failure. Our own parts (store, blobs, the source of the recording) fail in
/// the same way whoever is asked.
pub(crate) fn is_of_provider(error: &StageError) -> bool {
    let of_provider = ["speech_to_text_", "transcription_"];
    of_provider.iter().any(|prefix| error.code.starts_with(prefix))
        || ["effect_timed_out", "rate_used_up"].contains(&error.code)
}

/// The kind of failure, as the timeline shows it.
pub(crate) fn outcome(error: &StageError) -> SpeechOutcome {
    match error.fault {
        Fault::Permanent => SpeechOutcome::Refused,
        Fault::Unavailable => SpeechOutcome::Unavailable,
        Fault::Throttled(_) => SpeechOutcome::Throttled,
        Fault::Transient => SpeechOutcome::Failed,
    }
}

/// What this run knows of earlier attempts at the same provider.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Before {
    /// How often the provider failed in a way that may pass.
    pub(crate) failures: i64,
    /// Since when the provider has no room.
    pub(crate) throttled_for: Option<Duration>,
}

/// Whether the next provider is asked. A failure that may pass is tried once more at the same provider, because the
/// request may have been paid for.
pub(crate) fn asks_next(error: &StageError, before: Before) -> bool {
    match error.fault {
        Fault::Permanent | Fault::Unavailable => true,
        Fault::Throttled(wait) => wait > LONG || before.throttled_for.is_some_and(|waited| waited >= LONG),
        Fault::Transient => before.failures > 0,
    }
}

/// The mildest of the failures of all providers: the run ends by it. A provider that only has no room or is only away
/// keeps the run alive. `age` is how long this generation of the run exists.
pub(crate) fn mildest(failures: Vec<StageError>, age: Duration) -> Option<StageError> {
    let rank = |error: &StageError| match error.fault {
        Fault::Throttled(wait) if age < NEARLY_TOO_OLD => (0, wait),
        Fault::Unavailable => (1, error.retry_after.unwrap_or_default()),
        Fault::Throttled(wait) => (2, wait),
        Fault::Transient => (3, error.retry_after.unwrap_or_default()),
        Fault::Permanent => (4, Duration::ZERO),
    };
    failures.into_iter().min_by_key(rank)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    fn failed(fault: Fault) -> StageError {
        StageError::new(fault, "speech_to_text_failed", anyhow!("no"))
    }

    fn throttled(seconds: u64) -> Fault {
        Fault::Throttled(Duration::from_secs(seconds))
    }

    #[test]
    fn the_next_provider_is_asked_when_one_is_away_refuses_or_has_no_room_for_long() {
        let first = Before::default();
        let again = Before { failures: 1, throttled_for: Some(Duration::from_secs(90)) };
        for (fault, at_first, later) in [
            (Fault::Permanent, true, true),
            (Fault::Unavailable, true, true),
            (throttled(7), false, true),
            (throttled(3_600), true, true),
            (Fault::Transient, false, true),
        ] {
            let asks = [first, again].map(|before| asks_next(&failed(fault), before));
            assert_eq!(asks, [at_first, later], "{fault:?}");
        }
    }

    #[test]
    fn a_run_ends_by_the_mildest_failure() {
        let of = |faults: &[Fault], hours| {
            let failures = faults.iter().map(|fault| failed(*fault)).collect();
            mildest(failures, Duration::from_hours(hours)).map(|error| error.fault)
        };
        let (away, refused) = (Fault::Unavailable, Fault::Permanent);
        assert_eq!(of(&[refused, away, Fault::Transient], 0), Some(away));
        assert_eq!(of(&[away, throttled(90), throttled(70)], 0), Some(throttled(70)));
        assert_eq!(of(&[throttled(70), away], 24), Some(away), "a run that only waits ends after a day");
        assert_eq!(of(&[refused, Fault::Transient], 0), Some(Fault::Transient));
        assert_eq!(of(&[refused, refused], 0), Some(refused));
        assert_eq!(of(&[], 0), None);
    }

    #[test]
    fn a_failure_of_our_own_is_not_the_provider_s() {
        let code = |code| StageError::new(Fault::Unavailable, code, anyhow!("no"));
        for ours in ["blobs_unavailable", "store_unavailable", "recording_not_found", "effect_in_flight"] {
            assert!(!is_of_provider(&code(ours)), "{ours}");
        }
        for theirs in ["speech_to_text_unreachable", "transcription_refused", "rate_used_up"] {
            assert!(is_of_provider(&code(theirs)), "{theirs}");
        }
    }
}
