//! The same turn without streaming: the whole answer of the model, and then the whole voice of it. The providers are really asked,
//! with the requests that Debrief sent to them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use load_tests::harness::providers::Providers;
use serde_json::{Value, json};
use simulators::{elevenlabs, openai};

use crate::client::client;

/// The requests of a turn.
pub(super) struct OneByOne {
    client: reqwest::Client,
    model: (String, Value),
    voice: (String, Value),
}

impl OneByOne {
    /// Takes the requests that Debrief sent last.
    pub(super) async fn of_last_turn(providers: &Providers) -> anyhow::Result<Self> {
        let (_, mut model) = last(providers, &openai::PROVIDER, "/chat/completions").await?;
        let asked = model.as_object_mut().context("read the request to the model")?;
        asked.remove("stream");
        asked.remove("stream_options");
        let (path, voice) = last(providers, &elevenlabs::PROVIDER, "/stream").await?;
        Ok(Self {
            client: client()?,
            model: (format!("{}/v1/chat/completions", providers.url(&openai::PROVIDER)?), model),
            voice: (format!("{}{path}", providers.url(&elevenlabs::PROVIDER)?), voice),
        })
    }

    /// Asks one after the other. Returns the time until the whole sound is there.
    pub(super) async fn ask(&self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let (address, asked) = &self.model;
        let answer = self.client.post(address).bearer_auth("simulated").json(asked).send().await;
        let answer = answer.context("ask the model")?;
        ensure!(answer.status().is_success(), "the model answered {}", answer.status());
        let completion: Value = answer.json().await.context("read the answer of the model")?;
        let content = completion["choices"][0]["message"]["content"].as_str().unwrap_or_default();
        let content: Value = serde_json::from_str(content).context("read the answer of the model")?;
        let (address, line) = &self.voice;
        let mut line = line.clone();
        line["text"] = content["text"].clone();
        let sound = self.client.post(address).header("xi-api-key", "simulated").json(&line).send().await;
        let sound = sound.context("ask the voice")?;
        ensure!(sound.status().is_success(), "the voice answered {}", sound.status());
        let sound = sound.bytes().await.context("hear the voice")?;
        ensure!(!sound.is_empty(), "the voice says nothing of {}", json!(content["text"]));
        Ok(begun.elapsed())
    }
}

/// The path and the body of the last request to a path that ends so.
async fn last(
    providers: &Providers,
    provider: &simulators::Provider,
    end: &str,
) -> anyhow::Result<(String, Value)> {
    let received = providers.received(provider).await?;
    let mut requests = received.into_iter().rev();
    let is_wanted = |request: &Value| request["path"].as_str().is_some_and(|path| path.ends_with(end));
    let mut request = requests.find(is_wanted).with_context(|| format!("{} was not asked", provider.name))?;
    let path = request["path"].as_str().unwrap_or_default();
    let path = match request["query"].as_str() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Ok((path, request["body"].take()))
}
