//! Running simulators, and a client that asks them.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use simulators::{Options, Provider, Simulator, Simulators, slack};

pub(crate) struct Playground {
    pub(crate) simulators: Simulators,
    pub(crate) http: Client,
}

impl Playground {
    pub(crate) async fn start() -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        #[expect(
            clippy::disallowed_methods,
            reason = "this crate does not depend on the one that makes clients"
        )]
        let http = Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let options = Options { transcription_time: Duration::from_millis(120), ..Options::default() };
        Self { simulators: Simulators::start(&options).await.unwrap(), http }
    }

    pub(crate) fn of(&self, provider: &Provider) -> &Simulator {
        self.simulators.of(provider)
    }

    /// A request to the simulator of this provider.
    pub(crate) fn at(&self, method: Method, provider: &Provider, path: &str) -> RequestBuilder {
        self.http.request(method, self.of(provider).url(path))
    }

    /// A message to an incoming webhook of Slack.
    pub(crate) fn webhook(&self, text: &str) -> RequestBuilder {
        self.at(Method::POST, &slack::PROVIDER, "/services/T0/B0/x").json(&json!({ "text": text }))
    }
}

/// Sends a request and returns the status and the body, which is text when it is not JSON.
pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::from(text)))
}
