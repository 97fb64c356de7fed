//! Decides whether somebody may try to sign in, from the failures before.
//!
//! Three counts work together. One address that tries one account is slowed down soon. An account that is tried from many
//! addresses is slowed down, too, but not for an address from which its owner signed in before: so nobody can lock an owner
//! out for ever. An address that tries many accounts is slowed down whatever the accounts are.

use std::time::Duration;

/// How far back failures count.
pub const COUNTED_WITHIN: Duration = Duration::from_mins(15);
/// How many wrong passwords one address may try for one account before it has to wait.
const FREE_FROM_ONE_ADDRESS: u32 = 5;
/// How many wrong passwords all addresses together may try for one account.
const FREE_FOR_ONE_ACCOUNT: u32 = 20;
/// How many wrong passwords one address may try for all accounts together. Many people can share an address.
const FREE_FOR_ONE_NETWORK: u32 = 50;
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// Failures of the last [`COUNTED_WITHIN`] that are counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub count: u32,
    /// How long ago the newest one was.
    pub newest_ago: Duration,
}

/// The failures before a try.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// For this account, from this address.
    pub of_both: Count,
    /// For this account, from everywhere.
    pub of_account: Count,
    /// From this address, for every account.
    pub of_network: Count,
    /// Whether the account was signed in to from this address before.
    pub network_is_known: bool,
}

/// How long the next try has to wait. `None` where it may be made now.
pub fn wait(failures: &Failures) -> Option<Duration> {
    [
        left(failures.of_both, FREE_FROM_ONE_ADDRESS),
        left(failures.of_account, FREE_FOR_ONE_ACCOUNT).filter(|_| !failures.network_is_known),
        left(failures.of_network, FREE_FOR_ONE_NETWORK),
    ]
    .into_iter()
    .flatten()
    .max()
}

fn left(failures: Count, free: u32) -> Option<Duration> {
    let over = failures.count.checked_sub(free)?;
    // The wait doubles with each failure, up to the time after which failures do not count any more.
    let wait = FIRST_WAIT.saturating_mul(1 << over.min(10)).min(COUNTED_WITHIN);
    wait.checked_sub(failures.newest_ago).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(of_both: u32, of_account: u32, of_network: u32) -> Failures {
        let count = |count| Count { count, newest_ago: Duration::ZERO };
        Failures {
            of_both: count(of_both),
            of_account: count(of_account),
            of_network: count(of_network),
            network_is_known: false,
        }
    }

    #[test]
    fn a_few_mistakes_cost_no_time_and_then_each_costs_twice_as_much() {
        assert_eq!(wait(&after(0, 0, 0)), None);
        assert_eq!(wait(&after(4, 4, 4)), None);
        assert_eq!(wait(&after(5, 5, 5)), Some(Duration::from_secs(10)));
        assert_eq!(wait(&after(6, 6, 6)), Some(Duration::from_secs(20)));
        assert_eq!(wait(&after(40, 40, 40)), Some(COUNTED_WITHIN));
    }

    #[test]
    fn who_has_waited_may_try_again() {
        let waited = |seconds| {
            let of_both = Count { count: 5, newest_ago: Duration::from_secs(seconds) };
            Failures { of_both, ..Failures::default() }
        };
        assert_eq!(wait(&waited(9)), Some(Duration::from_secs(1)));
        assert_eq!(wait(&waited(10)), None);
        let attacked_meanwhile = Failures { of_account: after(0, 500, 0).of_account, ..waited(10) };
        assert_eq!(wait(&Failures { network_is_known: true, ..attacked_meanwhile }), None);
    }

    #[test]
    fn many_addresses_that_try_one_account_do_not_lock_its_owner_out() {
        let attacked = after(0, 500, 0);
        assert_eq!(wait(&attacked), Some(COUNTED_WITHIN), "an address that is not known has to wait");
        assert_eq!(wait(&Failures { network_is_known: true, ..attacked }), None);
    }

    #[test]
    fn an_address_that_tries_many_accounts_has_to_wait_even_where_it_is_known() {
        assert_eq!(wait(&after(1, 1, 49)), None);
        assert!(wait(&Failures { network_is_known: true, ..after(1, 1, 50) }).is_some());
    }
}
