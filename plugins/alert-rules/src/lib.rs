//! Raises alerts by the rules in its config: one expression each over the fields of one event, and, where a rule says so, how
//! many events match, how many different values they have, or that none comes any more.
//!
//! The rules are compiled once, when the plugin is loaded; every field that they name becomes a column of the batch. An
//! event that no rule matches allocates nothing. The README has the config and its limits.

mod batch;
mod columns;
mod config;
mod duration;
mod entry;
mod memory;
mod rules;
mod template;
mod watch;

use wasmill_sdk::state::State;
use wasmill_sdk::{Evaluation, Events, Fields, Slots};

pub use config::{AbsentSettings, DistinctSettings, Labels, RateSettings, RuleSettings, Settings, SeveritySetting};
pub use duration::Duration;
pub use rules::Rules;

/// The fields that the rules name.
#[derive(Fields)]
pub struct Event<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
}

/// The alerts of the rules, of each event first those about keys that are absent, then in the order of the rules.
#[wasmill_sdk::alerter(state = 1)]
pub fn raise_alerts(events: Events<'_, Event<'_>>, state: &mut State<'_>, rules: &Rules) -> Evaluation {
    Evaluation { alerts: batch::evaluate(&events, state, rules) }
}

#[cfg(test)]
mod tests;
