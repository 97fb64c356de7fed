//! The stage loads a call and its transcript, lets a model or the built-in analyzer read the transcript, and stores the
//! analysis.
//!
//! When a model is configured, only the model reads transcripts. If it fails, the run fails and is tried again. The
//! built-in analyzer never replaces it, because then people could take the one's analysis for the other's. The numbers
//! always come from our own code.

use std::sync::Arc;
use std::time::Instant;

use anyhow::anyhow;
use chrono::NaiveDate;
use chrono_tz::Tz;
use domain::analysis::{Analysis, Usage};
use domain::audio::AudioFacts;
use domain::call::Call;
use domain::event::{CallAnalyzed, CallTranscribed, Envelope};
use domain::transcript::Transcript;
use platform::cache::Cache;
use platform::config::{ConfigError, Installation, Values};
use providers::Slots;
use providers::models::{self, LanguageModel, Tokens};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError, Whom};
use store::Write;

use crate::schema::Reading;
use crate::{audio_metrics, builtin, conversation, grounding, merge, metrics, promises, prompt, turns};

/// Analyzes calls, with a model when one is configured.
pub struct Analyze {
    model: Option<Arc<dyn LanguageModel>>,
    /// The zone in which `tomorrow` begins at midnight.
    zone: Tz,
}

impl Analyze {
    /// Uses the model that `values` configure, if they configure one. `cache` gives out the slots of its rate limit.
    pub fn from_values(
        values: &Values,
        installation: &Installation,
        cache: Arc<dyn Cache>,
    ) -> Result<Self, ConfigError> {
        let slots = Slots::new(cache, Self::QUEUE.spec.may_wait());
        Ok(Self { zone: installation.timezone, ..Self::new(models::configured(values, &slots)?) })
    }

    /// Without a model the built-in analyzer reads the transcripts.
    pub fn new(model: Option<Arc<dyn LanguageModel>>) -> Self {
        Self { model, zone: Tz::UTC }
    }

    /// Makes the analysis of `call` from its `transcript`.
    pub async fn analyze(&self, call: &Call, transcript: Transcript) -> Result<Analysis, StageError> {
        self.analyze_heard(call, transcript, None).await
    }

    /// As [`Self::analyze`]. The times are measured from `audio`, what is known of the call's recording, where it tells
    /// them.
    pub async fn analyze_heard(
        &self,
        call: &Call,
        transcript: Transcript,
        audio: Option<&AudioFacts>,
    ) -> Result<Analysis, StageError> {
        let transcript = domain::sides::with_roles(transcript, call);
        let people: Vec<String> =
            call.details.participants.iter().filter_map(|person| person.name.clone()).collect();
        let is_silent = transcript.segments.iter().all(|segment| segment.text.trim().is_empty());
        // How a product cuts its captions must not matter, so turns are read. What is counted is counted in the segments.
        let turns = Arc::new(transcript.turns());
        let said_on = self.day_of(call);
        let mut analysis = match &self.model {
            Some(model) if !is_silent => {
                model_analysis(model.as_ref(), call, &turns, &people, said_on).await?
            }
            _ => builtin_analysis(Arc::clone(&turns), people).await,
        };
        analysis.metrics = audio
            .and_then(|facts| audio_metrics::metrics_from_audio(facts, &transcript))
            .unwrap_or_else(|| metrics::compute(&transcript));
        turns::locate(&mut analysis.contacts, &turns, &transcript);
        promises::set_dates(&mut analysis.action_items, said_on);
        Ok(analysis)
    }
}

impl Analyze {
    /// The day on which a call was, in the zone of the installation.
    fn day_of(&self, call: &Call) -> NaiveDate {
        call.details.started_at.unwrap_or(call.received_at).utc().with_timezone(&self.zone).date_naive()
    }
}

/// Runs the built-in analyzer on a thread of its own. For a meeting of an hour it takes so long that it would block the
/// other tasks of a worker's thread.
async fn builtin_analysis(transcript: Arc<Transcript>, people: Vec<String>) -> Analysis {
    match tokio::task::spawn_blocking(move || builtin::analyze(&transcript, &people)).await {
        Ok(analysis) => analysis,
        // The runner, which calls the stage, handles a panic.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Has the model read the transcript, in as many parts as it needs.
async fn model_analysis(
    model: &dyn LanguageModel,
    call: &Call,
    turns: &Transcript,
    people: &[String],
    said_on: NaiveDate,
) -> Result<Analysis, StageError> {
    let started = Instant::now();
    let prompts = prompt::prompts(call, turns, model.max_input_tokens());
    // All parts take their slots together. A run that had to wait between two parts would ask for the first part again
    // later, and pay for it again.
    model.take_slots(u32::try_from(prompts.len()).unwrap_or(u32::MAX)).await?;
    let (mut parts, mut used) = (Vec::new(), Tokens::default());
    for prompt in prompts {
        let answered = conversation::ask(model, &prompt).await?;
        used.prompt = used.prompt.saturating_add(answered.used.prompt);
        used.completion = used.completion.saturating_add(answered.used.completion);
        parts.push(answered.reading);
    }
    let nothing =
        || StageError::permanent("transcript_empty", anyhow!("failed to read a transcript without words"));
    let reading = merge::merge(parts).ok_or_else(nothing)?;
    let usage = Usage {
        model: model.name().to_owned(),
        prompt_tokens: used.prompt,
        completion_tokens: used.completion,
        duration_ms: i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX),
        cost_usd: model.prices().map(|prices| prices.cost(used)),
    };
    Ok(analysis(reading, turns, people, said_on, usage))
}

fn analysis(
    reading: Reading,
    turns: &Transcript,
    people: &[String],
    said_on: NaiveDate,
    usage: Usage,
) -> Analysis {
    let grounded = grounding::ground(&reading.contacts, turns, people);
    if grounded.dropped > 0 {
        tracing::info!(facts_dropped = grounded.dropped, "dropped facts of the model that are not proven");
    }
    Analysis {
        analyzer: usage.model.clone(),
        summary: reading.summary,
        key_points: reading.key_points,
        topics: reading.topics,
        sentiment: reading.sentiment,
        tone: reading.tone,
        concern: reading.concern.filter(|concern| !concern.trim().is_empty()),
        category: reading.category,
        action_items: promises::proven(reading.action_items, turns, people, said_on),
        customer_requests: reading.customer_requests,
        resolution: reading.resolution,
        priority: reading.priority,
        contacts: grounded.contacts,
        metrics: metrics::compute(turns),
        usage: Some(usage),
    }
}

impl Stage for Analyze {
    type In = CallTranscribed;
    type Out = CallAnalyzed;
    const QUEUE: Queue<CallTranscribed> = table::ANALYSIS;

    async fn handle(
        &self,
        cx: &Cx,
        _event: &Envelope<CallTranscribed>,
    ) -> Result<Outcome<CallAnalyzed>, StageError> {
        let _held = match &self.model {
            Some(model) => Some(cx.wait_for(Whom::Provider(model.name())).await?),
            None => None,
        };
        let audio = cx.store.audio_facts(cx.run.workspace, cx.run.call).await?;
        let analysis = self.analyze_heard(&cx.call().await?, cx.transcript().await?, audio.as_ref()).await?;
        tracing::info!(analyzer = analysis.analyzer, words = analysis.metrics.words, "analyzed a call");
        if let Some(usage) = &analysis.usage {
            cx.keep(Write::Usage(usage.clone()));
        }
        cx.keep(Write::Analysis(Box::new(analysis)));
        Ok(Outcome::Emit(CallAnalyzed {}))
    }
}
