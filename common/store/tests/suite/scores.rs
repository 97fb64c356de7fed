//! Tests what calls are worth in the store.

use serde_json::json;
use store::{NewScore, Settlement, Write};

use crate::databases::{WORKSPACE, arrival, on_both, run, take, take_in};

fn score(name: &str, overall: i64) -> NewScore {
    NewScore { name: name.into(), version: 1, overall, card: json!({"criteria": [], "nul": "\u{0}"}) }
}

#[tokio::test]
async fn the_scores_of_a_newer_generation_take_the_place_of_all_older_ones() {
    on_both(|store| async move {
        let mut arrived = arrival("a", Some("one"));
        arrived.details.agent_name = Some("Dana".into());
        for (generation, scores, expected) in [
            (1, vec![score("sales", 40), score("bant", 10)], vec![("bant", 10), ("sales", 40)]),
            (2, vec![score("sales", 60)], vec![("sales", 60)]),
        ] {
            let mut again = arrival("a", Some(&format!("recording {generation}")));
            again.details = arrived.details.clone();
            take_in(&store, &again).await;
            let (_, claim) = take(&store, run(arrived.call, "transcription", generation)).await;
            let writes = [Write::Scores(scores)];
            store.settle_run(&claim, &Settlement::Done { writes: &writes, children: &[] }).await.unwrap();
            let kept = store.call_scores(WORKSPACE, arrived.call).await.unwrap();
            let kept: Vec<_> = kept.iter().map(|row| (row.name.as_str(), row.overall)).collect();
            assert_eq!(kept, expected);
        }
        let of_dana = store.scores_of_agent(WORKSPACE, "sales", "Dana").await.unwrap();
        assert_eq!(of_dana.iter().map(|row| row.overall).collect::<Vec<_>>(), [60]);
        assert_eq!(store.scores_of_agent(WORKSPACE, "sales", "Robin").await.unwrap(), []);
        assert_eq!(store.scores_of_agent(WORKSPACE, "bant", "Dana").await.unwrap(), []);
        let other = domain::call::WorkspaceId(uuid::Uuid::from_u128(9));
        assert!(store.scores_of_agent(other, "sales", "Dana").await.unwrap().is_empty());
        assert!(store.call_scores(other, arrived.call).await.unwrap().is_empty());
    })
    .await;
}
