//! The HTTP client for requests that are not part of what is measured.

use anyhow::Context as _;

#[expect(clippy::disallowed_methods, reason = "Debrief is used from the outside here")]
pub(crate) fn client() -> anyhow::Result<reqwest::Client> {
    // An error means that one was installed before, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder().no_proxy().build().context("make an HTTP client")
}
