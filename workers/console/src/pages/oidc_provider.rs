//! The provider that signs people in, where one is configured, and the link to it.

use std::sync::Arc;

use providers::oidc::Oidc;
use url::form_urlencoded::byte_serialize;

use crate::Console;
use crate::texts::{AccountTexts, fill};

/// The provider, where one is configured.
#[derive(Clone)]
pub(super) struct Provider(pub(super) Option<Arc<Oidc>>);

impl Provider {
    pub(super) fn of(console: &Console) -> Self {
        // A mistake in the settings ends the start of a process, so it has been said before this.
        let oidc = Oidc::from_values(&console.values).inspect_err(|error| {
            tracing::error!(%error, "nobody can sign in at the provider");
        });
        Self(oidc.ok().flatten().map(Arc::new))
    }

    /// What the link to the provider says, and where it leads.
    pub(super) fn link(&self, texts: &AccountTexts, next: &str) -> Option<(String, String)> {
        let oidc = self.0.as_ref()?;
        let next: String = byte_serialize(next.as_bytes()).collect();
        Some((fill(texts.sign_in_with, &[oidc.title()]), format!("/login/oidc?next={next}")))
    }
}
