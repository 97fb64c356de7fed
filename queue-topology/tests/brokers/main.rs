//! Both brokers pass the same suite, and each has tests of its own. Deliveries and replays are tested on them, and so are
//! the directions in which crates and files use each other.

#![expect(clippy::unwrap_used, reason = "what a test cannot set up ends it")]

mod bounds;
mod circles;
mod delivery;
mod embedded;
mod layers;
mod rabbitmq;
mod replays;

/// Makes one test of each test of the suite. `$run` runs it.
macro_rules! suite {
    ($run:path) => {
        $crate::suite! { $run:
            a_published_message_is_there_after_a_restart,
            an_acknowledged_message_is_gone_after_a_restart,
            a_message_arrives_as_it_was_sent,
            an_event_reaches_each_of_its_consumers_and_a_wake_up_only_one,
            order_is_kept_for_one_consumer,
            a_backlog_is_delivered_in_order,
            many_publishers_at_once_lose_no_message,
            a_message_that_is_dropped_unsettled_is_delivered_again,
            a_message_that_a_process_held_when_it_ended_is_delivered_again,
            a_rejected_message_goes_to_the_dead_queue,
            the_depth_counts_the_messages_that_nobody_holds_and_the_consumers,
            a_consumer_holds_no_more_than_its_prefetch,
            the_bulk_lane_is_a_queue_of_its_own,
            a_worker_that_stops_finishes_what_it_holds_and_gives_back_the_rest,
            a_message_that_no_queue_takes_is_refused,
            a_queue_that_does_not_exist_is_named,
            a_purge_leaves_the_messages_that_somebody_holds,
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
