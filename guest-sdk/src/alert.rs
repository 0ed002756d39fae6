//! What an alerter raises.

/// How serious an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at.
    Warning,
    /// Something is wrong.
    Error,
    /// Someone has to act now.
    Critical,
}

/// What an alerter raises about one event. The host adds its id (from rule, key and the event's origin), its time and the
/// plugin's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// The rule's name.
    pub rule: String,
    /// What the alert is about: a host, a user, ... Alerts of one rule and key belong together.
    pub key: String,
    /// How serious it is.
    pub severity: Severity,
    /// A sentence for people.
    pub summary: String,
    /// Names and values, in the order they were added.
    pub labels: Vec<(String, String)>,
}

impl Alert {
    /// An alert without labels.
    #[cold]
    pub fn new(
        rule: impl Into<String>,
        key: impl Into<String>,
        severity: Severity,
        summary: impl Into<String>,
    ) -> Self {
        Alert { rule: rule.into(), key: key.into(), severity, summary: summary.into(), labels: Vec::new() }
    }

    /// The same alert with one more label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((name.into(), value.into()));
        self
    }
}

/// The alerts about a batch, each with the number of its event, in event order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// The alerts.
    pub alerts: Vec<(u32, Alert)>,
}
