//! The processes of a deployment, as people see them.

use std::time::Duration;

use store::{InstanceId, Process};

use crate::databases::{arrival, on_both, run, take, take_in};

#[tokio::test]
async fn a_process_says_what_it_is_and_how_much_it_holds() {
    on_both(|store| async move {
        let arrival = arrival("a", Some("https://r.example.com/a.mp3"));
        take_in(&store, &arrival).await;
        let (_, claim) = take(&store, run(arrival.call, "transcription", 1)).await;
        let process = Process {
            host: "worker-1".into(),
            version: "0.9.0".into(),
            roles: vec!["keeper".into(), "transcription".into()],
        };
        store.describe_instance(claim.owner, &process).await.unwrap();
        let silent = InstanceId::new();
        store.renew_instance(silent, Duration::from_mins(1)).await.unwrap();

        let listed = store.instances().await.unwrap();
        let of = |id: InstanceId| listed.iter().find(|one| one.id == id.0).unwrap();
        let told = of(claim.owner);
        assert_eq!(
            (&*told.host, &*told.version, &*told.roles),
            ("worker-1", "0.9.0", "keeper transcription")
        );
        assert_eq!(told.runs, 1);
        assert_eq!((&*of(silent).host, of(silent).runs), ("", 0));
    })
    .await;
}

#[tokio::test]
async fn a_process_that_ended_without_a_word_is_listed_for_a_day_and_then_forgotten() {
    on_both(|store| async move {
        let now = InstanceId::new();
        store.renew_instance(now, Duration::ZERO).await.unwrap();
        assert_eq!(store.forget_ended_instances().await.unwrap(), 0);
        assert_eq!(store.instances().await.unwrap().len(), 1);
        store.end_instance(now).await.unwrap();
        assert!(store.instances().await.unwrap().is_empty());
    })
    .await;
}
