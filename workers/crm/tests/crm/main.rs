//! Tests the CRM worker over HTTP against destinations that answer as the real ones do.
#![expect(clippy::unwrap_used, reason = "a test stops where it cannot go on")]

mod contacts;
mod org;
mod stage;

/// TLS needs its provider even where every address is plain HTTP. Only the first call can install it.
fn tls() {
    let installed = rustls::crypto::ring::default_provider().install_default();
    drop(installed);
}
