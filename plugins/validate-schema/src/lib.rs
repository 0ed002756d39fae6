//! Rejects events that do not fit a JSON Schema of 2020-12. See `README.md` for the config.
//!
//! When the plugin is loaded, the schema becomes numbered lists of keywords with all references and patterns resolved. An event is
//! read once into a flat list of its values, and that is held against the keywords. The library of the field makes a
//! component of 3 MB of the same, takes numbers for floats, and reads an event into a tree of allocations.

mod check;
mod compile;
mod config;
mod dialect;
mod documents;
mod ecma;
mod equal;
mod escape;
mod failure;
mod format;
mod keywords;
mod metaschema;
mod number;
mod pattern;
mod pointer;
mod reason;
mod rules;
mod schema;
mod seen;
mod tape;
mod write;

use wasmill_sdk::{Fields, Slots, Verdict};

pub use config::Config;
pub use rules::Rules;

/// What is read of an event: its payload, or the one field that the config names.
#[derive(Fields)]
pub struct Event<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
}

/// Passes events that fit the schema, and rejects the others with the first thing that does not.
#[wasmill_sdk::validator]
pub fn validate_schema(event: Event<'_>, rules: &Rules) -> Verdict {
    rules.judge(event.slots)
}

#[cfg(test)]
mod tests;
