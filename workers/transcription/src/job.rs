//! Transcribes a recording with a provider that works on a job. The audio is uploaded, the job is submitted once, and
//! the run comes back later to look at the job. No delivery of the broker is held while the provider works. The answer
//! for a job that is done is kept.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use domain::moment::Moment;
use platform::http;
use providers::speech::{GivenUp, Notify, Progress, SpeechJobs, Wanted, Webhook};
use queue_topology::{Cx, Effect, Receipt, Scope, StageError, Unknown, Whom};
use store::EffectState;
use url::Url;
use uuid::Uuid;

use crate::kept;
use crate::material;
use crate::recording::{Heard, Made, Recording};

/// Returns the transcript of a recording, or how long to wait for it.
pub(crate) async fn heard(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechJobs>,
) -> Result<Heard, StageError> {
    let cx = recording.cx;
    let kept_at = recording.kept_at(&provider.remote().destination);
    let notify =
        recording.public.zip(provider.webhook()).and_then(|(public, webhook)| notify(cx, public, webhook));
    let mut job = Submission { provider: provider.as_ref(), recording, uploaded: None, notify };
    let submitted = submitted(cx, &job).await?;
    if submitted.is_some()
        && let Some(answer) = kept::answer(recording, &kept_at).await?
    {
        return made(recording, provider, answer).await;
    }
    if submitted.is_none() {
        job.uploaded = Some(upload(recording, provider.as_ref()).await?);
    }
    let receipt = cx.once(&job).await?;
    let age = submitted.map_or(Duration::ZERO, |submitted| cx.now().since(submitted));
    let title = provider.remote().title;
    let progress = {
        let _held = cx.wait_for(Whom::Provider(&provider.remote().destination)).await?;
        provider.look(&receipt.remote_id).await?
    };
    match progress {
        Progress::Done(answer) => {
            let stored = recording.source.blobs.put(&kept_at, answer.clone()).await;
            stored.map_err(material::blob_fault)?;
            made(recording, provider, answer).await
        }
        Progress::Running if age < provider.deadline() => Ok(Heard::Later(provider.look_again_after(age))),
        Progress::Running => {
            // The old job is forgotten, so that a replay makes a new one.
            cx.void(&job).await?;
            Err(StageError::permanent(
                "transcription_timed_out",
                anyhow!("{title} has worked for {} minutes", age.as_secs() / 60),
            ))
        }
        Progress::Failed(given_up) => {
            cx.void(&job).await?;
            Err(failed(title, &given_up))
        }
        Progress::Unknown => {
            cx.void(&job).await?;
            Err(StageError::transient("transcription_lost", anyhow!("{title} does not know the job")))
        }
    }
}

async fn made(
    recording: &Recording<'_>,
    provider: &Arc<dyn SpeechJobs>,
    answer: bytes::Bytes,
) -> Result<Heard, StageError> {
    let provider = Arc::clone(provider);
    let reading = kept::read(recording, answer, move |answer| provider.read(answer)).await?;
    Ok(Heard::Transcript(Made { transcript: reading.transcript, used: reading.used }))
}

/// The uploaded audio, as the provider names it, and what is known about it.
struct Uploaded {
    name: String,
    wanted: Wanted,
}

async fn upload(recording: &Recording<'_>, provider: &dyn SpeechJobs) -> Result<Uploaded, StageError> {
    let Recording { cx, source, material, .. } = recording;
    let key = source.recording(cx, material).await?;
    let _held = cx.wait_for(Whom::Provider(&provider.remote().destination)).await?;
    let opened = source.audio(&key, material).await?;
    let name = provider.upload(opened.audio).await.map_err(|refusal| opened.broken.instead_of(refusal))?;
    Ok(Uploaded { name, wanted: recording.wanted.clone() })
}

/// The address at which the provider tells us that a job is done. The message proves nothing and only wakes this
/// stage.
fn notify(cx: &Cx, public: &Url, webhook: Webhook) -> Option<Notify> {
    let mut url = Url::parse(&http::join(public, webhook.path)).ok()?;
    url.query_pairs_mut()
        .append_pair("workspace", &cx.run.workspace.to_string())
        .append_pair("call", &cx.run.call.to_string())
        .append_pair("generation", &cx.run.generation.to_string());
    Some(Notify { url: url.into(), header: webhook.header, secret: webhook.secret })
}

/// The effect for the job at the provider. There is one for each recording.
struct Submission<'a> {
    provider: &'a dyn SpeechJobs,
    recording: &'a Recording<'a>,
    /// The uploaded audio. `None` where the ledger says that the job was submitted.
    uploaded: Option<Uploaded>,
    notify: Option<Notify>,
}

impl Effect for Submission<'_> {
    fn target(&self) -> &str {
        &self.provider.remote().destination
    }

    fn scope(&self) -> Scope {
        Scope::Call
    }

    fn object(&self) -> String {
        material::ledger_object(self.recording.material)
    }

    fn digest(&self) -> String {
        material::ledger_digest(self.target(), &self.object())
    }

    /// What to do when nobody can say whether the job was submitted. It is submitted again, because a second job
    /// costs some cents, and a call without a transcript costs more.
    fn unknown(&self) -> Unknown {
        Unknown::Resend
    }

    fn timeout(&self) -> Duration {
        self.provider.submit_timeout()
    }

    async fn send(&self, _key: Uuid, _prior: Option<&str>) -> Result<Receipt, StageError> {
        let uploaded = self.uploaded.as_ref().ok_or_else(|| {
            StageError::transient("transcription_lost", anyhow!("the job was declared void meanwhile"))
        })?;
        let Uploaded { name, wanted } = uploaded;
        let remote_id = self.provider.submit(name, wanted, self.notify.as_ref()).await?;
        Ok(Receipt { remote_id, replaced: None })
    }
}

/// When the job was made. `None` where the ledger knows no job, and only then audio is uploaded. The ledger still
/// decides whether a job is submitted.
async fn submitted(cx: &Cx, job: &Submission<'_>) -> Result<Option<Moment>, StageError> {
    let effects = cx.store.effects_of(cx.run.workspace, cx.run.call).await?;
    let confirmed = effects.into_iter().find(|row| {
        row.target == job.target() && row.object == job.object() && row.state == EffectState::Confirmed.name()
    });
    Ok(confirmed.map(|row| row.updated_at))
}

fn failed(title: &str, given_up: &GivenUp) -> StageError {
    let why = anyhow!("{title} gave up: {}", given_up.reason);
    if given_up.for_good {
        StageError::permanent("transcription_refused", why)
    } else {
        StageError::transient("transcription_failed", why)
    }
}
