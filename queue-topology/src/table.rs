//! Every queue, in one table: which events it carries, which calls it takes, and how much of them at a time.
//!
//! A queue is typed by the event it carries, so a stage, its queue and its binding cannot disagree. Whatever else
//! depends on a stage is derived from this table: who consumes an event, which stages a replay can start from, and
//! with which event.

use std::marker::PhantomData;

use domain::call::CallKind;
use domain::event::{CallAccepted, CallAnalyzed, CallReceived, CallTranscribed, Event, SpeechHeard};
use domain::moment::Moment;
use store::RunKey;
use strum::{EnumString, IntoStaticStr};

use crate::emission;

/// Each stage has one queue for each lane. The bulk lane takes imports, replays and workspaces that are above their
/// rate, so that a backfill never delays a live call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Lane {
    Live,
    Bulk,
}

impl Lane {
    pub const BOTH: [Self; 2] = [Self::Live, Self::Bulk];

    /// The lane as it stands in a row.
    pub const fn name(self) -> &'static str {
        self.into_str()
    }

    /// Reads a lane from a row. An unknown name is read as the live lane.
    pub fn from_name(name: &str) -> Self {
        name.parse().unwrap_or(Self::Live)
    }

    /// What is appended to the name of a queue and to a routing key.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Bulk => ".bulk",
        }
    }
}

/// Which calls a queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    EveryCall,
    /// Calls with people outside: everything but practice.
    RealCalls,
}

impl Takes {
    pub const fn includes(self, kind: CallKind) -> bool {
        match self {
            Self::EveryCall => true,
            // Whoever adds a kind has to decide here.
            Self::RealCalls => match kind {
                CallKind::Phone | CallKind::Meeting | CallKind::Session => true,
                CallKind::Practice => false,
            },
        }
    }
}

/// The queue of one stage. Its AMQP names are `<prefix>.<stage>` and `<prefix>.<stage>.bulk`.
#[derive(Debug)]
pub struct Queue<E> {
    pub spec: QueueSpec,
    carries: PhantomData<fn() -> E>,
}

/// What is known about a queue without the type of its events.
#[derive(Clone, Copy, Debug)]
pub struct QueueSpec {
    pub stage: &'static str,
    /// The key of the events that the queue is bound to.
    pub key: &'static str,
    pub takes: Takes,
    /// How many deliveries a worker holds at once. The bulk lane gets a quarter of it.
    pub prefetch: u16,
    /// The part of these in which runs may wait for one provider at the same time, as a fraction. It is smaller than 1
    /// where a stage also has work that does not need that provider.
    pub provider_share: (usize, usize),
    /// The number of messages from which on publishers are refused. Only the first queue has such a limit, because no
    /// later queue may refuse what was accepted.
    pub max_length: Option<u32>,
    /// Whether every message has a row in `stage_runs`. The messages of dedup have none, because dedup makes the first
    /// row.
    pub has_rows: bool,
    /// Whether somebody has to switch the stage on. The queue of such a stage is not bound to its event: whoever emits the
    /// event sends the stage a message of its own where it is on. So nothing waits for a stage that nobody runs.
    pub is_optional: bool,
    /// Makes the event that starts a run. Absent where an event says more than its envelope: such an event cannot be
    /// made again, so no replay starts at this stage.
    pub(crate) input: Option<MakeInput>,
}

/// Makes the event that starts a run, as the run's waiting row keeps it.
pub(crate) type MakeInput = fn(&RunKey, Moment) -> String;

impl QueueSpec {
    /// How many deliveries of this lane a worker holds at once.
    pub fn prefetch_of(&self, lane: Lane) -> u16 {
        match lane {
            Lane::Live => self.prefetch,
            Lane::Bulk => self.prefetch.div_ceil(4),
        }
    }

    /// How many deliveries of a worker may wait for a slot of a rate limit. It is half of them, so that the others
    /// go on.
    pub fn may_wait(&self) -> usize {
        usize::from(self.prefetch / 2).max(1)
    }
}

impl<E: Event + Default> Queue<E> {
    const fn new(stage: &'static str, takes: Takes, prefetch: u16, provider_share: (usize, usize)) -> Self {
        let input: MakeInput = emission::input::<E>;
        let spec = QueueSpec {
            stage,
            key: E::KEY,
            takes,
            prefetch,
            provider_share,
            max_length: None,
            has_rows: true,
            is_optional: false,
            input: Some(input),
        };
        Self { spec, carries: PhantomData }
    }

    /// The same queue, of a stage that somebody has to switch on.
    const fn optional(mut self) -> Self {
        self.spec.is_optional = true;
        self
    }
}

pub const DEDUP: Queue<CallReceived> = Queue {
    spec: QueueSpec {
        stage: "dedup",
        key: CallReceived::KEY,
        takes: Takes::EveryCall,
        prefetch: 64,
        provider_share: (1, 1),
        max_length: Some(1_000_000),
        has_rows: false,
        is_optional: false,
        input: None,
    },
    carries: PhantomData,
};
/// Some calls bring their transcript, and others wait for a recording's host or for the speech provider.
pub const TRANSCRIPTION: Queue<CallAccepted> = Queue::new("transcription", Takes::EveryCall, 32, (3, 8));
pub const ANALYSIS: Queue<CallTranscribed> = Queue::new("analysis", Takes::EveryCall, 20, (1, 1));
/// The stage has two destinations, and a call may need only one of them.
pub const CRM: Queue<CallAnalyzed> = Queue::new("crm", Takes::RealCalls, 40, (1, 2));
pub const SLACK: Queue<CallAnalyzed> = Queue::new("slack", Takes::RealCalls, 20, (1, 1));

/// Judges calls by criteria. The stage needs nobody outside.
pub const SCORE: Queue<CallAnalyzed> = Queue::new("score", Takes::EveryCall, 20, (1, 1)).optional();

/// Calls that are being spoken. A run hears what has come in since the last one, so there are many short runs. They are
/// never replayed: a session goes on from where it is.
pub const LIVE: Queue<SpeechHeard> = Queue {
    spec: QueueSpec {
        stage: store::live::STAGE,
        key: SpeechHeard::KEY,
        takes: Takes::EveryCall,
        prefetch: 64,
        provider_share: (3, 4),
        max_length: None,
        has_rows: true,
        is_optional: false,
        input: None,
    },
    carries: PhantomData,
};

/// All queues, in the order in which a call passes them. The last one stands beside the others: its calls are still spoken.
pub const ALL: [QueueSpec; 7] =
    [DEDUP.spec, TRANSCRIPTION.spec, ANALYSIS.spec, CRM.spec, SLACK.spec, SCORE.spec, LIVE.spec];

/// The queue of the stage with this name.
pub fn of_stage(name: &str) -> Option<&'static QueueSpec> {
    ALL.iter().find(|queue| queue.stage == name)
}

/// The queues that are bound to events of this key.
pub fn bound_to(key: &str) -> impl Iterator<Item = &'static QueueSpec> + '_ {
    following(key).filter(|queue| !queue.is_optional)
}

/// The queues whose stages take events of this key, whether they are switched on or not.
pub(crate) fn following(key: &str) -> impl Iterator<Item = &'static QueueSpec> + '_ {
    ALL.iter().filter(move |queue| queue.key == key)
}

/// The queues of the optional stages in `on` that take events of this key about calls of this kind.
pub(crate) fn switched_on<'a>(
    key: &'a str,
    kind: CallKind,
    on: &'a [&'static str],
) -> impl Iterator<Item = &'static QueueSpec> + 'a {
    following(key)
        .filter(move |queue| queue.is_optional && on.contains(&queue.stage) && queue.takes.includes(kind))
}

/// The queues that are bound to events of this key and take calls of this kind.
pub fn consumers(key: &str, kind: CallKind) -> impl Iterator<Item = &'static QueueSpec> + '_ {
    bound_to(key).filter(move |queue| queue.takes.includes(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(kind: CallKind) -> Vec<&'static str> {
        consumers(CallAnalyzed::KEY, kind).map(|queue| queue.stage).collect()
    }

    #[test]
    fn a_practice_meeting_never_reaches_a_crm_or_slack_and_every_other_call_does() {
        for kind in CallKind::ALL {
            let expected = if *kind == CallKind::Practice { vec![] } else { vec!["crm", "slack"] };
            assert_eq!(stages(*kind), expected, "{kind:?}");
        }
    }

    #[test]
    fn an_optional_stage_follows_only_where_it_is_switched_on() {
        let on = |on: &'static [&'static str]| -> Vec<&str> {
            switched_on(CallAnalyzed::KEY, CallKind::Phone, on).map(|queue| queue.stage).collect()
        };
        assert_eq!((on(&[]), on(&["score"]), on(&["slack"])), (vec![], vec!["score"], vec![]));
        assert_eq!(stages(CallKind::Phone), ["crm", "slack"], "nothing changes for those who do not want it");
    }

    #[test]
    fn every_kind_of_call_is_transcribed_and_analyzed() {
        for kind in CallKind::ALL {
            for queue in [DEDUP.spec, TRANSCRIPTION.spec, ANALYSIS.spec] {
                assert!(queue.takes.includes(*kind), "{} does not take {kind:?}", queue.stage);
            }
        }
    }

    #[test]
    fn an_unknown_lane_is_read_as_the_live_one() {
        assert_eq!(["live", "bulk", "express"].map(Lane::from_name), [Lane::Live, Lane::Bulk, Lane::Live]);
    }
}
