//! How the whole call goes into the pipeline.

use domain::event::{Kept, MaterialKind};
use domain::transcript::Transcript;
use media::audio::Decoder;

use crate::world::{World, notes, voice, wav};

/// The length of a WAV file in milliseconds, and its channels.
fn length(file: &[u8]) -> (usize, usize) {
    let mut decoder = Decoder::open(std::io::Cursor::new(file.to_vec())).unwrap();
    let channels = decoder.probed().channels;
    let mut frames = 0;
    while let Some(block) = decoder.next_block().unwrap() {
        frames += block.frames();
    }
    (frames / 16, channels)
}

#[tokio::test]
async fn the_end_is_an_arrival_with_the_recording_and_with_what_was_transcribed() {
    let world = World::new().await;
    world.says(&["Good morning.", "Goodbye."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 1_500, 1_500)), &[("sequence", "0"), ("speaker", "agent")]).await;
    world.piece("s-1", &wav(&voice(2, 1_500, 500)), &[("sequence", "1"), ("speaker", "customer")]).await;
    world.end("s-1").await;
    let arrival = world.arrival().await;
    assert_eq!((arrival.source.as_str(), arrival.external_id.as_str()), ("live", "s-1"));
    let recording = world.material(&arrival, MaterialKind::Recording).await;
    assert_eq!(length(&recording), (5_000, 1));
    let transcript: Transcript =
        serde_json::from_slice(&world.material(&arrival, MaterialKind::Transcript).await).unwrap();
    let said: Vec<_> =
        transcript.segments.iter().map(|segment| (segment.label(), segment.text.as_str())).collect();
    assert_eq!(said, [("agent".into(), "Good morning."), ("customer".into(), "Goodbye.")]);
    assert!(notes(&arrival).is_empty());
    assert_eq!(world.paid_requests().await, 2);
    let Kept::Inline(details) = &arrival.details else { panic!("the details are in a blob") };
    assert_eq!(details.duration_ms, Some(5_000));
    let again = world.end("s-1").await;
    assert_eq!(again.body["audio_files_count"], 2);
    assert_eq!(world.paid_requests().await, 2, "to end twice is to end once");
    assert_eq!(world.arrived.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_gap_is_waited_for_and_then_named_and_a_late_piece_is_in_the_recording() {
    let world = World::with(&[("LIVE_GAP", "400ms")]).await;
    world.says(&["Something."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 900, 100)), &[("sequence", "0")]).await;
    world.piece("s-1", &wav(&voice(2, 900, 100)), &[("sequence", "3")]).await;
    world
        .until("the gap is given up", async |world: &World| {
            let summary = world.get("/api/calls/s-1/summary").await.body;
            (summary["analytics"]["total_duration"].as_f64()? > 1.9).then_some(())
        })
        .await;
    world.piece("s-1", &wav(&voice(3, 900, 100)), &[("sequence", "1")]).await;
    world.end("s-1").await;
    let arrival = world.arrival().await;
    let codes: Vec<String> = notes(&arrival).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["live_pieces_missing", "live_pieces_late"]);
    assert!(notes(&arrival)[0].1.contains("1 to 2"), "{:?}", notes(&arrival));
    let recording = world.material(&arrival, MaterialKind::Recording).await;
    assert_eq!(length(&recording).0, 3_000, "nothing that was acknowledged is missing");
}

#[tokio::test]
async fn each_channel_of_a_session_is_a_channel_of_its_recording() {
    let world = World::new().await;
    world.says(&["Something."]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 900, 100)), &[("channel", "0")]).await;
    world.piece("s-1", &wav(&voice(2, 1_900, 100)), &[("channel", "1")]).await;
    world.end("s-1").await;
    let arrival = world.arrival().await;
    let recording = world.material(&arrival, MaterialKind::Recording).await;
    assert_eq!(length(&recording), (2_000, 2));
}

#[tokio::test]
async fn a_damaged_piece_is_named_and_does_not_hold_up_the_call() {
    let world = World::new().await;
    world.says(&["Something."]).await;
    world.start("s-1").await;
    let mut damaged = b"fLaC".to_vec();
    damaged.extend([0xff; 100]);
    assert_eq!(world.piece("s-1", &damaged, &[("sequence", "0")]).await.status, 200);
    world.piece("s-1", &wav(&voice(2, 900, 100)), &[("sequence", "1")]).await;
    world.end("s-1").await;
    let arrival = world.arrival().await;
    assert_eq!(notes(&arrival)[0].0, "live_pieces_unreadable");
}

#[tokio::test]
async fn without_a_provider_the_recording_goes_into_the_pipeline_alone() {
    let world = World::with(&[("LOCAL_SPEECH_BASE_URL", "")]).await;
    world.start("s-1").await;
    world.piece("s-1", &wav(&voice(1, 900, 900)), &[]).await;
    world.end("s-1").await;
    let arrival = world.arrival().await;
    let kinds: Vec<_> = arrival.materials.iter().map(|material| material.kind).collect();
    assert_eq!(kinds, [MaterialKind::Recording]);
}
