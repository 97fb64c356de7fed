//! Asks a model to read a transcript or a part of one, and lets it repair an answer that cannot be used.
//!
//! Many models keep to a schema nearly always. One that did not has read the transcript all the same, and mostly mends
//! its answer when it is told what is wrong. So it is asked for that once, which costs less than reading again. After
//! that the run fails, and the schedule of retries decides.

use anyhow::anyhow;
use providers::models::{LanguageModel, Repair, Request, Schema, Tokens};
use queue_topology::StageError;

use crate::prompt::{self, Prompt};
use crate::schema::{self, BadReply, Reading};
use crate::text;

/// The part of an answer that a model always sees again, in characters.
const MIN_SHOWN_CHARS: usize = 1_000;

/// What a model read, and the tokens that it used for its answers.
pub(crate) struct Answered {
    pub(crate) reading: Reading,
    pub(crate) used: Tokens,
}

/// Asks the model. The slot of the first request is taken already.
pub(crate) async fn ask(model: &dyn LanguageModel, prompt: &Prompt) -> Result<Answered, StageError> {
    let schema = Schema { name: schema::NAME, schema: schema::schema() };
    let request = Request { system: &prompt.system, user: &prompt.user, schema: Some(schema), repair: None };
    let first = model.complete(&request).await?;
    let bad = match schema::read(&first.text) {
        Ok(reading) => return Ok(Answered { reading, used: first.tokens }),
        Err(bad) => bad,
    };
    tracing::info!(reason = %bad, "the model is asked to repair its answer");
    // A run that waited here for a slot would ask everything again afterwards, and would never use up its attempts.
    if model.take_slots(1).await.is_err() {
        return Err(no_use(bad));
    }
    let answer = shown_again(&first.text, prompt, model.max_input_tokens());
    let complaint = complaint(&bad);
    let repair = Repair { answer: &answer, complaint: &complaint };
    let second = model.complete(&Request { repair: Some(repair), ..request }).await?;
    let reading = schema::read(&second.text).map_err(no_use)?;
    let sum = |of: fn(&Tokens) -> i64| of(&first.tokens).saturating_add(of(&second.tokens));
    let used = Tokens { prompt: sum(|tokens| tokens.prompt), completion: sum(|tokens| tokens.completion) };
    Ok(Answered { reading, used })
}

/// The error of an answer that cannot be used. The next answer may be a better one.
fn no_use(bad: BadReply) -> StageError {
    let why = anyhow!(bad).context("failed to use the model's answer");
    StageError::transient("model_answer_invalid", why)
}

fn complaint(bad: &BadReply) -> String {
    format!(
        "Your answer cannot be used: {bad}. Write the whole answer again, corrected. Answer with one JSON object that \
         keeps to the schema, and with nothing before or after it."
    )
}

/// The answer in the length that still fits into a request.
fn shown_again(answer: &str, prompt: &Prompt, max_tokens: usize) -> String {
    let asked = [&prompt.system, &prompt.user, &schema::schema().to_string()];
    let used: usize = asked.iter().map(|text| prompt::tokens(text)).sum();
    let room = max_tokens.saturating_sub(used).saturating_mul(4).max(MIN_SHOWN_CHARS);
    match text::shortened(answer.trim(), room) {
        // Some servers take no empty message.
        shown if shown.is_empty() => "(empty)".to_owned(),
        shown => shown,
    }
}
