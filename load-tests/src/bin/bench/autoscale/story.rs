//! What happened, as a table and as a picture.

use std::fmt::Write as _;
use std::time::Duration;

use load_tests::harness::autoscaler::Policy;
use load_tests::harness::chart::{Chart, Panel};

use super::load::Phases;

/// What the controller saw and decided at one time.
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) waiting: u64,
    pub(super) in_hand: u64,
    pub(super) replicas: u64,
    pub(super) completed: u64,
}

/// Processes that were asked to end.
pub(super) struct ScaleIn {
    pub(super) at: Duration,
    pub(super) processes: u64,
    /// The runs that all processes of the stage had in hand at this time.
    pub(super) in_hand: u64,
}

pub(super) struct Story {
    phases: Phases,
    pub(super) samples: Vec<Sample>,
    pub(super) scale_ins: Vec<ScaleIn>,
    /// How many calls were accepted.
    pub(super) calls: u64,
    /// How often the controller got no answer.
    pub(super) missed_looks: u64,
    /// How many requests the model got.
    pub(super) paid: u64,
}

impl Story {
    pub(super) fn new(phases: &Phases) -> Self {
        Self {
            phases: phases.clone(),
            samples: Vec::new(),
            scale_ins: Vec::new(),
            calls: 0,
            missed_looks: 0,
            paid: 0,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub(super) fn picture(&self) -> String {
        let panel = |name: &str, is_stepped, value: fn(&Sample) -> u64| Panel {
            name: name.to_owned(),
            is_stepped,
            points: self
                .samples
                .iter()
                .map(|sample| (sample.at.as_secs_f64(), value(sample) as f64))
                .collect(),
        };
        Chart {
            title: "Processes follow the load".to_owned(),
            panels: vec![
                panel("Messages that wait or are in hand", false, |sample| sample.waiting + sample.in_hand),
                panel("Processes with the role analysis", true, |sample| sample.replicas),
                panel("Calls that are completed", false, |sample| sample.completed),
            ],
            marks: self
                .phases
                .begins()
                .map(|(at, phase)| (at.as_secs_f64(), phase.name.to_owned()))
                .collect(),
        }
        .svg()
    }

    pub(super) fn text(
        &self,
        latency_ms: u64,
        chart: &Policy,
        faster: u32,
    ) -> Result<String, std::fmt::Error> {
        let Policy { messages, max, cooldown, down_window, .. } = chart;
        let mut text = format!(
            "A controller with the formula of KEDA and of the HorizontalPodAutoscaler starts and ends processes with the role \
             `analysis`, each of which works on up to 20 calls at the same time. A simulated model takes {latency_ms} ms for an \
             answer. One process is meant for {messages} messages, there are 0 to {max} of them, and all times of the chart \
             (a window of {} s for scaling in, a cooldown of {} s) are {faster} times shorter here. The other roles share two \
             processes. A process is ended with SIGTERM while it works.\n\n\
             ![Messages, processes and completed calls over time](../docs/autoscale.svg)\n\n\
             | load | from | messages at most | processes at most | processes at the end | backlog gone after |\n\
             |---|---|---|---|---|---|\n",
            down_window.as_secs(),
            cooldown.as_secs(),
        );
        let ends: Vec<Duration> =
            self.phases.begins().map(|(at, _)| at).skip(1).chain([Duration::MAX]).collect();
        for ((begin, phase), end) in self.phases.begins().zip(ends) {
            let within: Vec<&Sample> =
                self.samples.iter().filter(|sample| sample.at >= begin && sample.at < end).collect();
            let most =
                |value: fn(&Sample) -> u64| within.iter().map(|sample| value(sample)).max().unwrap_or(0);
            writeln!(
                text,
                "| {}{} | {} s | {} | {} | {} | {} |",
                phase.name,
                if phase.at_once > 0 { format!(", {} calls at once", phase.at_once) } else { String::new() },
                begin.as_secs(),
                most(|sample| sample.waiting + sample.in_hand),
                most(|sample| sample.replicas),
                within.last().map_or(0, |sample| sample.replicas),
                self.gone_after(begin, end),
            )?;
        }
        let ended: u64 = self.scale_ins.iter().map(|one| one.processes).sum();
        let busy: Vec<&ScaleIn> = self.scale_ins.iter().filter(|one| one.in_hand > 0).collect();
        let in_hand: u64 = busy.iter().map(|one| one.in_hand).sum();
        let last = self.scale_ins.last().map_or(Duration::ZERO, |one| one.at);
        writeln!(
            text,
            "\n{} calls were accepted, and all of them are completed. The model got {} requests, Slack and the call-data API have \
             each call once, and no run of `analysis` needed a second attempt. {ended} processes were ended, {} times while runs \
             were in hand ({in_hand} runs in all processes of the stage at these times), the last one at {} s. Each of them ended \
             with the exit code 0. The controller looked {} times and got no answer {} times.",
            self.calls,
            self.paid,
            busy.len(),
            last.as_secs(),
            self.samples.len() as u64 + self.missed_looks,
            self.missed_looks,
        )?;
        Ok(text)
    }

    /// When no message waited any more, counted from the begin of a phase.
    fn gone_after(&self, begin: Duration, end: Duration) -> String {
        let within = || self.samples.iter().filter(|sample| sample.at >= begin && sample.at < end);
        let Some(peak) = within().max_by_key(|sample| sample.waiting).filter(|peak| peak.waiting > 0) else {
            return "nothing waited".to_owned();
        };
        match self.samples.iter().find(|sample| sample.at > peak.at && sample.waiting == 0) {
            Some(gone) => format!("{:.0} s", gone.at.saturating_sub(begin).as_secs_f64()),
            None => "never".to_owned(),
        }
    }
}
