use domain::analysis::Usage;
use domain::call::CallId;
use domain::moment::Moment;
use store::{Page, PaidSpeech, Settlement, SpeechAttempt, SpeechOutcome, Store, UsageBy, UsageTime, Write};

use crate::databases::{WORKSPACE, arrival, on_both, run, take, take_in};

async fn accepted(store: &Store) -> CallId {
    let arrival = arrival("a", Some("https://r.example.com/a.mp3"));
    take_in(store, &arrival).await;
    arrival.call
}

fn attempt(provider: &str, outcome: SpeechOutcome, paid: Option<PaidSpeech>) -> SpeechAttempt {
    SpeechAttempt {
        provider: provider.into(),
        outcome,
        error_code: (outcome != SpeechOutcome::Transcribed).then(|| "speech_to_text_failed".to_owned()),
        duration_ms: 40,
        paid,
        model: (outcome == SpeechOutcome::Transcribed).then(|| "nova-3".to_owned()),
    }
}

const ALL: Page = Page { offset: 0, limit: 1_000 };

#[tokio::test]
async fn tries_that_ended_the_same_way_share_a_row_and_what_was_paid_is_summed() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let key = run(call, "transcription", 1);
        let (_, claim) = take(&store, key).await;
        for _ in 0..3 {
            let failed = attempt("assemblyai", SpeechOutcome::Failed, None);
            store.record_speech_attempt(&key, &failed).await.unwrap();
        }
        assert_eq!(store.last_paid_transcript(WORKSPACE, call).await.unwrap(), None);
        let paid = PaidSpeech { audio_ms: Some(60_000), cost_usd: Some(0.5), ..PaidSpeech::default() };
        let done = attempt("deepgram", SpeechOutcome::Transcribed, Some(paid));
        let writes = [Write::Transcribed(done)];
        store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();

        let rows = store.speech_attempts(WORKSPACE, call).await.unwrap();
        let read: Vec<_> =
            rows.iter().map(|row| (row.provider.as_str(), row.outcome.as_str(), row.tries)).collect();
        assert_eq!(read, [("assemblyai", "failed", 3), ("deepgram", "transcribed", 1)]);
        assert_eq!((rows[1].audio_ms, rows[1].cost_usd), (Some(60_000), Some(0.5)));
        assert_eq!(store.last_paid_transcript(WORKSPACE, call).await.unwrap(), Some(1));

        let time = UsageTime::default();
        let (calls, total) = store.usage(WORKSPACE, UsageBy::Call, time, ALL).await.unwrap();
        let of_call: Vec<_> = calls.iter().filter(|row| row.name == call.to_string()).collect();
        assert_eq!(i64::try_from(calls.len()).unwrap(), total);
        assert_eq!((of_call.len(), of_call[0].uses, of_call[0].audio_ms), (1, 1, 60_000));
        let (models, _) = store.usage(WORKSPACE, UsageBy::Model, time, ALL).await.unwrap();
        assert!(models.iter().any(|row| row.name == "deepgram/nova-3"), "{models:?}");
    })
    .await;
}

#[tokio::test]
async fn usage_without_a_price_is_counted_and_has_no_cost() {
    on_both(|store| async move {
        let call = accepted(&store).await;
        let (_, claim) = take(&store, run(call, "transcription", 1)).await;
        let usage = Usage { model: "some-model".into(), prompt_tokens: 10, ..Usage::default() };
        let writes = [Write::Usage(usage)];
        store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
        let today = store.now().to_string()[..10].to_owned();
        let (days, _) = store.usage(WORKSPACE, UsageBy::Day, UsageTime::default(), ALL).await.unwrap();
        assert!(days.iter().any(|row| row.name == today && row.unpriced >= 1), "{days:?}");
        let past = UsageTime { to: Some(Moment::from_micros(1)), from: None };
        let none = store.usage_in_all(WORKSPACE, past).await.unwrap();
        assert_eq!((none.uses, none.cost_usd), (0, None));
        assert!(store.usage_in_all(WORKSPACE, UsageTime::default()).await.unwrap().prompt_tokens >= 10);
    })
    .await;
}
