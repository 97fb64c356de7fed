use domain::audio::{AudioFacts, ChannelFacts, ChannelLayout, Interval, MeasuredAudio, Waveform};
use domain::event::MaterialAt;
use domain::note::Note;
use serde_json::{Value, json};
use store::Write;

use crate::world::{World, recording, transcript};

fn measured() -> MeasuredAudio {
    let channel = ChannelFacts {
        speech: vec![Interval { start_ms: 120, end_ms: 900 }],
        speech_ms: 780,
        loudness_lufs: Some(-21.5),
        peak: 0.75,
        ..ChannelFacts::default()
    };
    MeasuredAudio {
        facts: AudioFacts {
            container: "wav".into(),
            codec: "mulaw".into(),
            sample_rate: 8_000,
            duration_ms: 1_000,
            layout: ChannelLayout::Mono,
            channels: vec![channel],
            speech_ms: 780,
            silence_ms: 220,
            notes: vec![Note::new("audio_too_short", "The recording is only 1 second long.")],
        },
        waveform: Waveform { bucket_ms: 10, channels: vec![vec![0, 128, 255]] },
    }
}

#[tokio::test]
async fn a_call_shows_what_was_measured_in_its_recording_and_its_outline_is_a_resource_of_its_own() {
    let world = World::new().await;
    let id = world.arrived("CALL-1", vec![recording(MaterialAt::SealedUrl("s".into()))]).await;
    assert_eq!(world.json(&format!("/api/calls/{id}")).await["audio"], Value::Null);
    world.get(&format!("/api/calls/{id}/waveform")).await.is_problem(404);

    let claim = world.begin(id, "transcription", 1).await;
    let writes = [Write::Transcript(transcript()), Write::Audio(Box::new(measured()))];
    world.end(&claim, &writes, &["analysis"]).await;
    let call = world.json(&format!("/api/calls/{id}")).await;
    let channel = json!({"speech": [[120, 900]], "speech_ms": 780, "music_ms": 0, "loudness_lufs": -21.5,
        "speech_dbfs": null, "peak": 0.75});
    let wanted = json!({"container": "wav", "codec": "mulaw", "sample_rate": 8_000, "duration_ms": 1_000,
        "layout": "mono", "channels": [channel], "speech_ms": 780, "silence_ms": 220});
    assert_eq!(call["audio"], wanted);
    assert_eq!(call["notes"][0]["code"], "audio_too_short");
    let waveform = world.json(&format!("/api/calls/{id}/waveform")).await;
    assert_eq!(waveform, json!({"bucket_ms": 10, "channels": [[0, 128, 255]]}));
    world.get("/api/calls/nobody/waveform").await.is_problem(404);
}
