//! The stage that works on sessions. A run hears what came in, transcribes it, helps the agent and, once the session has
//! ended, sends the whole call into the pipeline. Between two runs the session waits for audio, or for its end.

mod cuts;
mod ending;
mod hearing;
pub(crate) mod held;
mod tails;
pub(crate) mod transcribing;

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::call::Call;
use domain::event::{Envelope, Nothing, SpeechHeard};
use domain::transcript::Segment;
use platform::blobs::Blobs;
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use providers::speech::{self, SpeechToText};
use providers::{Slots, models};
use queue_topology::intake::Intake;
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError, live};
use serde_json::json;
use store::live::{EndAsked, LiveSession, LiveState, LiveStep};

use crate::counsel::{self, SoFar, SumUp};
use crate::help::Counsellor;
use crate::hub::Hub;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::told;

use hearing::Heard;
use tails::Tails;
use transcribing::Transcribed;

/// The longest time until a session is looked at again by itself.
const LATEST_LOOK: Duration = Duration::from_mins(1);

/// The stage that works on sessions.
pub struct Listen {
    settings: Settings,
    speech: Vec<SpeechToText>,
    blobs: Blobs,
    intake: Intake,
    hub: Hub,
    sum_up: SumUp,
    /// The model that advises. `None` where none is configured.
    counsellor: Option<Counsellor>,
    tails: Tails,
}

/// `LIVE_MODEL`: whether a model advises, where one is configured.
pub fn wants_model(values: &Values) -> Result<bool, ConfigError> {
    Ok(values.text("LIVE_MODEL").is_none() || values.flag("LIVE_MODEL")?)
}

impl Listen {
    /// Makes the stage with the providers that `values` configure.
    pub fn from_values(
        values: &Values,
        installation: &Installation,
        intake: Intake,
        cache: Arc<dyn Cache>,
        hub: Hub,
        sum_up: SumUp,
    ) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Self::QUEUE.spec.may_wait());
        let speech = speech::configured_for(values, &slots, "LIVE_SPEECH")?;
        let wants_model = wants_model(values)?;
        let model = models::configured(values, &slots)?.filter(|_| wants_model);
        let made = Self::new(Settings::read(values, installation)?, speech, intake, hub, sum_up);
        Ok(Self { counsellor: model.map(Counsellor::new), ..made })
    }

    /// Makes the stage with these providers, in the order in which they are tried.
    pub fn new(
        settings: Settings,
        speech: Vec<SpeechToText>,
        intake: Intake,
        hub: Hub,
        sum_up: SumUp,
    ) -> Self {
        let blobs = intake.blobs.clone();
        Self { settings, speech, blobs, intake, hub, sum_up, counsellor: None, tails: Tails::default() }
    }

    /// Stores a step, and tells the listeners of this process.
    async fn store_step(&self, cx: &Cx, session: &LiveSession, step: &LiveStep) -> Result<(), StageError> {
        let stored = cx.store.save_live_step(&cx.claim(), step).await?;
        if stored.is_none() {
            return Err(StageError::transient(
                "run_taken_over",
                anyhow!("another process took the run over"),
            ));
        }
        if !step.events.is_empty() {
            self.hub.tell(session.call);
        }
        Ok(())
    }

    /// Works on a session whose call is not in the pipeline yet.
    async fn work(
        &self,
        cx: &Cx,
        session: &LiveSession,
        call: &Call,
    ) -> Result<Outcome<Nothing>, StageError> {
        let mut progress = Progress::read(&session.progress);
        let Heard { gap, quiet_in } = hearing::hear(self, cx, (session, call), &mut progress).await?;
        let mut turns = cx.store.live_turns(session.workspace, session.call).await?;
        let held = held::release(self, cx, session, &mut progress, &turns).await?;
        if held.any {
            turns = cx.store.live_turns(session.workspace, session.call).await?;
        }
        let transcribed = transcribing::transcribe(self, cx, (session, call), &mut turns).await?;
        let segments = transcribing::segments(self, call, &turns);
        let spoken = transcribing::with_words(&turns);
        if session.state == LiveState::Active
            && i64::try_from(spoken).is_ok_and(|spoken| spoken > progress.advised)
        {
            self.counsel(cx, (session, call), segments.clone(), spoken, &mut progress).await?;
        }
        let advice = counsel::due_in(i64::try_from(spoken).unwrap_or(i64::MAX), &progress, cx.now());
        let advice = advice.filter(|_| session.state == LiveState::Active);
        let waits = [
            gap,
            quiet_in,
            held.wait,
            advice,
            if let Transcribed::Later(wait) = transcribed { Some(wait) } else { None },
        ];
        if let Some(wait) = waits.into_iter().flatten().min() {
            return Ok(Outcome::Later(wait.min(LATEST_LOOK)));
        }
        match session.state {
            LiveState::Active => self.until_silent(cx, session).await,
            LiveState::Ended => ending::deliver(self, cx, (session, call), &progress, segments).await,
        }
    }

    async fn counsel(
        &self,
        cx: &Cx,
        (session, call): (&LiveSession, &Call),
        segments: Vec<Segment>,
        turns: usize,
        progress: &mut Progress,
    ) -> Result<(), StageError> {
        let turns = i64::try_from(turns).unwrap_or(i64::MAX);
        self.ask_model(cx, session, &segments, turns, progress);
        let asked_model = progress.asked_model == turns;
        let so_far = SoFar { call, session: &session.session_id, segments, turns };
        let events = counsel::due(so_far, progress, &self.settings, &self.sum_up, cx.now()).await;
        if events.is_empty() && !asked_model {
            return Ok(());
        }
        let step = LiveStep { progress: Some(progress.kept()), events, ..LiveStep::default() };
        self.store_step(cx, session, &step).await
    }

    /// Asks the model about the last turns, beside the work on the session. Its advice is told when it comes. It is lost when
    /// this process ends before, and then the next turns bring new advice.
    fn ask_model(
        &self,
        cx: &Cx,
        session: &LiveSession,
        segments: &[Segment],
        turns: i64,
        progress: &mut Progress,
    ) {
        let Some(counsellor) = &self.counsellor else { return };
        let every = i64::try_from(self.settings.model_every.as_micros()).unwrap_or(i64::MAX);
        let now = cx.now();
        if turns <= progress.asked_model || now.micros() - progress.asked_model_at < every {
            return;
        }
        let Some(asking) = counsellor.begin(session.call) else { return };
        progress.asked_model = turns;
        progress.asked_model_at = now.micros();
        let (counsellor, lines) = (counsellor.clone(), counsel::lines(segments));
        let (store, hub) = (cx.store.clone(), self.hub.clone());
        let (workspace, call, id) = (session.workspace, session.call, session.session_id.clone());
        tokio::spawn(async move {
            let asked = counsellor.ask(&lines).await;
            drop(asking);
            let Some((advice, mood, urgency)) = asked else { return };
            let told = counsel::Told { advice: &advice, mood, urgency, cards: &[], source: "model" };
            let event = counsel::insights(&id, &told, store.now());
            match store.tell_live_session((workspace, call), &[event]).await {
                Ok(()) => hub.tell(call),
                Err(error) => tracing::warn!(%error, "failed to tell the advice of a model"),
            }
        });
    }

    /// Waits for more audio. A session that stays silent for too long ends by itself.
    async fn until_silent(&self, cx: &Cx, session: &LiveSession) -> Result<Outcome<Nothing>, StageError> {
        let silent_for = cx.now().since(session.heard_at);
        let left = self.settings.end_after.saturating_sub(silent_for);
        if !left.is_zero() {
            return Ok(Outcome::Later(left));
        }
        let (workspace, id) = (session.workspace, session.call);
        let why = json!({"reason": "silence", "silent_for_s": silent_for.as_secs()});
        let told = told::call_status(&session.session_id, "ended", &why, cx.now());
        let input = live::input(&cx.store, workspace, id);
        let silence = ("silence", Some(session.heard_at));
        if let EndAsked::Ended { .. } =
            cx.store.end_live_session((workspace, id), silence, &told, &input).await?
        {
            self.hub.tell(id);
            tracing::info!(call = %id, "a live session ended by itself after a silence");
        }
        // The end made the run due again.
        Ok(Outcome::Later(Duration::ZERO))
    }
}

impl Stage for Listen {
    type In = SpeechHeard;
    type Out = Nothing;
    const QUEUE: Queue<SpeechHeard> = table::LIVE;

    async fn handle(&self, cx: &Cx, _event: &Envelope<SpeechHeard>) -> Result<Outcome<Nothing>, StageError> {
        let session = cx.store.live_session_of(cx.run.workspace, cx.run.call).await?;
        let Some(session) = session else { return Ok(Outcome::Done) };
        if session.finished_at.is_some() {
            return Ok(Outcome::Done);
        }
        let call = cx.call().await?;
        if session.delivered_at.is_some() {
            return ending::watch(self, cx, &session, &call).await;
        }
        self.work(cx, &session, &call).await
    }
}
