//! Lists Slack's words for what went wrong, and what each word means. A word means the same when we post a message
//! and when we look for one.

use std::time::Duration;

use domain::fault::Fault;
use domain::refusal::{Code, Failure, Refusal, Sent};

use super::REMOTE;

pub(super) const MISSING_SCOPE: Code = Code::new("slack_missing_scope");
pub(super) const NOT_IN_CHANNEL: Code = Code::new("slack_not_in_channel");
pub(super) const CHANNEL_NOT_FOUND: Code = Code::new("slack_channel_not_found");
pub(super) const THREAD_GONE: Code = Code::new("slack_thread_gone");

const ACCESS_DENIED: Code = Code::new("slack_access_denied");
const ACCOUNT_INACTIVE: Code = Code::new("slack_account_inactive");
const INVALID_AUTH: Code = Code::new("slack_invalid_auth");
const NO_SERVICE: Code = Code::new("slack_no_service");
const ACTION_PROHIBITED: Code = Code::new("slack_action_prohibited");
const CHANNEL_IS_ARCHIVED: Code = Code::new("slack_channel_is_archived");
const INVALID_PAYLOAD: Code = Code::new("slack_invalid_payload");
const MESSAGE_GONE: Code = Code::new("slack_message_gone");
const MESSAGE_TOO_LONG: Code = Code::new("slack_message_too_long");

/// Words that say that our credentials or the webhook cannot be used.
const ACCOUNT: [(&str, Code); 18] = [
    ("access_denied", ACCESS_DENIED),
    ("account_inactive", ACCOUNT_INACTIVE),
    ("ekm_access_denied", ACCESS_DENIED),
    ("enterprise_is_restricted", ACCESS_DENIED),
    ("invalid_auth", INVALID_AUTH),
    ("invalid_token", INVALID_AUTH),
    ("missing_scope", MISSING_SCOPE),
    ("no_active_hooks", NO_SERVICE),
    ("no_permission", ACCESS_DENIED),
    ("no_service", NO_SERVICE),
    ("no_service_id", NO_SERVICE),
    ("no_team", NO_SERVICE),
    ("not_allowed_token_type", INVALID_AUTH),
    ("not_authed", INVALID_AUTH),
    ("org_login_required", ACCESS_DENIED),
    ("team_disabled", ACCOUNT_INACTIVE),
    ("token_expired", Code::new("slack_token_expired")),
    ("token_revoked", Code::new("slack_token_revoked")),
];

/// Words about this message or this channel. Another try would get the same word.
const MESSAGE: [(&str, Code); 18] = [
    ("action_prohibited", ACTION_PROHIBITED),
    ("as_user_not_supported", REMOTE_REJECTED),
    ("cannot_reply_to_message", THREAD_GONE),
    ("cant_update_message", MESSAGE_GONE),
    ("channel_is_archived", CHANNEL_IS_ARCHIVED),
    ("channel_not_found", CHANNEL_NOT_FOUND),
    ("edit_window_closed", MESSAGE_GONE),
    ("invalid_blocks", INVALID_PAYLOAD),
    ("invalid_payload", INVALID_PAYLOAD),
    ("is_archived", CHANNEL_IS_ARCHIVED),
    ("is_inactive", MESSAGE_GONE),
    ("message_not_found", MESSAGE_GONE),
    ("msg_too_long", MESSAGE_TOO_LONG),
    ("no_text", INVALID_PAYLOAD),
    ("posting_to_general_channel_denied", ACTION_PROHIBITED),
    ("restricted_action", ACTION_PROHIBITED),
    ("thread_not_found", THREAD_GONE),
    ("user_not_found", CHANNEL_NOT_FOUND),
];
const REMOTE_REJECTED: Code = Code::new("slack_rejected");

/// Words that ask us to wait.
const WAIT: [&str; 3] = ["ratelimited", "rate_limited", "message_limit_exceeded"];
/// Words after which the work may have been done in part, as Slack says.
const UNCLEAR: [&str; 5] =
    ["internal_error", "fatal_error", "service_unavailable", "request_timeout", "rollup_error"];

/// The refusal for one of Slack's words. `None` for a word that we do not know.
pub(super) fn meaning(word: &str, retry_after: Option<Duration>) -> Option<Refusal> {
    if WAIT.contains(&word) {
        return Some(Refusal::of(&REMOTE, &Failure::Status { status: 429, retry_after, said: None }));
    }
    if UNCLEAR.contains(&word) {
        let refusal = Refusal::of(&REMOTE, &Failure::Lost { problem: format!("it says `{word}`") });
        return Some(Refusal { retry_after, ..refusal });
    }
    // The word is not about this message. The run continues after somebody has invited the bot.
    if word == "not_in_channel" {
        let text = "the bot is not in the channel (`not_in_channel`): invite the bot to the channel";
        return Some(refusal(Fault::Unavailable, NOT_IN_CHANNEL, text));
    }
    let code = |words: &[(&str, Code)]| words.iter().find(|(known, _)| *known == word).map(|found| found.1);
    if let Some(code) = code(&ACCOUNT) {
        let text = format!("it refuses us (`{word}`): {}", REMOTE.advice);
        return Some(refusal(Fault::Unavailable, code, &text));
    }
    code(&MESSAGE).map(|code| {
        let text = match code {
            CHANNEL_NOT_FOUND => {
                format!("it finds no such channel (`{word}`): check SLACK_CHANNEL, and invite the bot if it is private")
            }
            _ => format!("it rejects the message (`{word}`)"),
        };
        refusal(Fault::Permanent, code, &text)
    })
}

/// The refusal for an answer whose word stands in no list.
pub(super) fn rejected(said: &str) -> Refusal {
    refusal(Fault::Permanent, REMOTE_REJECTED, &format!("it rejects the request ({said})"))
}

/// The refusal for a token without the scope `needed`.
pub(super) fn missing_scope(needed: &str) -> Refusal {
    let text = format!(
        "the token lacks a scope (`missing_scope`, needed: {needed}): give it to the app, and install the app again"
    );
    refusal(Fault::Unavailable, MISSING_SCOPE, &text)
}

fn refusal(fault: Fault, code: Code, what: &str) -> Refusal {
    Refusal {
        fault,
        code,
        destination: REMOTE.destination.clone(),
        retry_after: None,
        sent: Sent::No,
        text: format!("failed to use Slack: {what}"),
    }
}
