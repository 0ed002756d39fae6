//! Rejects events whose fields are missing, of the wrong type, too long, out of time or full of control characters, and drops
//! events that nobody wants. Every check is the operator's; see `README.md` for the config.

mod config;
mod reason;
mod rules;
mod text;
mod timestamp;

use wasmill_sdk::{Fields, Slots, Verdict};

pub use config::Config;
pub use rules::Rules;

/// What is read of an event: all fields are named by the config.
#[derive(Fields)]
pub struct Log<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
    #[field(time)]
    time_ns: i64,
}

/// Drops what a drop rule matches, then makes each field's checks. Called only for events that [`Rules`] suspect.
#[wasmill_sdk::validator]
pub fn validate_event(log: Log<'_>, rules: &Rules) -> Verdict {
    if rules.drops.iter().any(|rule| rule.matches(log.slots)) {
        return Verdict::drop();
    }
    rules.checks.iter().try_for_each(|check| check.of(log.slots, log.time_ns)).into()
}

#[cfg(test)]
mod tests;
