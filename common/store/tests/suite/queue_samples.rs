//! How much work the stages had over time.

use std::time::Duration;

use domain::moment::Moment;
use store::{QueueSample, SampleSpan};

use crate::databases::on_both;

/// 2026-11-30T12:00:00Z.
fn noon() -> Moment {
    Moment::from_micros(1_796_040_000_000_000)
}

const MINUTE: Duration = Duration::from_mins(1);

fn sample(due: i64, consumers: i64) -> QueueSample {
    QueueSample {
        stage: "slack".into(),
        depth: Some(due),
        consumers: Some(consumers),
        due,
        oldest_due_ms: due * 1000,
        ..QueueSample::default()
    }
}

#[tokio::test]
async fn the_first_keeper_of_a_minute_writes_it_and_the_others_write_nothing() {
    on_both(|store| async move {
        let measured = [sample(4, 2)];
        let (first, second) = tokio::join!(
            store.keep_queue_samples(noon().plus(Duration::from_secs(3)), &measured),
            store.keep_queue_samples(noon().plus(Duration::from_secs(9)), &measured),
        );
        assert!(first.unwrap() ^ second.unwrap(), "exactly one of them writes");
        assert!(store.keep_queue_samples(noon().plus(MINUTE), &[sample(1, 2)]).await.unwrap());
        let kept = store.queue_samples(SampleSpan::Minute, noon()).await.unwrap();
        let kept: Vec<_> = kept.iter().map(|row| (row.at, row.due)).collect();
        assert_eq!(kept, [(noon(), 4), (noon().plus(MINUTE), 1)]);
    })
    .await;
}

#[tokio::test]
async fn ten_minutes_hold_their_worst_minute() {
    on_both(|store| async move {
        for (minutes, one) in [(1, sample(2, 3)), (2, sample(9, 0)), (3, sample(1, 3)), (12, sample(5, 1))] {
            store.keep_queue_samples(noon().plus(MINUTE * minutes), &[one]).await.unwrap();
        }
        let unknown = QueueSample { depth: None, consumers: None, ..sample(0, 0) };
        store.keep_queue_samples(noon().plus(MINUTE * 4), &[unknown]).await.unwrap();
        let kept = store.queue_samples(SampleSpan::TenMinutes, noon()).await.unwrap();
        let kept: Vec<_> =
            kept.iter().map(|row| (row.at, row.due, row.depth, row.consumers, row.oldest_due_ms)).collect();
        assert_eq!(
            kept,
            [(noon(), 9, Some(9), Some(0), 9000), (noon().plus(MINUTE * 10), 5, Some(5), Some(1), 5000)]
        );
    })
    .await;
}

#[tokio::test]
async fn minutes_are_kept_for_a_day_and_ten_minutes_for_a_week() {
    on_both(|store| async move {
        let hours = |hours: u64| noon().plus(Duration::from_hours(hours));
        for at in [0, 30, 7 * 24 + 1] {
            store.keep_queue_samples(hours(at), &[sample(1, 1)]).await.unwrap();
        }
        let at = async |span| -> Vec<Moment> {
            let kept = store.queue_samples(span, noon()).await.unwrap();
            kept.iter().map(|row| row.at).collect()
        };
        assert_eq!(at(SampleSpan::Minute).await, [hours(169)]);
        assert_eq!(at(SampleSpan::TenMinutes).await, [hours(30), hours(169)]);
    })
    .await;
}
