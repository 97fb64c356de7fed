//! What was measured in recordings.

use domain::audio::{AudioFacts, ChannelFacts, ChannelLayout, Interval, MeasuredAudio, Waveform};
use domain::call::WorkspaceId;
use domain::note::Note;
use store::{Settlement, Write};

use crate::databases::{WORKSPACE, arrival, on_both, run, take, take_in};

fn measured(container: &str) -> MeasuredAudio {
    let channel = ChannelFacts {
        speech: vec![Interval { start_ms: 120, end_ms: 900 }],
        speech_ms: 780,
        loudness_lufs: Some(-21.5),
        peak: 0.75,
        ..ChannelFacts::default()
    };
    MeasuredAudio {
        facts: AudioFacts {
            container: container.to_owned(),
            codec: "pcm_16".to_owned(),
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
async fn what_was_measured_is_read_by_its_own_workspace_alone_and_a_newer_run_replaces_it() {
    on_both(|store| async move {
        let arrival = arrival("a", Some("https://r.example.com/a.mp3"));
        take_in(&store, &arrival).await;
        let call = arrival.call;
        assert_eq!(store.audio_facts(WORKSPACE, call).await.unwrap(), None);
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let writes = [Write::Audio(Box::new(measured("wav"))), Write::Audio(Box::new(measured("flac")))];
        store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
        let wanted = measured("flac");
        assert_eq!(store.audio_facts(WORKSPACE, call).await.unwrap(), Some(wanted.facts));
        assert_eq!(store.waveform(WORKSPACE, call).await.unwrap(), Some(wanted.waveform));
        let other = WorkspaceId(uuid::Uuid::from_u128(9));
        assert_eq!(store.audio_facts(other, call).await.unwrap(), None);
        assert_eq!(store.waveform(other, call).await.unwrap(), None);
    })
    .await;
}
