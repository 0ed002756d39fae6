//! Look-ups: what the host finds out for plugins.

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration_schema;
use crate::config::{AddressRange, PrivateAddresses};

/// What the host finds out for plugins before they run.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawLookups {
    /// Names of addresses, for plugins that are granted `reverse-dns`. Nothing is sent where no plugin asks.
    pub(in crate::config) reverse_dns: RawReverseDns,
}

/// Names of addresses.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct RawReverseDns {
    /// The DNS servers to ask, each `IP` or `IP:PORT`; by default those of the system.
    pub(in crate::config) resolvers: Vec<String>,
    /// How long a batch waits for names, at most 10s; 0ms: it never does. What is not answered by then is left out of the batch; its
    /// query goes on, for the next one.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) deadline: String,
    /// How long a query waits for its answer, 10ms to 1m; meanwhile it is repeated.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) timeout: String,
    /// Queries in flight at the same time. There is one per address, however many events want it.
    #[schemars(range(min = 1, max = 10_000))]
    pub(in crate::config) concurrency: u64,
    /// Addresses whose answers are kept, some 200 bytes each.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(in crate::config) cache_entries: u64,
    /// The shortest time that a name is kept, whatever DNS says; at most 24h.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) ttl_min: String,
    /// The longest time that a name is kept, whatever DNS says; at most 720h.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) ttl_max: String,
    /// How long it is kept that an address has no name, 1s to 24h. What the servers could not answer is kept so for at most 30s.
    #[schemars(schema_with = "duration_schema")]
    pub(in crate::config) negative_ttl: String,
    /// Whether private addresses are asked for.
    pub(in crate::config) private: PrivateAddresses,
    /// Which addresses are private, such as `10.0.0.0/8`; by default those of private, shared, link-local and multicast networks and of
    /// the machine itself.
    pub(in crate::config) private_ranges: Vec<String>,
    /// Names are made of the last part of the address (`host-7.local`), and nothing is sent: for demonstrations and tests.
    pub(in crate::config) fake: bool,
}

impl Default for RawReverseDns {
    fn default() -> Self {
        Self {
            resolvers: Vec::new(),
            deadline: "100ms".to_owned(),
            timeout: "2s".to_owned(),
            concurrency: 256,
            cache_entries: 100_000,
            ttl_min: "1m".to_owned(),
            ttl_max: "24h".to_owned(),
            negative_ttl: "5m".to_owned(),
            private: PrivateAddresses::Skip,
            private_ranges: AddressRange::PRIVATE.map(str::to_owned).to_vec(),
            fake: false,
        }
    }
}
