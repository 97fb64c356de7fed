//! Both brokers do what the suite says, and each what is its own; and the crates depend on each other one
//! way only.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod delivery;
mod embedded;
mod layers;
mod rabbitmq;
mod replays;

/// One test for each of the suite's, run by `$run`.
macro_rules! suite {
    ($run:path) => {
        $crate::suite! { $run:
            what_was_published_is_there_after_a_restart,
            what_was_acknowledged_is_gone_after_a_restart,
            a_message_arrives_as_it_was_sent,
            an_event_reaches_each_of_its_consumers_and_a_wake_up_only_one,
            order_is_kept_for_one_consumer,
            a_backlog_is_delivered_in_order,
            many_publishers_at_once_lose_nothing,
            what_was_dropped_unsettled_is_delivered_again,
            what_a_process_held_when_it_ended_is_delivered_again,
            what_is_rejected_ends_in_the_dead_queue,
            depth_counts_what_nobody_holds_and_who_consumes,
            nobody_holds_more_than_the_prefetch,
            the_bulk_lane_is_a_queue_of_its_own,
            a_stopping_worker_finishes_what_is_in_hand_and_gives_back_the_rest,
            what_no_queue_takes_is_refused,
            a_queue_that_does_not_exist_is_named,
            purging_leaves_what_somebody_holds,
            declaring_again_changes_nothing,
            a_closed_broker_says_so_and_its_consumers_end,
        }
    };
    ($run:path: $($name:ident,)+) => {
        mod suite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    $run(async |site| queue_topology::broker::suite::$name(site).await).await;
                }
            )+
        }
    };
}
pub(crate) use suite;
