//! Several providers in their order: who is asked, who is paid, and what a run does when nobody answers.

mod world;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::fault::Fault;
use domain::refusal::Failure;
use providers::speech::{Progress, SpeechJobs, SpeechToText};
use queue_topology::Outcome;
use store::{Page, UsageBy, UsageTime};
use world::*;

#[tokio::test]
async fn when_the_first_is_down_the_second_makes_the_transcript_and_each_gets_one_request() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [down()]);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    let (transcript, made) = kept(&cx);
    assert_eq!((transcript.segments[0].text.as_str(), made.provider.as_str()), ("Hello.", "second"));
    assert_eq!((first.asked(), second.asked()), (1, 1));
    let told: Vec<_> = world
        .attempts(&cx)
        .await
        .into_iter()
        .map(|row| (row.provider, row.outcome, row.error_code))
        .collect();
    let code = Some("speech_to_text_unreachable".to_owned());
    assert_eq!(told, [("first".to_owned(), "unavailable".to_owned(), code)]);
    // The run is done again, as after a crash right before its end: what was paid for is used.
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!((first.asked(), second.asked()), (1, 1));
}

#[tokio::test]
async fn the_first_is_asked_again_when_it_is_back_and_last_until_then() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [down(), says("From the first.")]);
    let second = AtOnce::new(&SECOND, [says("One."), says("Two.")]);
    let both = || vec![once(&first), once(&second)];
    let stage = world.stage_with(both(), |settings| settings.away_for = Duration::from_hours(1));
    for (call, asked) in [("one", (1, 1)), ("two", (1, 2))] {
        assert_eq!(handle(&stage, &world.arrives(call).await).await.unwrap(), DONE);
        assert_eq!((first.asked(), second.asked()), asked, "{call}");
    }
    // Another process does not know that the first was away.
    let cx = world.arrives("three").await;
    assert_eq!(handle(&world.stage(both()), &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).1.provider, "first");
}

#[tokio::test]
async fn when_all_are_down_the_run_is_parked_for_whichever_is_back_first() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [down(), down()]);
    let second = AtOnce::new(&SECOND, [status(401, None), says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.destination.as_deref()), (Fault::Unavailable, Some("speech_to_text")));
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE, "the second is back");
    assert_eq!(kept(&cx).1.provider, "second");
}

#[tokio::test]
async fn a_replay_after_a_fallback_pays_nothing_and_the_cost_stands_once() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [down()]);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    let again = world.replayed(&cx).await;
    assert_eq!(handle(&stage, &again).await.unwrap(), DONE);
    let last = world.replayed(&again).await;
    assert_eq!((first.asked(), second.asked()), (1, 1));
    let made: Vec<_> = world.attempts(&last).await;
    let costs: Vec<_> = made.iter().map(|row| (row.generation, row.outcome.as_str(), row.cost_usd)).collect();
    assert_eq!(costs, [(1, "unavailable", None), (1, "transcribed", Some(0.3)), (2, "transcribed", None)]);
    let page = Page { offset: 0, limit: 10 };
    let (sums, _) = world.store.usage(WORKSPACE, UsageBy::Model, UsageTime::default(), page).await.unwrap();
    assert_eq!((sums.len(), sums[0].name.as_str(), sums[0].uses), (1, "second/a-model", 1));
    assert_eq!((sums[0].audio_ms, sums[0].cost_usd), (30_000, Some(0.3)));
}

#[tokio::test]
async fn a_provider_that_refused_the_recording_is_not_asked_again_in_this_generation() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [status(400, None)]);
    let second = AtOnce::new(&SECOND, [status(503, None), says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Transient, "speech_to_text_failed"));
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!((first.asked(), second.asked()), (1, 2));
}

#[tokio::test]
async fn a_recording_that_nobody_takes_ends_the_run() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [status(400, None)]);
    let second = AtOnce::new(&SECOND, [status(415, None)]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let error = handle(&stage, &world.arrives("call").await).await.unwrap_err();
    assert_eq!((error.fault, error.code), (Fault::Permanent, "speech_to_text_refused"));
}

#[tokio::test]
async fn a_provider_without_room_is_waited_for_unless_that_takes_long() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [status(429, Some(7)), status(429, Some(600))]);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!(error.fault, Fault::Throttled(Duration::from_secs(7)));
    assert_eq!(second.asked(), 0);
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).1.provider, "second");
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_once_more_before_the_next_is_asked() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [status(500, None), status(500, None)]);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap_err().fault, Fault::Transient);
    assert_eq!(second.asked(), 0, "the first may have been paid");
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!((first.asked(), second.asked()), (2, 1));
    assert_eq!(world.attempts(&cx).await[0].tries, 2);
}

#[tokio::test]
async fn an_answer_that_nobody_can_read_leads_to_the_next_provider() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [says("garbled")]);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).1.provider, "second");
    assert_eq!(world.attempts(&cx).await[0].error_code.as_deref(), Some("transcription_unreadable"));
}

#[tokio::test]
async fn a_failure_of_our_own_asks_no_second_provider() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, []);
    let second = AtOnce::new(&SECOND, []);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    world.blobs.delete("call").await.unwrap();
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!(error.code, "material_not_found");
    assert!(world.attempts(&cx).await.is_empty());
}

fn job(provider: &Arc<Jobs>) -> SpeechToText {
    SpeechToText::Job(Arc::clone(provider) as Arc<dyn SpeechJobs>)
}

#[tokio::test]
async fn a_job_that_was_paid_for_is_waited_for_while_its_provider_is_away() {
    let world = World::new().await;
    let away = || Err(Failure::NotSent { problem: "refused".into() });
    let done = || Ok(Progress::Done(Bytes::from_static(b"Hello.")));
    let first = Jobs::new(Duration::from_hours(3), [Ok(Progress::Running), away(), done()]);
    let second = AtOnce::new(&SECOND, []);
    let stage = world.stage(vec![job(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert!(matches!(handle(&stage, &cx).await.unwrap(), Outcome::Later(_)));
    let error = handle(&stage, &cx).await.unwrap_err();
    assert_eq!((error.fault, error.destination.as_deref()), (Fault::Unavailable, Some("first")));
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!((*first.submitted.lock().unwrap(), second.asked()), (1, 0));
    // The answer is kept, so a replay looks at no job.
    let again = world.replayed(&cx).await;
    assert_eq!(handle(&stage, &again).await.unwrap(), DONE);
}

#[tokio::test]
async fn a_job_that_is_over_its_deadline_is_not_waited_for() {
    let world = World::new().await;
    let away = Err(Failure::NotSent { problem: "refused".into() });
    let first = Jobs::new(Duration::ZERO, [away]);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![job(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).1.provider, "second");
}

#[tokio::test]
async fn an_answer_that_was_paid_for_is_read_after_its_provider_was_turned_off() {
    let world = World::new().await;
    let answer = r#"{"metadata":{"duration":2.0},"results":{"channels":[{}],"utterances":[
        {"start":0,"end":1.5,"transcript":"Hello.","speaker":0,"channel":0}]}}"#;
    let deepgram = AtOnce::new(&DEEPGRAM, [says(answer)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&world.stage(vec![once(&deepgram)]), &cx).await.unwrap(), DONE);
    let again = world.replayed(&cx).await;
    let second = AtOnce::new(&SECOND, []);
    assert_eq!(handle(&world.stage(vec![once(&second)]), &again).await.unwrap(), DONE);
    let (transcript, made) = kept(&again);
    assert_eq!((made.provider.as_str(), made.paid), ("deepgram", None));
    assert_eq!(transcript.segments[0].text, "Hello.");
}

#[tokio::test]
async fn a_recording_that_is_too_long_is_transcribed_in_pieces_and_each_is_paid_for_once() {
    let world = World::new().await;
    let provider = AtOnce::taking(&FIRST, Some(10), [says("Good morning."), down(), says("Good bye.")]);
    let stage = world.stage(vec![once(&provider)]).cutting_with(Arc::new(InTwo));
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap_err().fault, Fault::Unavailable);
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    let sent: Vec<Vec<u8>> = provider.asked.lock().unwrap().iter().map(|(audio, _)| audio.clone()).collect();
    assert_eq!(sent, [b"piece one", b"piece two", b"piece two"]);
    assert!(provider.asked.lock().unwrap().iter().all(|(_, wanted)| wanted.channels == Some(1)));
    let (transcript, made) = kept(&cx);
    let read: Vec<_> =
        transcript.segments.iter().map(|segment| (segment.text.as_str(), segment.start_ms)).collect();
    assert_eq!(read, [("Good morning.", Some(0)), ("Good bye.", Some(5_000))]);
    assert_eq!(made.paid.unwrap().audio_ms, Some(60_000));
    assert!(transcript.notes.iter().any(|note| note.code == "transcribed_in_pieces"));
    // A replay reads the kept answers of the pieces, and needs neither the audio nor the cutter.
    let stage = world.stage(vec![once(&provider)]);
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(provider.asked(), 3);
}

#[tokio::test]
async fn where_a_recording_that_is_too_long_cannot_be_cut_the_next_provider_gets_it() {
    let world = World::new().await;
    let first = AtOnce::taking(&FIRST, Some(10), []);
    let second = AtOnce::new(&SECOND, [says("Hello.")]);
    let stage = world.stage(vec![once(&first), once(&second)]);
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    let code = world.attempts(&cx).await[0].error_code.clone();
    assert_eq!(code.as_deref(), Some("transcription_recording_uncut"));
}

#[tokio::test]
async fn the_call_says_that_nobody_spoke_and_the_words_of_the_call_go_along() {
    let world = World::new().await;
    let provider = AtOnce::new(&FIRST, [says("")]);
    let stage = world.stage_with(vec![once(&provider)], |settings| {
        settings.words = vec!["Acme Cloud".into()];
        settings.language = Some("en".into());
    });
    let cx = world.arrives("call").await;
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
    assert_eq!(kept(&cx).0.notes[0].code, "no_words_heard");
    let wanted = provider.asked.lock().unwrap()[0].1.clone();
    assert_eq!(wanted.words, ["Dana Ortiz", "Acme Cloud"]);
    assert_eq!(wanted.language.as_deref(), Some("en"));
}

#[tokio::test]
async fn a_wait_for_the_room_of_the_only_provider_is_no_event_of_the_timeline() {
    let world = World::new().await;
    let first = AtOnce::new(&FIRST, [status(429, Some(7))]);
    let stage = world.stage(vec![once(&first)]);
    let cx = world.arrives("call").await;
    assert!(handle(&stage, &cx).await.is_err());
    assert!(world.attempts(&cx).await.is_empty(), "a wait for the only provider is no event");
    first.will_say(says("Hello."));
    assert_eq!(handle(&stage, &cx).await.unwrap(), DONE);
}
