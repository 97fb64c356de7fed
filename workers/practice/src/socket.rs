//! A conversation over a WebSocket: `WS /api/conversation/ws/{meeting_id}`.
//!
//! The salesperson writes or speaks, and hears the answer while it is made. She can interrupt: the voice stops at once, and only what
//! was played counts as said. "Mm" and "yes, yes" do not interrupt.

mod message;
mod talker;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::{IntoResponse as _, Response};
use store::MeetingStatus;
use web::{Door, Problem};

use crate::kept::plan_of;
use crate::meetings::find;
use crate::request::{Answer, Id, conflict};
use crate::state::Practice;
use talker::Talker;

/// The largest message of a client: a second of sound is some 100 kB at most, and a browser may send more at a time.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why a conversation is closed from our side.
struct Closing {
    code: u16,
    why: String,
}

impl Closing {
    fn normal(why: impl Into<String>) -> Self {
        Self { code: close_code::NORMAL, why: why.into() }
    }

    /// The other side did not keep to the protocol.
    fn protocol(why: impl Into<String>) -> Self {
        Self { code: close_code::PROTOCOL, why: why.into() }
    }

    /// The other side may not do this.
    fn policy(why: impl Into<String>) -> Self {
        Self { code: close_code::POLICY, why: why.into() }
    }

    /// We cannot go on, and the other side may come again.
    fn again(why: impl Into<String>) -> Self {
        Self { code: close_code::AGAIN, why: why.into() }
    }
}

/// A conversation in a meeting, in text and in sound.
///
/// The client sends `message {text}`, `audio_chunk {data, is_speaking, sample_rate?}` or binary sound, `interrupt {played_ms?, text?}`,
/// `ping` and `disconnect`. Back come `connected`, `transcription`, `ai_thinking`, `ai_response_text`, `ai_audio`, `interrupted`,
/// `turn_saved`, `pong` and `error`.
#[utoipa::path(get, path = "/api/conversation/ws/{meeting_id}", operation_id = "practiceConversation", tag = "practice", security(("key" = ["operate"])),
    params(("meeting_id" = String, Path, description = "The id of the meeting")),
    responses((status = 101, description = "A WebSocket: each message is a JSON object with a `type`"),
        (status = 404, description = "There is no such meeting", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The meeting has not begun, or is over", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn socket(State(practice): State<Practice>, request: Request) -> Answer<Response> {
    let (mut head, _) = request.into_parts();
    let who = practice.access.admit(Door::Practise, &head).await?;
    let Id(id) = Id::from_request_parts(&mut head, &practice).await?;
    let meeting = find(&practice, &who, id).await?;
    match meeting.status {
        MeetingStatus::Active => {}
        MeetingStatus::Pending => return Err(conflict("the meeting has not begun; start it first")),
        MeetingStatus::Completed => return Err(conflict("the meeting is over")),
    }
    let plan = plan_of(&meeting)?;
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut head, &practice).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return Ok(rejection.into_response()),
    };
    let talking = move |socket| async move {
        let mut talker = Talker::new(socket, practice, who.workspace, head, (meeting, plan));
        let closing = talker.run().await;
        close(talker.leave(), closing).await;
    };
    Ok(upgrade.max_message_size(MAX_MESSAGE_BYTES).on_upgrade(talking))
}

/// Closes a conversation and says why. A reason has at most 123 bytes.
async fn close(mut socket: WebSocket, closing: Closing) {
    let mut why = closing.why;
    while why.len() > 120 {
        why.pop();
    }
    let frame = CloseFrame { code: closing.code, reason: why.into() };
    // Whoever is gone need not be told.
    socket.send(Message::Close(Some(frame))).await.ok();
}
