//! Writes where an event comes from and when: constants, the environment's name, what a table knows about the event's source,
//! and `metadata` on the enrichment itself. See `README.md` for the config.

mod config;
mod table;

use wasmill_sdk::{Cell, Fields, Output, Slots, Timestamp};

pub use config::Config;
pub use table::Table;

/// What is read of an event: the look-up's field, if there is a look-up.
#[derive(Fields)]
pub struct Log<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
    #[field(time)]
    time_ns: i64,
}

/// What is written to it.
#[derive(Output)]
pub struct Enriched<'a> {
    #[field(path = "metadata.enriched_at")]
    enriched_at: Option<Timestamp>,
    #[field(path = "metadata.enrichment_version")]
    enrichment_version: Option<&'a str>,
    #[field(dynamic)]
    cells: &'a [Cell],
}

/// Writes the constants and the row of the event's source.
#[wasmill_sdk::enricher]
pub fn enrich_env<'a>(log: Log<'a>, table: &'a Table) -> Enriched<'a> {
    let source = if log.slots.is_empty() { None } else { log.slots.text(0) };
    Enriched {
        enriched_at: table.writes_enriched_at.then_some(Timestamp { ns: log.time_ns }),
        enrichment_version: table.enrichment_version.as_deref(),
        cells: table.row(source),
    }
}

#[cfg(test)]
mod tests;
