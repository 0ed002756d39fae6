//! What the operator writes.

use crate::duration::Duration;
use wasmill_sdk::{Config, ConfigError, ConfigValue, FromConfig};

/// The whole config.
#[derive(Debug, Config)]
pub struct Settings {
    /// Asked about every event, in this order.
    pub rules: Vec<RuleSettings>,
}

/// One rule.
#[derive(Debug, Config)]
pub struct RuleSettings {
    /// Names the rule in its alerts; no other rule has the same.
    pub name: String,
    /// The condition, an expression.
    pub when: String,
    /// How serious its alerts are.
    pub severity: SeveritySetting,
    /// What an alert is about: a field's path, or a template. Without it all alerts of the rule belong together.
    pub key: Option<String>,
    /// A sentence for people, a template.
    pub summary: String,
    /// Templates by the label's name.
    #[config(default)]
    pub labels: Labels,
    /// Alerts only when there are many events that match, by key.
    pub rate: Option<RateSettings>,
    /// Alerts only when the events that match have many different values, by key.
    pub distinct: Option<DistinctSettings>,
    /// Alerts when no more events match, by key.
    pub absent: Option<AbsentSettings>,
    /// How long there is no other alert about the same key.
    pub quiet: Option<Duration>,
}

/// How many events that match are too many.
#[derive(Debug, Config)]
pub struct RateSettings {
    /// So many are not.
    pub more_than: u32,
    /// How close together they have to lie.
    pub within: Duration,
}

/// How many different values are too many.
#[derive(Debug, Config)]
pub struct DistinctSettings {
    /// The path of the field that has the values.
    pub field: String,
    /// So many are not.
    pub more_than: u32,
    /// How close together they have to lie.
    pub within: Duration,
}

/// When the next event that matches is missing.
#[derive(Debug, Config)]
pub struct AbsentSettings {
    /// How far it may lie behind the last one.
    pub within: Duration,
}

/// The severities by their names in the config.
#[derive(Debug, Clone, Copy, Config)]
pub enum SeveritySetting {
    /// Good to know.
    Info,
    /// To be looked at.
    Warning,
    /// Something is wrong.
    Error,
    /// Someone has to act now.
    Critical,
}

/// Labels' names and templates, in the order in which they are written.
#[derive(Debug, Default)]
pub struct Labels(pub Vec<(String, String)>);

impl FromConfig for Labels {
    fn from_value(value: ConfigValue<'_>) -> Result<Self, ConfigError> {
        let ConfigValue::Object { members, .. } = value else {
            return Err(ConfigError::expected("an object of texts", &value));
        };
        let mut labels = Vec::with_capacity(members.len());
        for (name, value) in members {
            let template = String::from_value(value).map_err(|error| error.inside(&name))?;
            labels.push((name, template));
        }
        Ok(Self(labels))
    }
}
