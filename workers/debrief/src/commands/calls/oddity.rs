//! Describes in sentences what is odd about a call, and what a person can do about it.

use api::view::{EffectView, StageView, TimelineView};
use chrono_tz::Tz;
use domain::blank::given;
use domain::call::{Call, CallStatus};
use domain::note::Note;
use store::{DeadLetter, EffectState, RunState};

use super::super::print;

/// Returns lines for each thing that is not as it should be. They describe it, and name a command where one helps.
/// The list is empty where all is well.
pub(super) fn oddities(
    call: &Call,
    timeline: &TimelineView,
    letters: &[DeadLetter],
    notes: &[Note],
    timezone: Tz,
) -> Vec<String> {
    let mut odd: Vec<String> =
        call.details.notes.iter().chain(notes).map(|note| format!("• {}", note.text)).collect();
    if call.details.started_at.is_none()
        && let Some(text) = given(call.details.started_text.as_ref())
    {
        odd.push(format!("• The source's time \"{text}\" cannot be read as a time; it is kept as text."));
    }
    if call.status == CallStatus::NoRecording {
        odd.push(
            "• The source announced the call and sent neither a recording nor a transcript. A later delivery can \
             bring one; the call then goes on by itself."
                .to_owned(),
        );
    }
    for run in &timeline.stages {
        odd.extend(of_stage(call, run, letters, timezone));
    }
    odd.extend(timeline.effects.iter().flat_map(of_effect));
    odd
}

fn of_stage(call: &Call, run: &StageView, letters: &[DeadLetter], timezone: Tz) -> Vec<String> {
    let stage = run.stage.as_str();
    let code = run.error_code.as_deref();
    let is = |state: RunState| run.state == state.name();
    if is(RunState::Dead) {
        let code = code.unwrap_or("no reason is recorded");
        let letter = letters.iter().find(|letter| letter.stage == run.stage);
        let text = letter.map(|letter| format!(" ({})", letter.error_text)).unwrap_or_default();
        let attempts =
            if run.attempts > 1 { format!(" after {} attempts", run.attempts) } else { String::new() };
        let advice = advice(code);
        vec![
            format!("• {stage} was given up{attempts}: {code}{text}. {advice} Then do it again:"),
            format!("  debrief replay --call {} --from {stage}", call.id),
        ]
    } else if is(RunState::Parked) {
        let code = code.unwrap_or("no reason is recorded");
        let destination = run.waits_for.as_deref().unwrap_or("something outside");
        let advice = advice(code);
        vec![format!("• {stage} waits for {destination}: {code}. {advice} It goes on by itself.")]
    } else if is(RunState::Waiting)
        && let Some(code) = code
    {
        let next = run.next_try_at.map(|at| format!(" It is tried again at {}.", print::time(at, timezone)));
        vec![format!("• {stage} failed so far: {code}.{}", next.unwrap_or_default())]
    } else {
        Vec::new()
    }
}

fn of_effect(effect: &EffectView) -> Vec<String> {
    let (target, object) = (&effect.target, &effect.object);
    let code = effect.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
    match effect.state.parse().ok() {
        Some(EffectState::Unknown) => vec![
            format!(
                "• {target}: nobody knows whether \"{object}\" arrived{code}. We ask where that is possible. If it stays \
                 so, look there yourself, and say that it arrived, or have it sent again with --resend:"
            ),
            format!("  debrief effects resolve {} --sent", effect.id),
        ],
        Some(EffectState::NotSent) => vec![format!("• {target}: \"{object}\" did not arrive{code}.")],
        Some(EffectState::Outdated) => vec![format!(
            "• {target}: \"{object}\" says what was true before, and it cannot be changed there."
        )],
        Some(EffectState::Confirmed | EffectState::Intent) | None => Vec::new(),
    }
}

/// What somebody can do about an error code.
fn advice(code: &str) -> String {
    match code {
        "speech_to_text_not_configured" => format!("Set {}.", providers::speech::keys()),
        code => standing_advice(code).to_owned(),
    }
}

/// The advice that is the same in every installation.
fn standing_advice(code: &str) -> &'static str {
    match code {
        "recording_not_found" | "recording_gone" => {
            "The recording is not at its address. Have the source send the call again with a new address, or upload \
             the recording."
        }
        "recording_forbidden" => {
            "The address of the recording refuses us. Set the credentials of its source (for Exotel: EXOTEL_API_KEY \
             and EXOTEL_API_TOKEN)."
        }
        "recording_url_refused" => {
            "We do not fetch from this address. DEBRIEF_ALLOW_PRIVATE_FETCH allows addresses in a private network."
        }
        "recording_url_sealed_by_another_key" => {
            "Set DEBRIEF_SEAL_KEY to the key with which the call was brought in."
        }
        "recording_not_audio" | "recording_empty" => {
            "The file at the address is not a recording. Have the source send the call again with the right address."
        }
        "recording_too_large" | "material_too_large" | "transcript_too_large" => {
            "The file is too large. DEBRIEF_MAX_UPLOAD_MB sets how large a recording may be."
        }
        "transcript_unreadable" | "session_unreadable" => {
            "The file cannot be read as a transcript. Have the source send it again."
        }
        "speech_to_text_refuses_account" => {
            "Look at the key and at the account of the provider that the message names."
        }
        "speech_to_text_refused" => {
            "The provider does not take the request, and the message says why. If it names no setting, look whether the \
             recording can be played."
        }
        "transcription_refused" => {
            "The provider does not take this recording. Look whether it can be played."
        }
        "transcription_unreadable" => {
            "The provider's answer cannot be read. It is kept, and another provider in SPEECH may do better."
        }
        "transcription_timed_out" => {
            "The provider did not finish the recording. Replay the call, or name another in SPEECH."
        }
        "transcription_recording_uncut" => {
            "The recording is too large for the provider and cannot be cut. Name a provider in SPEECH that takes larger ones."
        }
        "speech_to_text_answer_too_long" => "The recording is too long for this provider's answer. Split it.",
        "model_unauthorized" => "Look at OPENAI_API_KEY.",
        "model_quota_exceeded" => "Look at the budget of the model's account.",
        "model_not_found" => "Look at OPENAI_MODEL and OPENAI_BASE_URL.",
        "model_refused" | "model_answer_filtered" | "model_answer_invalid" | "model_answer_cut_short" => {
            "The model gave no usable answer. Another OPENAI_MODEL may give one."
        }
        "slack_no_service" => "Check SLACK_WEBHOOK_URL: Slack does not know this address any more.",
        "slack_missing_scope" => "Give the bot the scope that `debrief check --connect` names.",
        "slack_channel_not_found" | "slack_channel_is_archived" => "Check SLACK_CHANNEL.",
        "slack_not_in_channel" => "Invite the bot to the channel that SLACK_CHANNEL names.",
        "call_data_id_missing" => "Set CRM_CAMPAIGN_ID, CRM_VOICE_AGENT_ID and CRM_CLIENT_ID.",
        "call_data_forbidden" | "call_data_refused" => {
            "Check CRM_UPLOAD_URL, and read the answer of the API in the message."
        }
        "salesforce_quota_used_up" => "Salesforce takes no more requests today.",
        "poison" => {
            "The process ended three times while it worked on this call. Keep the log of that time for the people who look for the cause."
        }
        "blobs_unavailable" => "Check whether the data folder can be read and written.",
        _ if code.ends_with("_unreachable") || code.ends_with("_no_answer") => {
            "The destination did not answer; `debrief check --connect` tries it."
        }
        _ if code.ends_with("_throttled") || code.ends_with("_rate_limited") => {
            "The destination asked for fewer requests."
        }
        _ if code.starts_with("slack_") => {
            "Check SLACK_BOT_TOKEN or SLACK_WEBHOOK_URL; `debrief check --connect` tries the bot."
        }
        _ if code.starts_with("salesforce_") => {
            "Look at the SALESFORCE_ settings and at the rights of their user; `debrief check --connect` tries them."
        }
        _ => "Read the message and mend what it names.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_advice_is_whole_sentences() {
        for code in [
            "recording_gone",
            "speech_to_text_not_configured",
            "slack_invalid_auth",
            "slack_no_answer",
            "salesforce_throttled",
            "salesforce_refused_login",
            "panicked",
        ] {
            let advice = advice(code);
            assert!(advice.ends_with('.') && advice.starts_with(char::is_uppercase), "{code}: {advice}");
        }
    }
}
