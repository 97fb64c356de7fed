//! Fetches a file from a URL that came from outside, and never lets the sender of the URL reach into our own network.
//!
//! Somebody who may send a webhook may send any URL, such as that of our cloud's metadata service or of an admin page
//! in our network. So the first URL and the target of every redirect are checked. A literal IP address is checked
//! before the request, and a name when it is resolved. The connection then goes to the addresses that were checked,
//! because a second look-up could give other ones. The HTTP client does not follow redirects: this module does. No
//! request goes through a proxy, because a proxy would resolve the names itself.

mod address;
mod answer;
mod error;
mod limits;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use reqwest::{Client, Response};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use crate::config::{ConfigError, Values};
use crate::{http, tls};
pub use address::is_public;
pub use answer::Answered;
pub use error::FetchError;
pub use limits::Limits;
use limits::Pace;

/// How many bytes at the start of a file are shown to the one who knows kinds of files.
const HEAD_BYTES: usize = 1024;

/// The private addresses from which files may be fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Allow {
    #[default]
    None,
    All,
    /// Only these, each written as `host:port`.
    Hosts(Vec<String>),
}

impl Allow {
    /// Reads `DEBRIEF_ALLOW_PRIVATE_FETCH`: `true`, `false` or a list of `host:port`.
    pub fn from_values(values: &Values) -> Result<Self, ConfigError> {
        const NAME: &str = "DEBRIEF_ALLOW_PRIVATE_FETCH";
        match values.text(NAME).as_deref() {
            None | Some("false" | "0" | "no") => Ok(Self::None),
            Some("true" | "1" | "yes") => Ok(Self::All),
            Some(_) => {
                let hosts = values.list(NAME);
                match hosts.iter().find(|host| !has_port(host)) {
                    Some(host) => Err(ConfigError::not(NAME, host, "true, false or host:port")),
                    None => Ok(Self::Hosts(hosts.iter().map(|host| host.to_lowercase()).collect())),
                }
            }
        }
    }

    fn permits(&self, url: &Url) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Hosts(hosts) => {
                let host = url.host_str().unwrap_or_default();
                let port = url.port_or_known_default().unwrap_or_default();
                hosts.contains(&format!("{host}:{port}"))
            }
        }
    }
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(name, port)| !name.is_empty() && port.parse::<u16>().is_ok())
}

/// A user name and a password for a provider's own hosts. They are sent to no other host.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Each is a host such as `exotel.com`, or `*.exotel.com`, which stands for every host below it.
    pub hosts: Vec<String>,
    pub user: String,
    pub password: SecretString,
}

impl Credential {
    fn is_for(&self, host: &str) -> bool {
        self.hosts.iter().any(|known| match known.strip_prefix('*') {
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == known,
        })
    }
}

/// Where a file is, and what is known of that place.
#[derive(Clone, Debug)]
pub struct Address {
    pub url: String,
    /// The value of the header `Authorization`. It is sent to the host of `url` only, and never along a redirect to
    /// another host.
    pub authorization: Option<SecretString>,
    /// Whether our own configuration names the host of `url`. Then it may be private.
    pub is_configured: bool,
}

impl Address {
    /// An address that came from outside, of which nothing is known.
    pub fn from_outside(url: impl Into<String>) -> Self {
        Self { url: url.into(), authorization: None, is_configured: false }
    }
}

/// A file that is being fetched.
pub struct Fetched {
    pub content_type: Option<String>,
    /// The content. The stream ends with an error when a limit is passed or the answer breaks off.
    pub body: BoxStream<'static, Result<Bytes, FetchError>>,
}

/// Looks at the first bytes of a file and returns what they are, if they are not the wanted kind.
type Sniff = fn(&[u8]) -> Option<&'static str>;

#[derive(Clone)]
pub struct Fetcher {
    /// A client that connects only to public addresses.
    guarded: Client,
    /// A client that connects to any address. It is used for the addresses that `allow` permits.
    unguarded: Client,
    allow: Allow,
    limits: Limits,
    credentials: Vec<Credential>,
}

impl Fetcher {
    #[expect(clippy::missing_panics_doc, reason = "a client with fixed settings can be built")]
    pub fn new(allow: Allow, limits: Limits, credentials: Vec<Credential>) -> Self {
        let build = |builder: reqwest::ClientBuilder| builder.build().expect("fixed settings can be built");
        let guarded = build(client_builder().dns_resolver(address::PublicOnly));
        Self { guarded, unguarded: build(client_builder()), allow, limits, credentials }
    }

    /// Starts to fetch a recording. When this returns, redirects were followed, and the first bytes are not those of
    /// another kind of file: `other_kind` names a file that is certainly no recording by them.
    pub async fn recording(&self, address: &Address, other_kind: Sniff) -> Result<Fetched, FetchError> {
        self.fetch(address, other_kind).await
    }

    /// Starts to fetch a text, such as a transcript.
    pub async fn document(&self, address: &Address) -> Result<Fetched, FetchError> {
        self.fetch(address, |_| None).await
    }

    async fn fetch(&self, address: &Address, unwanted: Sniff) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.limits.total;
        let first =
            Url::parse(&address.url).map_err(|_| FetchError::Refused("the address is not a URL".into()))?;
        let mut url = first.clone();
        for _ in 0..=self.limits.redirects {
            let host = host_of(&url);
            // What is known of the first host is not known of a host to which it redirects.
            let known = if url.origin() == first.origin() { Some(address) } else { None };
            let response = match timeout_at(deadline, self.request(&url, known)).await {
                Ok(response) => response?,
                Err(_) => return Err(too_slow(host, &self.limits)),
            };
            let status = response.status();
            if status.is_success() {
                return self.read(response, host, deadline, unwanted).await;
            }
            let Some(target) = redirect(&response, &url) else {
                let retry_after = http::retry_after(response.headers(), chrono::Utc::now());
                return Err(FetchError::Status { host, status, retry_after });
            };
            url = target?;
        }
        Err(FetchError::Refused(format!("more than {} redirects", self.limits.redirects)))
    }

    async fn request(&self, url: &Url, known: Option<&Address>) -> Result<Response, FetchError> {
        let permitted = self.allow.permits(url) || known.is_some_and(|known| known.is_configured);
        let client = if permitted && matches!(url.scheme(), "http" | "https") {
            &self.unguarded
        } else {
            check_address(url)?;
            &self.guarded
        };
        let mut request = client.get(url.clone());
        let host = url.host_str().unwrap_or_default();
        // Over plain http, credentials go only to an address that the operator has permitted.
        if url.scheme() == "https" || permitted {
            if let Some(authorization) = known.and_then(|known| known.authorization.as_ref()) {
                request = request.header(AUTHORIZATION, authorization.expose_secret());
            } else if let Some(credential) = self.credentials.iter().find(|known| known.is_for(host)) {
                request = request.basic_auth(&credential.user, Some(credential.password.expose_secret()));
            }
        }
        let sent = tokio::time::timeout(self.limits.stall, request.send());
        match sent.await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(match address::refusal(&error) {
                Some(refusal) => FetchError::Refused(refusal.to_string()),
                None => {
                    FetchError::NotReached { host: host_of(url), problem: http::error_of(&error).to_string() }
                }
            }),
            Err(_) => Err(FetchError::Stalled { host: host_of(url), seconds: self.limits.stall.as_secs() }),
        }
    }

    async fn read(
        &self,
        response: Response,
        host: String,
        deadline: Instant,
        unwanted: Sniff,
    ) -> Result<Fetched, FetchError> {
        let limits = self.limits;
        if response.content_length().is_some_and(|length| length > limits.max_bytes) {
            return Err(FetchError::TooLarge { host, max_bytes: limits.max_bytes });
        }
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut reader = BodyReader { response, host, deadline, limits, pace: Pace::default(), bytes: 0 };
        let mut head = BytesMut::new();
        while head.len() < HEAD_BYTES {
            match reader.next().await? {
                Some(chunk) => head.extend_from_slice(&chunk),
                None => break,
            }
        }
        if head.is_empty() {
            return Err(FetchError::Empty { host: reader.host });
        }
        if let Some(found) = unwanted(&head) {
            return Err(FetchError::NotAudio { host: reader.host, found });
        }
        let rest = stream::try_unfold(reader, |mut reader| async move {
            Ok(reader.next().await?.map(|chunk| (chunk, reader)))
        });
        let body = stream::once(async move { Ok(head.freeze()) }).chain(rest.into_stream()).boxed();
        Ok(Fetched { content_type, body })
    }
}

/// A client for addresses that came from outside. It does not decompress, because the bytes are stored as they arrive,
/// and it uses no connection twice.
#[expect(clippy::disallowed_methods, reason = "`http::client` makes clients for our own providers only")]
fn client_builder() -> reqwest::ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls::config(&[b"h2", b"http/1.1"]))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("debrief/", env!("CARGO_PKG_VERSION")))
}

/// Reads a body and keeps to the limits.
struct BodyReader {
    response: Response,
    host: String,
    deadline: Instant,
    limits: Limits,
    pace: Pace,
    bytes: u64,
}

impl BodyReader {
    async fn next(&mut self) -> Result<Option<Bytes>, FetchError> {
        let began = Instant::now();
        let stalled_at = began + self.limits.stall;
        loop {
            let asked = Instant::now();
            let window_ends = asked.checked_add(self.pace.left(&self.limits)).unwrap_or(self.deadline);
            let until = stalled_at.min(window_ends).min(self.deadline);
            let answer = timeout_at(until, self.response.chunk()).await;
            let chunk = match answer {
                Ok(chunk) => Some(chunk.map_err(|error| self.broken(&error))?),
                Err(_) => None,
            };
            let arrived = chunk.as_ref().and_then(Option::as_ref).map_or(0, |chunk| chunk.len() as u64);
            let keeps_up = self.pace.keeps_up(&self.limits, asked.elapsed(), arrived);
            match chunk {
                // The end of the file. It does not matter how fast its last bytes came.
                Some(None) => return Ok(None),
                Some(Some(chunk)) if keeps_up => return self.counted(chunk).map(Some),
                None if Instant::now() >= self.deadline => {
                    return Err(too_slow(self.host.clone(), &self.limits));
                }
                None if Instant::now() >= stalled_at => return Err(self.stalled()),
                _ if !keeps_up => return Err(self.below_the_rate()),
                // A window has ended with enough bytes, and the next one begins.
                _ => {}
            }
        }
    }

    fn counted(&mut self, chunk: Bytes) -> Result<Bytes, FetchError> {
        self.bytes += chunk.len() as u64;
        if self.bytes > self.limits.max_bytes {
            return Err(FetchError::TooLarge { host: self.host.clone(), max_bytes: self.limits.max_bytes });
        }
        Ok(chunk)
    }

    fn broken(&self, error: &reqwest::Error) -> FetchError {
        FetchError::Broken { host: self.host.clone(), problem: http::error_of(error).to_string() }
    }

    fn stalled(&self) -> FetchError {
        FetchError::Stalled { host: self.host.clone(), seconds: self.limits.stall.as_secs() }
    }

    fn below_the_rate(&self) -> FetchError {
        FetchError::BelowRate {
            host: self.host.clone(),
            min_rate: self.limits.min_rate,
            seconds: self.limits.window.as_secs(),
        }
    }
}

fn too_slow(host: String, limits: &Limits) -> FetchError {
    FetchError::TooSlow { host, seconds: limits.total.as_secs() }
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or("nowhere").to_owned()
}

/// Checks the scheme of a URL, and its address when that is an IP address. An IP address has to be checked here,
/// because the client does not pass it to the resolver that checks names.
fn check_address(url: &Url) -> Result<(), FetchError> {
    let refused = |problem: String| Err(FetchError::Refused(problem));
    if !matches!(url.scheme(), "http" | "https") {
        return refused(format!("`{}` is neither http nor https", url.scheme()));
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => address.into(),
        Some(Host::Ipv6(address)) => address.into(),
        Some(Host::Domain(_)) => return Ok(()),
        None => return refused("the address has no host".into()),
    };
    if is_public(address) { Ok(()) } else { refused(format!("{address} is not a public address")) }
}

/// The target of a redirect, when the answer is one.
fn redirect(response: &Response, from: &Url) -> Option<Result<Url, FetchError>> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let target = from
        .join(location)
        .map_err(|_| FetchError::Refused("it redirects to something that is not a URL".into()));
    Some(target.and_then(|target| match target.scheme() {
        "http" | "https" => Ok(target),
        other => Err(FetchError::Refused(format!("it redirects to `{other}`"))),
    }))
}
