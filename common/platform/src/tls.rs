//! The TLS of all our HTTP clients. A process makes some thirty clients, one for each provider, and to read the root
//! certificates of the system takes longer than everything else in a client. So they are read once.

use std::sync::{Arc, LazyLock};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;

static CONFIG: LazyLock<Result<ClientConfig, rustls::Error>> = LazyLock::new(|| {
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth())
});

/// The TLS of a client that speaks these protocols, the best first. A server certificate must be one that the system trusts.
///
/// # Panics
///
/// The system has no root certificate.
pub(crate) fn config(protocols: &[&[u8]]) -> ClientConfig {
    let mut config = match &*CONFIG {
        Ok(config) => config.clone(),
        Err(error) => panic!("the root certificates of the system cannot be used: {error}"),
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}
