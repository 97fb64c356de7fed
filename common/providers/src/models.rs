//! Language models: they are asked with a text and a schema, and answer with a text that should keep to it.
//!
//! What is asked and what is made of the answer is the worker's business.

pub mod openai;

use std::sync::Arc;

use domain::refusal::Refusal;
use futures::future::BoxFuture;
use platform::config::{ConfigError, Values};
use serde_json::Value;

use crate::descriptor::{Check, Checked, Descriptor, first};
use crate::slots::Slots;

/// Every provider, in the order in which they are chosen.
pub static ALL: [&Descriptor<Arc<dyn LanguageModel>>; 1] = [&openai::DESCRIPTOR];

/// The model that is asked: that of the first provider that is turned on.
pub fn configured(values: &Values, slots: &Slots) -> Result<Option<Arc<dyn LanguageModel>>, ConfigError> {
    first(&ALL, values, slots)
}

pub trait LanguageModel: Check + Send + Sync {
    /// The model's name, by which an analysis says what made it.
    fn name(&self) -> &str;

    /// A request with more tokens than this, roughly counted, is too long.
    fn max_input_tokens(&self) -> usize;

    /// Absent: no cost is known.
    fn prices(&self) -> Option<Prices>;

    /// Takes the slots of as many requests in a row, of which the first is waited for. Whoever asks more than once
    /// for one piece of work takes them together: between two of them others would take the next, and what was paid
    /// for already would be asked again.
    fn take_slots(&self, requests: u32) -> BoxFuture<'_, Result<(), Refusal>>;

    /// Asks once. When to try again is for the caller to say.
    fn complete<'a>(&'a self, request: &'a Request<'a>) -> BoxFuture<'a, Result<Reply, Refusal>>;
}

impl Check for Arc<dyn LanguageModel> {
    fn check(&self) -> BoxFuture<'_, Result<Checked, Refusal>> {
        self.as_ref().check()
    }
}

/// What a model is told.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The task. It holds nothing that came from outside.
    pub system: &'a str,
    /// What the task is about, as data.
    pub user: &'a str,
    /// The form of the answer. Absent: any text.
    pub schema: Option<Schema<'a>>,
}

/// A JSON schema in the strict subset that structured outputs take.
#[derive(Clone, Copy, Debug)]
pub struct Schema<'a> {
    /// Letters, digits, `_` and `-`, 64 of them at most.
    pub name: &'a str,
    pub schema: &'a Value,
}

/// A model's answer, and what it took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Not proven to keep to the schema: servers that merely speak the protocol do not all hold their models to it.
    pub text: String,
    pub tokens: Tokens,
}

/// 0 where the server did not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    pub prompt: i64,
    pub completion: i64,
}

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    pub prompt: f64,
    pub completion: f64,
}

impl Prices {
    /// US dollars.
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
