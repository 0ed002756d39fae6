//! Cleans the text of fields: control characters, terminals' escape sequences, secrets and what is over-long. See `README.md` for
//! the config.
//!
//! Every scanner walks forward over bytes and looks at each a bounded number of times, so the worst text costs as much per byte
//! as any other. Cleaning what is clean already changes nothing.

mod bytes;
mod cards;
mod cleaner;
mod config;
mod controls;
mod credentials;
mod escapes;
mod names;
mod secrets;

use wasmill_sdk::{Cell, Fields, Output, Slots};

pub use cleaner::Cleaner;
pub use config::Config;

/// What is read of an event: all fields are named by the config.
#[derive(Fields)]
pub struct Log<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
}

/// What is written to it: the fields that changed, then the counts.
#[derive(Output)]
pub struct Cleaned {
    #[field(dynamic)]
    cells: Vec<Cell>,
}

/// Writes the fields that are not clean. An event whose fields all are is left as it is, byte for byte.
#[wasmill_sdk::enricher]
pub fn enrich_clean(log: Log<'_>, cleaner: &Cleaner) -> Option<Cleaned> {
    cleaner.clean_fields(log.slots).map(|cells| Cleaned { cells })
}

#[cfg(test)]
mod tests;
