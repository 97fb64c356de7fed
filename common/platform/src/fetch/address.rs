//! Decides which IP addresses are on the public Internet, and resolves names to such addresses only.
//!
//! The rules follow the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates). An address that
//! is not known to be public is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether anybody on the Internet could reach `address`. Some IPv6 addresses contain an IPv4 address (IPv4-mapped
/// and NAT64 addresses). Then the IPv4 address decides.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        // 0.0.0.0/8 is this network, 10.0.0.0/8 is private, 127.0.0.0/8 is loopback.
        [0 | 10 | 127, ..]
        // Link-local addresses. The metadata services of the clouds are here.
        | [169, 254, ..]
        // Private addresses.
        | [192, 168, ..]
        // Addresses of protocols, and the first range for documentation.
        | [192, 0, 0 | 2, _]
        // Relays of 6to4.
        | [192, 88, 99, _]
        // Benchmarks.
        | [198, 18 | 19, ..]
        // The second and the third range for documentation.
        | [198, 51, 100, _]
        | [203, 0, 113, _]
        // A service of Azure that every machine in Azure can reach.
        | [168, 63, 129, 16] => false,
        // Private addresses.
        [172, second, ..] => second & 0xF0 != 16,
        // Addresses between carriers and their customers (RFC 6598).
        [100, second, ..] => second & 0xC0 != 64,
        // Multicast, reserved and broadcast addresses start at 224.
        [first, ..] => first < 224,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // IPv4-mapped addresses, and NAT64 addresses, with which a network without IPv4 reaches IPv4 addresses.
        [0, 0, 0, 0, 0, 0xFFFF, high, low] | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => embedded(high, low),
        // Addresses of protocols such as Teredo, addresses for documentation, and 6to4.
        [0x2001, 0..=0x1FF | 0xDB8, ..] | [0x2002 | 0x3FFF, ..] => false,
        // Only global unicast addresses (2000::/3) are public. Unspecified, loopback, unique local, link-local and
        // multicast addresses are outside this range.
        [first, ..] => first & 0xE000 == 0x2000,
    }
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("{name} is at {address}, which is not a public address")]
pub(super) struct NotPublic {
    name: String,
    address: IpAddr,
}

/// Resolves a name, and refuses it when any of its addresses is not public.
pub(super) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let name = name.as_str().to_owned();
            // The look-up needs a port. The client replaces a port of 0 by that of the URL.
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match found.iter().find(|address| !is_public(address.ip())) {
                Some(address) => Err(NotPublic { name, address: address.ip() }.into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}

/// The refusal by [`PublicOnly`], if that is why a request failed.
pub(super) fn refusal(error: &reqwest::Error) -> Option<&NotPublic> {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(refusal) = inner.downcast_ref() {
            return Some(refusal);
        }
        cause = inner.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_the_whole_internet_can_reach_are_public() {
        let public = [
            "8.8.8.8",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        let not_public = [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:808:808::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ];
        for address in not_public {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }
}
