//! The connection over which a request came, as far as it decides how much its client may take.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The client of one connection. The listener puts it into the extensions of each request of the connection.
#[derive(Clone, Debug)]
pub struct Peer(Arc<Client>);

#[derive(Debug)]
struct Client {
    network: IpAddr,
    has_shown_a_key: AtomicBool,
}

impl Peer {
    pub fn new(address: IpAddr) -> Self {
        Self(Arc::new(Client { network: network(address), has_shown_a_key: AtomicBool::new(false) }))
    }

    /// The address that stands for everything that one client can easily send from.
    pub fn network(&self) -> IpAddr {
        self.0.network
    }

    /// Whether a request of this connection showed a valid key.
    pub fn has_shown_a_key(&self) -> bool {
        self.0.has_shown_a_key.load(Ordering::Relaxed)
    }

    pub(crate) fn showed_a_key(&self) {
        self.0.has_shown_a_key.store(true, Ordering::Relaxed);
    }
}

/// An IPv4 address stands for itself. A site usually gets a whole /64 of IPv6 addresses, so these count as one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_one_client_can_choose_from_count_as_one() {
        for (address, counted) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ] {
            let peer = Peer::new(address.parse().unwrap());
            assert_eq!(peer.network(), counted.parse::<IpAddr>().unwrap(), "{address}");
        }
    }
}
