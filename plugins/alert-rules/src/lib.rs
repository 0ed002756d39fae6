//! Raises alerts by the rules in its config: one expression each, over the fields of one event.
//!
//! The rules are compiled once, when the plugin is loaded; every field that they name becomes a column of the batch. An
//! event that no rule matches allocates nothing. The README has the config and its limits. Deliberately absent: rates,
//! counts and everything else that would need to remember earlier events.

mod columns;
mod config;
mod rules;
mod template;

use columns::Columns;
use wasmill_sdk::{Alert, Fields, Slots};

pub use config::{Labels, RuleSettings, Settings, SeveritySetting};
pub use rules::Rules;

/// The fields that the rules name.
#[derive(Fields)]
pub struct Event<'a> {
    #[field(dynamic)]
    slots: Slots<'a>,
}

/// One alert per rule that matches, in the order of the rules.
#[wasmill_sdk::alerter]
pub fn raise_alerts(event: Event<'_>, rules: &Rules) -> impl Iterator<Item = Alert> {
    let columns = Columns(event.slots);
    rules.iter().filter(move |rule| rule.when.matches(&columns)).map(move |rule| rule.alert(&columns))
}

#[cfg(test)]
mod tests;
