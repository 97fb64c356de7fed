//! Fetches the material of a call for the stage: the bytes of a transcript, or the blob of a recording.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use domain::event::{Material, MaterialAt};
use domain::fault::Fault;
use domain::refusal::{Destination, Refusal};
use futures::future::ready;
use futures::stream::{self, BoxStream};
use futures::{StreamExt as _, TryStreamExt as _};
use media::audio::kind;
use platform::blobs::{BlobError, Blobs};
use platform::fetch::{FetchError, Fetcher};
use platform::seal::{self, Sealer};
use providers::holders::Holders;
use providers::speech::Audio;
use queue_topology::{Cx, StageError, Whom};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::held;

/// The longest transcript, in bytes. The transcript of a whole day has some 2 MB.
const MAX_TRANSCRIPT_BYTES: u64 = 16 * 1024 * 1024;

/// The content of a blob, piece by piece.
type Content = BoxStream<'static, Result<Bytes, BlobError>>;

/// How long a run waits that found no memory to store its recording.
const BUSY_FOR: Duration = Duration::from_secs(10);

/// The object of the paid request for this material in the ledger of effects, and its digest. They are the same whether the
/// provider works on a job or answers at once.
pub(crate) fn ledger_object(material: &Material) -> String {
    format!("transcript:{}", material.digest)
}

pub(crate) fn ledger_digest(target: &str, object: &str) -> String {
    hex::encode(Sha256::digest(format!("{target}\n{object}")))
}

/// Whether an object in the ledger is the paid request for this material, or for a piece of it.
pub(crate) fn is_ledger_object(material: &Material, object: &str) -> bool {
    let whole = ledger_object(material);
    object.strip_prefix(&whole).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Opens the sealed addresses of the installation and fetches its material.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) blobs: Blobs,
    pub(crate) sealer: Sealer,
    pub(crate) fetcher: Fetcher,
    pub(crate) holders: Holders,
    pub(crate) max_audio_bytes: u64,
}

impl Source {
    /// Returns all bytes of a supplied transcript.
    pub(crate) async fn text(&self, cx: &Cx, material: &Material) -> Result<Bytes, StageError> {
        match &material.at {
            MaterialAt::Blob(key) => {
                let bytes = self.blobs.head(key).await.map_err(blob_fault)?;
                cx.room_for(bytes.unwrap_or_default().min(MAX_TRANSCRIPT_BYTES)).await;
                self.blobs.get(key, MAX_TRANSCRIPT_BYTES).await.map_err(blob_fault)
            }
            MaterialAt::SealedUrl(sealed) => {
                let place = held::place(cx, &self.holders, self.open(cx, sealed)?).await?;
                let held = cx.wait_for(Whom::Host(&host(&place.address.url))).await?;
                let fetched = match self.fetcher.document(&place.address).await {
                    Err(error) => self.fetcher.document(&place.elsewhere(cx, &error).await?).await,
                    fetched => fetched,
                };
                let body = fetched.map_err(|error| place.fault(cx, &error))?.body;
                let too_large = || {
                    StageError::permanent(
                        "transcript_too_large",
                        anyhow!("longer than {MAX_TRANSCRIPT_BYTES} bytes"),
                    )
                };
                let text: Vec<u8> = body
                    .map_err(|error| fetch_fault(&error))
                    .try_fold(Vec::new(), |mut all, chunk| async move {
                        all.extend_from_slice(&chunk);
                        if all.len() as u64 > MAX_TRANSCRIPT_BYTES { Err(too_large()) } else { Ok(all) }
                    })
                    .await?;
                drop(held);
                // A host must not hold the room of others while it sends slowly, so the room is taken only now.
                cx.room_for(text.len() as u64).await;
                Ok(Bytes::from(text))
            }
        }
    }

    /// Returns the key of the blob that holds the recording. A recording behind a URL is fetched once.
    pub(crate) async fn recording(&self, cx: &Cx, material: &Material) -> Result<String, StageError> {
        Ok(self.stored(cx, material).await?.key)
    }

    /// Returns the recording as a blob. A recording behind a URL is fetched once.
    pub(crate) async fn stored(&self, cx: &Cx, material: &Material) -> Result<StoredRecording, StageError> {
        let sealed = match &material.at {
            MaterialAt::Blob(key) => {
                let (key, sha256_hex) = (key.clone(), Some(material.digest.clone()));
                return Ok(StoredRecording { key, sha256_hex });
            }
            MaterialAt::SealedUrl(sealed) => sealed,
        };
        let key = format!("recordings/{}/{}", cx.run.call, material.digest);
        let mut sha256_hex = None;
        if self.blobs.head(&key).await.map_err(blob_fault)?.is_none() {
            let place = held::place(cx, &self.holders, self.open(cx, sealed)?).await?;
            let held = cx.wait_for(Whom::Host(&host(&place.address.url))).await?;
            let fetched = match self.fetcher.recording(&place.address, kind::other_kind).await {
                Err(error) => {
                    let elsewhere = place.elsewhere(cx, &error).await?;
                    self.fetcher.recording(&elsewhere, kind::other_kind).await
                }
                fetched => fetched,
            };
            let fetched = fetched.map_err(|error| place.fault(cx, &error))?;
            let stored =
                self.blobs.put_stream(&key, fetched.body, self.max_audio_bytes).await.map_err(blob_fault)?;
            tracing::debug!(bytes = stored.bytes, "fetched the recording");
            drop(held);
            sha256_hex = Some(stored.sha256_hex);
            place.add_facts(cx).await?;
        }
        Ok(StoredRecording { key, sha256_hex })
    }

    /// Opens the recording for a provider.
    pub(crate) async fn audio(&self, key: &str, material: &Material) -> Result<Opened, StageError> {
        let (bytes, body) = self.blobs.get_stream(key).await.map_err(blob_fault)?;
        let (mut body, broken) = noting(body);
        let head = match body.next().await {
            Some(Ok(head)) => head,
            Some(Err(error)) => return Err(broken.or(error)),
            None => Bytes::new(),
        };
        let media_type = kind::media_type(&head).map(str::to_owned).or_else(|| declared(material));
        let body = stream::once(ready(Ok(head))).chain(body).boxed();
        Ok(Opened { audio: Audio { bytes, media_type, body }, broken })
    }

    /// Opens a sealed address.
    pub(crate) fn open(&self, cx: &Cx, sealed: &str) -> Result<String, StageError> {
        self.sealer
            .open(&seal::of_call(cx.run.workspace, cx.run.call), sealed)
            .map_err(|error| StageError::permanent("recording_url_sealed_by_another_key", error))
    }
}

/// A recording in a blob.
pub(crate) struct StoredRecording {
    pub(crate) key: String,
    /// The digest of its bytes. `None` where an earlier run fetched it.
    pub(crate) sha256_hex: Option<String>,
}

/// A recording that a provider can be sent.
pub(crate) struct Opened {
    pub(crate) audio: Audio,
    /// What to ask when the provider did not get all of it.
    pub(crate) broken: Broken,
}

/// The media type that the source named, if it can stand in a request.
fn declared(material: &Material) -> Option<String> {
    let is_sendable = |name: &&str| {
        name.contains('/')
            && name.len() < 100
            && name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    material.media_type.as_deref().filter(is_sendable).map(str::to_owned)
}

/// The error that broke the content of a blob off, if one did.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<Mutex<Option<BlobError>>>);

impl Broken {
    /// The fault of a request that was to send the blob. Where the blob broke off, that is the reason and not the provider.
    pub(crate) fn instead_of(self, refusal: Refusal) -> StageError {
        let broken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        broken.map_or_else(|| refusal.into(), blob_fault)
    }

    /// The fault of a blob that broke off with `seen`, which may be only the text of the error.
    fn or(self, seen: BlobError) -> StageError {
        let broken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        blob_fault(broken.unwrap_or(seen))
    }
}

/// The same content, whose error is noted when it breaks off. The one who sends it sees only that it did.
fn noting(body: Content) -> (Content, Broken) {
    let broken = Broken::default();
    let noted = broken.clone();
    let body = body.map_err(move |error| {
        let text = error.to_string();
        *noted.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        BlobError::Store(text)
    });
    (body.boxed(), broken)
}

/// The host of an address, which has a share of the places in which runs wait.
fn host(url: &str) -> String {
    let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| "nowhere".to_owned())
}

fn fetch_fault(error: &FetchError) -> StageError {
    error.refusal().into()
}

pub(crate) fn blob_fault(error: BlobError) -> StageError {
    match error {
        BlobError::Source(source) => match source.downcast::<FetchError>() {
            Ok(error) => fetch_fault(&error),
            Err(source) => StageError::transient("recording_fetch_failed", BlobError::Source(source)),
        },
        BlobError::TooLarge { .. } => StageError::permanent("material_too_large", error),
        BlobError::NotFound(_) | BlobError::BadKey(_) => StageError::permanent("material_not_found", error),
        BlobError::Busy => StageError::new(Fault::Throttled(BUSY_FOR), "blobs_busy", error),
        BlobError::Store(_) => StageError::unavailable(Destination::BLOBS, "blobs_unavailable", error),
    }
}

#[cfg(test)]
mod tests {
    use domain::event::MaterialKind;
    use domain::refusal::{Code, Codes, Failure, Remote};

    use super::*;

    const REMOTE: Remote = Remote {
        destination: Destination::named("somebody"),
        title: "Somebody",
        advice: "check SOMEBODY_KEY",
        codes: Codes {
            unreachable: Code::new("unreachable"),
            no_answer: Code::new("no_answer"),
            too_long: Code::new("too_long"),
            account: Code::new("account"),
            throttled: Code::new("throttled"),
            failed: Code::new("failed"),
            refused: Code::new("refused"),
        },
        default_wait: Duration::from_secs(10),
    };

    #[test]
    fn a_media_type_that_cannot_stand_in_a_request_is_not_sent() {
        let of = |name: &str| {
            let kind = MaterialKind::Recording;
            let at = MaterialAt::Blob("b".into());
            declared(&Material {
                kind,
                digest: "d".into(),
                at,
                media_type: Some(name.into()),
                starts_at: None,
            })
        };
        assert_eq!(of("audio/mpeg; codecs=mp3").as_deref(), Some("audio/mpeg; codecs=mp3"));
        assert_eq!((of("audio"), of("audio/\nmpeg")), (None, None));
    }

    #[tokio::test]
    async fn a_blob_that_breaks_off_while_it_is_sent_is_no_failure_of_the_provider() {
        let refused = || {
            let failure = Failure::Lost { problem: "the connection broke".into() };
            Refusal::of(&REMOTE, &failure)
        };
        let cut = stream::iter([Ok(Bytes::new()), Err(BlobError::Store("the bucket is gone".into()))]);
        let (body, broken) = noting(cut.boxed());
        assert_eq!(body.filter_map(async |piece| piece.err()).count().await, 1);
        let error = broken.instead_of(refused());
        assert_eq!(
            (error.fault, error.code, error.destination),
            (Fault::Unavailable, "blobs_unavailable", Some(Destination::BLOBS))
        );

        let (body, broken) = noting(stream::iter([Ok(Bytes::new())]).boxed());
        assert_eq!(body.count().await, 1);
        assert_eq!(broken.instead_of(refused()).code, "no_answer");
    }
}
