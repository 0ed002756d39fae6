//! What the operator writes.

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
