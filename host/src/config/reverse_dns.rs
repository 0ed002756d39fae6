//! Reverse DNS: whom to ask, how long to wait, and which addresses not to ask for.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where names of addresses come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseDnsConfig {
    /// The DNS servers; none: the system's.
    pub resolvers: Vec<SocketAddr>,
    /// How long a batch waits for names.
    pub deadline: Duration,
    /// How long a query waits for its answer.
    pub timeout: Duration,
    /// Queries in flight at the same time.
    pub concurrency: usize,
    /// Addresses whose answers are kept.
    pub cache_entries: u64,
    /// The shortest time that a name is kept, whatever DNS says.
    pub ttl_min: Duration,
    /// The longest.
    pub ttl_max: Duration,
    /// How long it is kept that an address has no name.
    pub negative_ttl: Duration,
    /// Whether private addresses are asked for.
    pub private: PrivateAddresses,
    /// Which addresses are private.
    pub private_ranges: Vec<AddressRange>,
    /// Names are made of the addresses, and nothing is sent.
    pub fake: bool,
}

/// Whether private addresses are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PrivateAddresses {
    /// They have no name, and nobody outside learns of them.
    #[default]
    Skip,
    /// As all others.
    Resolve,
}

/// Addresses that begin with the same bits: `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Those that mean something inside of a network only, or one machine to nobody: private, shared, link-local, the machine
    /// itself, multicast.
    pub const PRIVATE: [&str; 12] = [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "224.0.0.0/3",
        "::/127",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    ];

    /// Whether an address is one of them.
    pub fn contains(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for AddressRange {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, bits) = text.split_once('/').ok_or(())?;
        let first: IpAddr = first.parse().map_err(|_| ())?;
        let bits: u8 = bits.parse().map_err(|_| ())?;
        if bits > if first.is_ipv4() { 32 } else { 128 } {
            return Err(());
        }
        Ok(Self { first, bits })
    }
}

impl std::fmt::Display for AddressRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_the_addresses_that_begin_alike() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("192.0.2.7/32", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::"),
            ("fc00::/7", "fdff::1", "fe00::"),
            ("::/127", "::1", "::2"),
        ] {
            let range: AddressRange = range.parse().unwrap();
            assert!(range.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(!range.contains(outside.parse().unwrap()), "{range} {outside}");
        }
    }

    #[test]
    fn only_addresses_with_their_bits_are_ranges() {
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "a/8", "10.0.0.0/", "10/8", ""] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
        assert!(AddressRange::PRIVATE.iter().all(|text| text.parse::<AddressRange>().is_ok()));
    }
}
