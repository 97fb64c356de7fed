//! Load while something breaks: calls come at a steady rate, and each is sent again until it is accepted. A provider that
//! gets no answer does the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use load_tests::harness::ledger::Ledger;
use rand::RngExt as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use simulators::Simulators;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::inputs::{Body, Call};

/// The time between two attempts to send a call.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// The time that a provider waits for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The time for calls that are not accepted yet when the load is stopped.
const LAST_ATTEMPTS: Duration = Duration::from_secs(10);

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// The number of new calls in a second, over all connections.
    pub(crate) per_second: f64,
    pub(crate) connections: u32,
    /// One call in so many is a meeting with its transcript. The others are phone calls with recordings.
    pub(crate) meeting_each: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self { per_second: 10.0, connections: 4, meeting_each: 4 }
    }
}

/// Sends calls to the ingest processes in turn, and notes in the ledger how they were answered.
#[derive(Clone)]
pub(crate) struct Sender {
    pub(crate) client: reqwest::Client,
    /// The addresses of the ingest processes.
    pub(crate) doors: Arc<[SocketAddr]>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Sender {
    #[expect(clippy::disallowed_methods, reason = "this crate does not depend on the one that makes clients")]
    pub(crate) fn new(doors: &[SocketAddr], ledger: &Arc<Ledger>) -> anyhow::Result<Self> {
        // An error means that one was installed before, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).no_proxy().build();
        let client = client.context("build a client")?;
        Ok(Self { client, doors: doors.into(), ledger: ledger.clone() })
    }

    /// Sends a call once, to the ingest process of that number. Returns the status, or `None` when there was no answer.
    pub(crate) async fn send(&self, call: &Call, door: usize) -> Option<u16> {
        let address = self.doors[door % self.doors.len()];
        self.ledger.sending(&call.id, &call.makes);
        let request = match &call.body {
            Body::Webhook(body) => self.client.post(format!("http://{address}/webhook/zapier")).json(body),
            Body::Meeting(meeting, transcript) => {
                let part =
                    |text: String, name: &'static str| reqwest::multipart::Part::text(text).file_name(name);
                let form = reqwest::multipart::Form::new()
                    .part("meeting", part(meeting.to_string(), "meeting.json"))
                    .part("transcript", part(transcript.clone(), "meeting.vtt"));
                self.client.post(format!("http://{address}/api/meetings")).multipart(form)
            }
        };
        let answer = request.send().await.ok()?;
        let status = answer.status();
        if status.is_success() {
            self.ledger.accepted(&call.id);
        } else if status.is_client_error() && status != 429 {
            let body = answer.text().await.unwrap_or_default();
            self.ledger.refused(&call.id, format!("{status} {body}"));
        }
        Some(status.as_u16())
    }

    /// Sends a call until it is accepted or refused, or the time is up.
    async fn send_again_and_again(&self, call: &Call, mut door: usize, stopped: &CancellationToken) {
        let mut until: Option<Instant> = None;
        loop {
            match self.send(call, door).await {
                Some(status) if status != 429 && status < 500 => return,
                _ => door += 1,
            }
            if stopped.is_cancelled() {
                let until = *until.get_or_insert_with(|| Instant::now() + LAST_ATTEMPTS);
                if Instant::now() > until {
                    return;
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// Load that runs until it is stopped. It ends at once when this is dropped.
pub(crate) struct Senders {
    running: JoinSet<()>,
    stop: CancellationToken,
    ledger: Arc<Ledger>,
}

impl Senders {
    pub(crate) fn start(
        sender: &Sender,
        simulators: &Arc<Simulators>,
        load: Load,
        dice: &mut StdRng,
    ) -> Self {
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        for number in 0..load.connections {
            let dice = StdRng::from_rng(dice);
            running.spawn(send_over_one_connection(
                sender.clone(),
                simulators.clone(),
                load,
                number,
                dice,
                stop.clone(),
            ));
        }
        Self { running, stop, ledger: sender.ledger.clone() }
    }

    /// Begins no further calls, and goes on for at most ten seconds with those that are not accepted yet. Returns the number
    /// of calls that were accepted since the world began.
    pub(crate) async fn stop(mut self) -> anyhow::Result<u64> {
        self.stop.cancel();
        while let Some(ended) = self.running.join_next().await {
            ended.context("a sender panicked")?;
        }
        Ok(self.ledger.accepted_calls())
    }
}

/// Sends calls over one connection.
async fn send_over_one_connection(
    sender: Sender,
    simulators: Arc<Simulators>,
    load: Load,
    number: u32,
    mut dice: StdRng,
    stop: CancellationToken,
) {
    let pause = Duration::from_secs_f64(f64::from(load.connections) / load.per_second);
    // The connections do not all begin at the same moment.
    let begin = tokio::time::Instant::now() + pause.mul_f64(dice.random_range(0.0..1.0));
    let mut ticks = tokio::time::interval_at(begin, pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut door = usize::try_from(number).unwrap_or_default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let call = if load.meeting_each > 0 && dice.random_range(0..load.meeting_each) == 0 {
            Call::meeting(&mut dice)
        } else {
            Call::phone(&mut dice, &simulators)
        };
        sender.send_again_and_again(&call, door, &stop).await;
        door += 1;
    }
}
