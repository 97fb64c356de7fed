//! Language models. A request holds a text and a schema, and the answer is a text that should follow the schema.
//!
//! The worker decides what the model is asked and how the answer is used.

mod json_reply;
pub mod openai;

use std::sync::Arc;

use domain::refusal::Refusal;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use platform::config::{ConfigError, Values};
use serde_json::Value;

use crate::descriptor::{Check, Checked, Descriptor, first};
use crate::slots::Slots;

/// Every provider of a model. The first one in this list that is turned on is used.
pub static ALL: &[&Descriptor<Arc<dyn LanguageModel>>] = &[&openai::DESCRIPTOR];

/// Makes the model of the first provider that is turned on.
pub fn configured(values: &Values, slots: &Slots) -> Result<Option<Arc<dyn LanguageModel>>, ConfigError> {
    first(ALL, values, slots)
}

pub trait LanguageModel: Check + Send + Sync {
    /// The name of the model. An analysis keeps this name, so that readers know which model wrote it.
    fn name(&self) -> &str;

    /// The longest request in tokens, counted roughly.
    fn max_input_tokens(&self) -> usize;

    /// The prices of the model. `None` where no cost is known.
    fn prices(&self) -> Option<Prices>;

    /// Takes the slots for this many requests together, and waits for the first of them. Work that needs several
    /// requests takes all of its slots at once. Otherwise other work could take a slot in between, and requests that
    /// were paid for would be sent again later.
    fn take_slots(&self, requests: u32) -> BoxFuture<'_, Result<(), Refusal>>;

    /// Sends the request once. The caller decides when to try again.
    fn complete<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Reply, Refusal>>;

    /// As [`Self::complete`], with the text of the answer piece by piece, as it is made. An answer that was paid for and cannot be
    /// used ends in an error. A model that cannot send pieces gives all of it at once.
    fn stream<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Pieces, Refusal>> {
        async move {
            let reply = self.complete(request).await?;
            Ok(stream::iter([Ok(reply.text)]).boxed())
        }
        .boxed()
    }
}

/// The text of an answer, as it comes.
pub type Pieces = BoxStream<'static, Result<String, Refusal>>;

impl Check for Arc<dyn LanguageModel> {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.as_ref().check()
    }
}

/// A request to a model.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The task. It holds no text from outside.
    pub system: &'a str,
    /// The data that the task is about.
    pub user: &'a str,
    /// The schema of the answer. `None` where any text may be the answer.
    pub schema: Option<Schema<'a>>,
    /// An answer to the same request that could not be used. The model is asked to repair it.
    pub repair: Option<Repair<'a>>,
}

/// What a model has to repair.
#[derive(Clone, Copy, Debug)]
pub struct Repair<'a> {
    /// The model's answer. It may be shortened.
    pub answer: &'a str,
    /// What is wrong with the answer, and what the model should do, in words for the model.
    pub complaint: &'a str,
}

/// A JSON schema in the strict subset that structured outputs accept.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// The name of the schema: at most 64 letters, digits, `_` and `-`.
    pub name: &'a str,
    pub schema: &'a Value,
}

/// A model's answer, and how many tokens it used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The text of the answer. Where the request had a schema, this is the JSON in the answer. It may break the schema,
    /// because not every compatible server makes its model follow the schema.
    pub text: String,
    pub tokens: Tokens,
}

/// The tokens of a request and its answer. A count is 0 where the server did not send it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    pub prompt: i64,
    pub completion: i64,
}

/// Prices in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    pub prompt: f64,
    pub completion: f64,
}

impl Prices {
    /// The cost in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn cost(self, tokens: Tokens) -> f64 {
        (tokens.prompt as f64 * self.prompt + tokens.completion as f64 * self.completion) / 1_000_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_is_per_million_tokens() {
        let prices = Prices { prompt: 0.5, completion: 2.0 };
        let cost = prices.cost(Tokens { prompt: 1_000_000, completion: 500_000 });
        assert!((cost - 1.5).abs() < 1e-9);
    }
}
