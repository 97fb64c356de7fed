//! What the providers of voices share: how they send a line, and what their failures are called.

use std::sync::OnceLock;
use std::time::Duration;

use domain::refusal::{Code, Codes, Failure, Refusal, Remote};
use futures::{StreamExt as _, stream};
use platform::http::{self, HttpError};
use reqwest::{Client, RequestBuilder};

use super::{MAX_SOUND_BYTES, Sound};
use crate::requests::counted_stream;

/// The names that failures have, whichever provider fails.
pub(super) const CODES: Codes = Codes {
    unreachable: Code::new("voice_unreachable"),
    no_answer: Code::new("voice_failed"),
    too_long: Code::new("voice_answer_too_long"),
    account: Code::new("voice_refuses_account"),
    throttled: Code::new("voice_throttled"),
    failed: Code::new("voice_failed"),
    refused: Code::new("voice_refused"),
};

/// How long one line may take. Somebody waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The client of a provider, made when it is used for the first time. It keeps its connections, so only the first line waits for
/// one.
#[derive(Default)]
pub(super) struct LazyClient(OnceLock<Client>);

impl LazyClient {
    pub(super) fn get(&self) -> &Client {
        self.0.get_or_init(|| http::client(TIMEOUT))
    }
}

/// Sends the paid request, and gives its sound as it comes.
pub(super) async fn sound(
    name: &'static str,
    remote: &'static Remote,
    request: RequestBuilder,
    refusal: impl Fn(&HttpError) -> Refusal,
) -> Result<Sound, Refusal> {
    let sent = counted_stream(name, http::send_for_stream(request)).await;
    let pieces = sent.map_err(|error| refusal(&error))?;
    let sound = stream::unfold((pieces, 0_u64, false), move |(mut pieces, bytes, is_over)| async move {
        if is_over {
            return None;
        }
        match pieces.next().await? {
            Ok(piece) => {
                let bytes = bytes + piece.len() as u64;
                if bytes > MAX_SOUND_BYTES {
                    let failure = Failure::TooLong { max_bytes: MAX_SOUND_BYTES };
                    return Some((Err(Refusal::of(remote, &failure)), (pieces, bytes, true)));
                }
                Some((Ok(piece), (pieces, bytes, false)))
            }
            Err(error) => Some((Err(Refusal::of(remote, &error.failure(None))), (pieces, bytes, true))),
        }
    });
    Ok(sound.boxed())
}
