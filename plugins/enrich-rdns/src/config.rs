//! What the operator writes.

use std::collections::BTreeMap;

/// The whole config; `README.md` has it as a table.
#[derive(wasmill_sdk::Config)]
pub struct Config {
    /// By the path of an address: the path that its name is written to.
    #[config(default = BTreeMap::from([("source.ip".to_owned(), "source.host".to_owned())]))]
    pub(crate) fields: BTreeMap<String, String>,
    /// Whether what an event has there already stays.
    #[config(default = true)]
    pub(crate) keep_existing: bool,
}
