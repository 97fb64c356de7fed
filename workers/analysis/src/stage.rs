//! The stage loads a call and its transcript, lets a model or the built-in analyzer read the transcript, and stores the
//! analysis.
//!
//! When a model is configured, only the model reads transcripts. If it fails, the run fails and is tried again. The
//! built-in analyzer never replaces it, because then people could take the one's analysis for the other's. The numbers
//! always come from our own code.

use std::sync::Arc;
use std::time::Instant;

use domain::analysis::{ActionItem, Analysis, Usage};
use domain::call::Call;
use domain::event::{CallAnalyzed, CallTranscribed, Envelope};
use domain::transcript::Transcript;
use platform::cache::{Cache, Limiter};
use queue_topology::table::{self, Queue};
use queue_topology::{Cx, Outcome, Stage, StageError};
use store::Write;

use crate::model::{Model, ModelError, OpenAi};
use crate::schema::{ActionReading, Reading};
use crate::settings::{Prices, Settings};
use crate::{builtin, grounding, merge, metrics, prompt, sides};

/// Analyzes calls, with a model when one is configured.
pub struct Analyze {
    reader: Option<Reader>,
}

struct Reader {
    model: Arc<dyn Model>,
    max_input_tokens: usize,
    prices: Option<Prices>,
    /// Without a limiter the model is asked as fast as it answers.
    limiter: Option<Limiter>,
}

impl Analyze {
    /// `cache` gives out the slots of the rate limit.
    pub fn new(settings: &Settings, cache: Arc<dyn Cache>) -> Self {
        let may_wait = Self::QUEUE.spec.may_wait();
        let reader = settings.openai.as_ref().map(|openai| Reader {
            model: Arc::new(OpenAi::new(openai)),
            max_input_tokens: openai.max_input_tokens,
            prices: openai.prices,
            limiter: Some(Limiter::new(cache, "openai", "OPENAI_RATE", openai.rate, may_wait)),
        });
        Self { reader }
    }

    /// Uses a model that the caller brings.
    pub fn with_model(model: Arc<dyn Model>, max_input_tokens: usize, prices: Option<Prices>) -> Self {
        Self { reader: Some(Reader { model, max_input_tokens, prices, limiter: None }) }
    }

    /// Makes the analysis of `call` from its `transcript`.
    pub async fn analyze(&self, call: &Call, transcript: Transcript) -> Result<Analysis, ModelError> {
        let transcript = sides::with_roles(transcript, call);
        let people: Vec<String> =
            call.details.participants.iter().filter_map(|person| person.name.clone()).collect();
        let is_silent = transcript.segments.iter().all(|segment| segment.text.trim().is_empty());
        match &self.reader {
            Some(reader) if !is_silent => reader.analyze(call, &transcript, &people).await,
            _ => Ok(builtin_analysis(transcript, people).await),
        }
    }
}

/// Runs the built-in analyzer on a thread of its own. For a meeting of an hour it takes so long that it would block the
/// other tasks of a worker's thread.
async fn builtin_analysis(transcript: Transcript, people: Vec<String>) -> Analysis {
    match tokio::task::spawn_blocking(move || builtin::analyze(&transcript, &people)).await {
        Ok(analysis) => analysis,
        // The runner, which calls the stage, handles a panic.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl Reader {
    async fn analyze(
        &self,
        call: &Call,
        transcript: &Transcript,
        people: &[String],
    ) -> Result<Analysis, ModelError> {
        let started = Instant::now();
        let mut usage = Usage { model: self.model.name().to_owned(), ..Usage::default() };
        let mut parts = Vec::new();
        let prompts = prompt::prompts(call, transcript, self.max_input_tokens);
        if let Some(limiter) = &self.limiter {
            // All parts take their slots together. A run that had to wait between two parts would ask for the first
            // part again later, and pay for it again.
            limiter.slots(u32::try_from(prompts.len()).unwrap_or(u32::MAX)).await?;
        }
        for prompt in prompts {
            let answer = self.model.read(&prompt).await?;
            usage.prompt_tokens = usage.prompt_tokens.saturating_add(answer.prompt_tokens);
            usage.completion_tokens = usage.completion_tokens.saturating_add(answer.completion_tokens);
            parts.push(answer.reading);
        }
        usage.duration_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        usage.cost_usd = self.prices.map(|prices| prices.cost(usage.prompt_tokens, usage.completion_tokens));
        let reading =
            merge::merge(parts).ok_or_else(|| ModelError::BadReply("there was nothing to read".into()))?;
        Ok(analysis(reading, transcript, people, usage))
    }
}

fn analysis(reading: Reading, transcript: &Transcript, people: &[String], usage: Usage) -> Analysis {
    let grounded = grounding::ground(&reading.contacts, transcript, people);
    if grounded.dropped > 0 {
        tracing::info!(facts_dropped = grounded.dropped, "dropped facts of the model that are not proven");
    }
    let action = |item: ActionReading| ActionItem { text: item.text, owner: item.owner, due: item.due };
    Analysis {
        analyzer: usage.model.clone(),
        summary: reading.summary,
        key_points: reading.key_points,
        topics: reading.topics,
        sentiment: reading.sentiment,
        tone: reading.tone,
        concern: reading.concern.filter(|concern| !concern.trim().is_empty()),
        category: reading.category,
        action_items: reading.action_items.into_iter().map(action).collect(),
        customer_requests: reading.customer_requests,
        resolution: reading.resolution,
        priority: reading.priority,
        contacts: grounded.contacts,
        metrics: metrics::compute(transcript),
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
        let analysis = self.analyze(&cx.call().await?, cx.transcript().await?).await?;
        tracing::info!(analyzer = analysis.analyzer, words = analysis.metrics.words, "analyzed a call");
        if let Some(usage) = &analysis.usage {
            cx.keep(Write::Usage(usage.clone()));
        }
        cx.keep(Write::Analysis(Box::new(analysis)));
        Ok(Outcome::Emit(CallAnalyzed {}))
    }
}
