//! Feeds damaged bodies and files to what reads the answers of speech providers, the bodies of telephony providers, the
//! webhooks of Zoom and the file of agents. It takes the same arguments as the fuzzer of recordings and transcripts:
//!
//! ```text
//! cargo run -p ingest --features testing --example fuzz_bodies -- --seconds 60
//! cargo run -p ingest --features testing --example fuzz_bodies -- --only agents --seed 7 --first 1234 --count 1
//! ```

#[path = "../../../common/media/examples/fuzz/harness.rs"]
mod harness;

use std::path::PathBuf;
use std::process::ExitCode;

use chrono_tz::Tz;
use futures::executor::block_on;
use ingest::sources::{is_telephony, zoom};
use platform::config::{Installation, Values};
use providers::speech;

/// The name of each target and a valid input.
const TARGETS: [(&str, &str); 12] = [
    (
        "assemblyai",
        r#"{"id": "t", "status": "completed", "text": "Hi. Yes.", "language_code": "en_us", "audio_duration": 4, "utterances": [{"speaker": "A", "text": "Hi.", "start": 100, "end": 900, "confidence": 0.9, "channel": "1", "words": [{"text": "Hi.", "start": 100, "end": 900, "confidence": 0.9, "speaker": "A"}]}], "words": [{"text": "Hi.", "start": 100, "end": 900, "speaker": "A"}]}"#,
    ),
    (
        "deepgram",
        r#"{"metadata": {"request_id": "r", "duration": 4.5, "channels": 2}, "results": {"channels": [{"detected_language": "en", "alternatives": [{"transcript": "hi", "confidence": 0.9, "words": [{"word": "hi", "punctuated_word": "Hi.", "start": 0.5, "end": 0.9, "confidence": 0.9, "speaker": 0}]}]}], "utterances": [{"speaker": 0, "channel": 1, "start": 0.25, "end": 1.0, "transcript": "Yes.", "confidence": 0.5}]}}"#,
    ),
    (
        "elevenlabs",
        r#"{"language_code": "eng", "text": "Hi.", "audio_duration_secs": 4.5, "words": [{"text": "Hi.", "start": 0.1, "end": 0.4, "type": "word", "speaker_id": "speaker_0", "logprob": -0.1}, {"text": " ", "type": "spacing"}], "transcripts": []}"#,
    ),
    (
        "openai",
        r#"{"task": "transcribe", "duration": 4.5, "text": "Hi.", "segments": [{"type": "transcript.text.segment", "id": "seg_0", "start": 0.0, "end": 1.0, "text": "Hi.", "speaker": "A"}], "usage": {"type": "tokens", "input_tokens": 10, "output_tokens": 3, "total_tokens": 13}}"#,
    ),
    (
        "local",
        r#"{"language": "english", "duration": "4.5", "text": "Hi.", "segments": [{"id": 0, "start": 0.0, "end": 1.0, "text": " Hi.", "avg_logprob": -0.1}], "words": [{"word": "Hi.", "start": 0.1, "end": 0.9}]}"#,
    ),
    (
        "agents.csv",
        "phone,name,slack_handle,email,department,team\n+12025550111,\"Dana \"\"D\"\" Ortiz\",@dana,dana@example.com,Sales,A\n",
    ),
    (
        "agents.json",
        r#"{"_comment": "ours", "+12025550111": {"name": "Dana Ortiz", "slack_handle": "@dana", "department": "Sales"}, "020 7946 0123": "Imre"}"#,
    ),
    (
        "form",
        "CallSid=CALL-1&From=09876543210&To=08030752522&Direction=outbound-api&Status=completed&StartTime=2026-01-18+10%3A47%3A05&EndTime=1970-01-01+05%3A30%3A00&ConversationDuration=48&RecordingUrl=https%3A%2F%2Fexample.com%2Fa.mp3&digits=%221%22&Legs=%5B%7B%22OnCallDuration%22%3A%223%22%7D%5D&RecordingSid=RE1&RecordingStartTime=Sun%2C+18+Jan+2026+05%3A17%3A05+%2B0000&RecordingDuration=64",
    ),
    (
        "multipart",
        "--edge\r\nContent-Disposition: form-data; name=\"CallSid\"\r\n\r\nCALL-1\r\n--edge\r\nContent-Disposition: form-data; name=\"Status\"\r\n\r\ncompleted\r\n--edge\r\nContent-Disposition: form-data; name=\"Legs\"\r\n\r\n[{\"Id\":1}]\r\n--edge--\r\n",
    ),
    (
        "callback.json",
        r#"{"CallSid": "CALL-1", "RecordingSid": "RE1", "From": 9876543210, "Status": "completed", "StartTime": "2026-01-18 10:47:05", "ConversationDuration": "48", "Legs": [{"Id": 1}], "RecordingUrl": "https://example.com/a.mp3"}"#,
    ),
    (
        "zoom",
        r#"{"uuid": "/a//b==", "id": 123, "account_id": "a", "host_email": "p@example.com", "topic": "Pilot", "start_time": "2026-01-18T05:17:05Z", "timezone": "Asia/Kolkata", "duration": 45, "recording_files": [{"id": "f", "meeting_id": "m", "recording_start": "2026-01-18T05:17:05Z", "recording_end": "2026-01-18T06:00:00Z", "file_type": "M4A", "file_extension": "M4A", "recording_type": "audio_only", "recording_type": "audio_only", "status": "completed", "download_url": "https://zoom.us/rec/a?token=s"}, {"id": "t", "file_type": "TRANSCRIPT", "file_extension": "VTT", "download_url": "https://zoom.us/rec/t"}], "participant_audio_files": []}"#,
    ),
    (
        "zoom-participants",
        r#"{"uuid": "u", "participants": [{"name": "Priya", "email": "p@example.com", "role": "host"}, null, "Tom", 7, {"user_name": 1}]}"#,
    ),
];

fn main() -> ExitCode {
    let targets = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    harness::main(&harness::Fuzzer { targets, corpus, read })
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let own = TARGETS.iter().filter(|(name, _)| *name == target);
    own.chain(&TARGETS).map(|(_, input)| input.as_bytes().to_vec()).collect()
}

fn read(target: &str, input: Vec<u8>) {
    let is_read = match target {
        "form" => block_on(is_telephony("application/x-www-form-urlencoded", input)),
        "multipart" => block_on(is_telephony("multipart/form-data; boundary=edge", input)),
        "callback.json" => block_on(is_telephony("application/json", input)),
        "agents.csv" | "agents.json" => agents(&input),
        "zoom" | "zoom-participants" => {
            web::parse(&input).is_ok_and(|body| zoom::arrivals(body, Some("token"), Tz::UTC).is_ok())
        }
        provider => speech::reader(provider).is_some_and(|read| read(&input).is_ok()),
    };
    std::hint::black_box(is_read);
}

fn agents(input: &[u8]) -> bool {
    let path: PathBuf = std::env::temp_dir().join(format!("debrief-fuzz-{}.agents", std::process::id()));
    if std::fs::write(&path, input).is_err() {
        return false;
    }
    let values = Values::of([("AGENTS_FILE", path.to_str().unwrap_or_default())]);
    let is_read = Installation::read(&values).is_ok();
    std::fs::remove_file(&path).is_ok() && is_read
}
