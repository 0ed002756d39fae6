//! Writes the names of addresses, which the host finds by reverse DNS. See `README.md` for the config.

mod config;
mod names;

use wasmill_sdk::{Fields, Output, Slots, Texts};

pub use config::Config;
pub use names::Names;

/// What is read of an event: the names of its addresses, and what it has where they go. All are named by the config.
#[derive(Fields)]
pub struct Log<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
}

/// What is written to it.
#[derive(Output)]
pub struct Named<'a> {
    #[field(dynamic)]
    names: Texts<'a>,
}

/// Writes the names that there are. An event without any is left as it is, byte for byte.
#[wasmill_sdk::enricher]
pub fn enrich_rdns<'a>(log: Log<'a>, names: &Names) -> Option<Named<'a>> {
    let names = names.of(log.slots);
    (!names.is_empty()).then_some(Named { names })
}

#[cfg(test)]
mod tests;
