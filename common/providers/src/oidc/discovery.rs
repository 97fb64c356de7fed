//! Reads the provider's description of itself (`/.well-known/openid-configuration`).

use serde::Deserialize;
use url::{Host, Url};

use super::{Oidc, OidcError};

/// Where the provider does what, and how.
pub(super) struct Description {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    /// Whether the secret goes into a header. Otherwise it goes into the form.
    pub(super) takes_basic: bool,
    /// Whether the provider says its name when it sends the browser back (RFC 9207).
    pub(super) names_itself: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

pub(super) async fn read(client: &Oidc) -> Result<Description, OidcError> {
    let unusable = |problem: &str| OidcError::Unusable(problem.to_owned());
    let at = format!("{}/.well-known/openid-configuration", client.issuer_text.trim_end_matches('/'));
    let at = Url::parse(&at).map_err(|_| unusable("its address cannot be used"))?;
    let document = client.document(&at).await?;
    let document: Document =
        serde_json::from_slice(&document).map_err(|_| unusable("its description cannot be read"))?;
    // Otherwise a description of somebody else would be believed.
    if document.issuer != client.issuer_text {
        return Err(unusable("it calls itself something else than OIDC_ISSUER says"));
    }
    let address = |text: &str| {
        Url::parse(text)
            .ok()
            .filter(|url| is_safe(url) && (url.scheme() == "https" || client.issuer.scheme() == "http"))
            .ok_or_else(|| unusable("its description names an address that is not encrypted"))
    };
    let methods = document.token_endpoint_auth_methods_supported;
    Ok(Description {
        authorization: address(&document.authorization_endpoint)?,
        token: address(&document.token_endpoint)?,
        keys: address(&document.jwks_uri)?,
        takes_basic: methods.is_none_or(|known| known.iter().any(|method| method == "client_secret_basic")),
        names_itself: document.authorization_response_iss_parameter_supported,
    })
}

/// Whether nobody on the way can read or change what goes to an address. Without TLS that holds on this machine only.
pub(super) fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "https" && url.has_host() || url.scheme() == "http" && is_here
}
