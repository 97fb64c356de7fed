//! The list of all faults.

use crate::fault::Fault;
use crate::{
    bounds, broker, clocks, cluster, crowds, databases, failpoints, kills, live, poison, processes,
    providers, redis, replays, topology, unanswered_requests, upgrades,
};

/// Returns every fault, in the order in which they are played.
pub(crate) fn all() -> impl Iterator<Item = &'static Fault> {
    [
        broker::FAULTS,
        cluster::FAULTS,
        topology::FAULTS,
        kills::FAULTS,
        live::FAULTS,
        failpoints::FAULTS,
        processes::FAULTS,
        clocks::FAULTS,
        poison::FAULTS,
        bounds::FAULTS,
        databases::FAULTS,
        redis::FAULTS,
        providers::FAULTS,
        unanswered_requests::FAULTS,
        replays::FAULTS,
        crowds::FAULTS,
        upgrades::FAULTS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_a_deployment_to_be_played_on() {
        let names: BTreeSet<&str> = all().map(|fault| fault.name).collect();
        assert_eq!(names.len(), all().count());
        assert!(all().all(|fault| !fault.kinds.is_empty()));
        assert!(
            names
                .iter()
                .all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
    }
}
