//! Blobs in a bucket of S3, or of a server that speaks its protocol.
//!
//! A request is signed with the digest of what it carries, so the server refuses bytes that were changed on their way. An
//! object appears under its key when it is complete, and not before.

mod failure;
mod presence;
mod upload;

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::MultipartStore as _;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::{SignedUrlOptions, Signer as _};
use object_store::{BackoffConfig, ClientOptions, Error, ObjectStore as _, ObjectStoreExt as _, RetryConfig};
use reqwest::Method;
use secrecy::ExposeSecret as _;
use tokio::sync::Semaphore;
use url::Url;

use super::settings::BucketSettings;
use super::{BlobError, HEALTH, INCOMING, Swept};
use failure::Failure;
use presence::Presence;

/// How much one upload holds in memory at most: one part that is being sent, and one that is being filled.
pub const UPLOAD_BYTES: u64 = 2 * upload::PART_BYTES as u64;
/// A connection that is not there after this time does not come.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the server may take until it answers a request, and between two pieces of its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the server may take to copy an object within the bucket.
const COPY_TIMEOUT: Duration = Duration::from_mins(10);
/// A request is given up soon. A run that fails comes again later, and a sender is told to send again.
const QUICK: Retry = Retry { times: 2, within: Duration::from_secs(5) };
/// A stream that breaks off goes on where it was. It can be read for as long as a provider takes for a long recording.
const STREAM: Retry = Retry { times: 5, within: Duration::from_mins(30) };
/// How long the address of a recording is valid. A browser asks for the parts of a recording while it plays it.
const URL_VALID_FOR: Duration = Duration::from_hours(1);

type Store = PrefixStore<AmazonS3>;

/// How often a request is sent again, and until when.
#[derive(Clone, Copy)]
struct Retry {
    times: usize,
    within: Duration,
}

pub(super) struct Bucket {
    pub(super) settings: BucketSettings,
    pub(super) store: Store,
    /// The same bucket, for requests that the server may work on for long.
    patient: Store,
    /// The same bucket, for objects that are read piece by piece.
    pub(super) streams: Store,
    /// The uploads for whose parts there is memory.
    room: Arc<Semaphore>,
    presence: Arc<Presence>,
}

impl Bucket {
    /// Opens the bucket. Nothing is asked yet, so it is no error when the bucket is away. `memory` is how many bytes of
    /// uploads may be in memory at the same time.
    pub(super) fn open(settings: BucketSettings, memory: u64) -> Result<Self, BlobError> {
        let store = client(&settings, ANSWER_TIMEOUT, QUICK)?;
        let uploads = usize::try_from((memory / UPLOAD_BYTES).max(1)).unwrap_or(usize::MAX);
        Ok(Self {
            patient: client(&settings, COPY_TIMEOUT, QUICK)?,
            streams: client(&settings, ANSWER_TIMEOUT, STREAM)?,
            room: Arc::new(Semaphore::new(uploads.min(Semaphore::MAX_PERMITS))),
            presence: Presence::new(store.clone()),
            store,
            settings,
        })
    }

    pub(super) fn incoming_key(&self) -> String {
        format!("{INCOMING}/{}", self.presence.new_name())
    }

    /// What a failed request about the blob `key` means.
    pub(super) fn failed(&self, key: &str, error: &Error) -> BlobError {
        match Failure::of(error) {
            Failure::NoSuchKey => BlobError::NotFound(key.to_owned()),
            failure => BlobError::Store(failure.words(&self.settings)),
        }
    }

    /// What a failed request means that would not fail because a blob is not there.
    fn unusable(&self, error: &Error) -> BlobError {
        BlobError::Store(Failure::of(error).words(&self.settings))
    }

    /// The length of an object. The answer to HEAD has no body, so it does not tell a missing object from a missing
    /// bucket, and not why we are refused. The answer to GET does.
    pub(super) async fn head(&self, key: &str, path: &Path) -> Result<u64, BlobError> {
        match self.store.head(path).await {
            Ok(meta) => Ok(meta.size),
            Err(Error::NotFound { .. } | Error::PermissionDenied { .. } | Error::Unauthenticated { .. }) => {
                match self.store.get(path).await {
                    Ok(found) => Ok(found.meta.size),
                    Err(error) => Err(self.failed(key, &error)),
                }
            }
            Err(error) => Err(self.failed(key, &error)),
        }
    }

    pub(super) async fn rename(&self, from: (&str, &Path), to: &Path) -> Result<(), BlobError> {
        self.patient.copy(from.1, to).await.map_err(|error| self.failed(from.0, &error))?;
        // The blob has its new key. An object that stays behind is swept later.
        if let Err(error) = self.store.delete(from.1).await {
            tracing::debug!(error = %self.failed(from.0, &error), "failed to remove a blob that has a new key");
        }
        self.presence.ended(from.0);
        Ok(())
    }

    pub(super) async fn delete(&self, key: &str, path: &Path) -> Result<(), BlobError> {
        let deleted = self.store.delete(path).await.map_err(|error| self.failed(key, &error));
        self.presence.ended(key);
        deleted
    }

    /// An address at which anybody who knows it can read the object for a while.
    pub(super) async fn url(
        &self,
        path: &Path,
        method: Method,
        media_type: &str,
    ) -> Result<Option<Url>, BlobError> {
        if !self.settings.redirects {
            return Ok(None);
        }
        let options = SignedUrlOptions::new().with_query([("response-content-type", media_type)]);
        let url = self.store.signed_url_opts(method, path, URL_VALID_FOR, &options).await;
        url.map(Some).map_err(|error| self.unusable(&error))
    }

    /// Whether the bucket answers, and lets us read. It is asked often, so nothing is written.
    pub(super) async fn answers(&self) -> Result<(), BlobError> {
        match self.store.get(&Path::from(HEALTH)).await {
            Ok(_) => Ok(()),
            Err(error) => match self.failed(HEALTH, &error) {
                BlobError::NotFound(_) => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Tries everything that Debrief needs from the bucket.
    pub(super) async fn try_out(&self) -> Result<(), BlobError> {
        let path = Path::from(HEALTH);
        let may = |what: &'static str| {
            move |error: Error| match self.unusable(&error) {
                BlobError::Store(why) => BlobError::Store(format!("{why} (while it was to {what})")),
                other => other,
            }
        };
        self.store.put(&path, "ok".into()).await.map_err(may("write an object"))?;
        self.store.get(&path).await.map_err(may("read an object"))?;
        self.store.list(Some(&path)).try_collect::<Vec<_>>().await.map_err(may("list objects"))?;
        let upload = self.store.create_multipart(&path).await.map_err(may("begin an upload in parts"))?;
        self.store.abort_multipart(&path, &upload).await.map_err(may("end an upload in parts"))?;
        self.store.delete(&path).await.map_err(may("delete an object"))
    }

    /// Ends the uploads that nobody completes any more, and removes objects on their way in that nobody renames any more.
    pub(super) async fn sweep(&self) -> Result<Swept, BlobError> {
        self.presence.sweep().await.map_err(|error| self.unusable(&error))
    }
}

fn client(settings: &BucketSettings, answer_timeout: Duration, retry: Retry) -> Result<Store, BlobError> {
    Ok(PrefixStore::new(whole(settings, answer_timeout, retry)?, settings.prefix.as_str()))
}

/// The bucket without the prefix.
#[cfg(any(test, feature = "testing"))]
pub(super) fn bare(settings: &BucketSettings) -> Result<AmazonS3, BlobError> {
    whole(settings, ANSWER_TIMEOUT, QUICK)
}

fn whole(settings: &BucketSettings, answer_timeout: Duration, retry: Retry) -> Result<AmazonS3, BlobError> {
    let options = ClientOptions::new()
        .with_user_agent(reqwest::header::HeaderValue::from_static(concat!(
            "debrief/",
            env!("CARGO_PKG_VERSION")
        )))
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(answer_timeout)
        // The time of a whole request depends on its length.
        .with_timeout_disabled()
        .with_allow_http(settings.endpoint.as_ref().is_some_and(|url| url.scheme() == "http"));
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(1),
            base: 2.0,
        },
        max_retries: retry.times,
        retry_timeout: retry.within,
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.name)
        .with_region(&settings.region)
        .with_access_key_id(settings.access_key.expose_secret())
        .with_secret_access_key(settings.secret_key.expose_secret())
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
    }
    builder.build().map_err(|error| BlobError::Store(Failure::of(&error).words(settings)))
}
