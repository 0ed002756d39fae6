//! What look-ups are answered, as a script.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The names of addresses, for a plugin that looks them up. What is not named has no name.
///
/// ```
/// use std::time::Duration;
/// use wasmill_harness::Names;
///
/// let names = Names::new()
///     .name("192.0.2.7", "web-7.example")
///     .fails("192.0.2.8")
///     .delayed("192.0.2.9", "late.example", Duration::from_secs(1));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Names(BTreeMap<String, Answer>);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Answer {
    name: Option<String>,
    delay_ms: u64,
    fails: bool,
}

impl Names {
    /// No name yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An address with a name, which is known at once.
    #[must_use]
    pub fn name(self, address: &str, name: &str) -> Self {
        self.delayed(address, name, Duration::ZERO)
    }

    /// An address whose name comes so late. No time passes: a pipeline waits for 100 ms, so what comes later is not there for the batch
    /// that asks for it first, and is there for the next.
    #[must_use]
    pub fn delayed(self, address: &str, name: &str, delay: Duration) -> Self {
        let delay_ms = delay.as_millis().try_into().unwrap_or(u64::MAX);
        self.with(address, Answer { name: Some(name.to_owned()), delay_ms, fails: false })
    }

    /// An address that is known to have no name.
    #[must_use]
    pub fn no_name(self, address: &str) -> Self {
        self.with(address, Answer { name: None, delay_ms: 0, fails: false })
    }

    /// An address that nobody answers for, or with an error: to the plugin it has no name.
    #[must_use]
    pub fn fails(self, address: &str) -> Self {
        self.with(address, Answer { name: None, delay_ms: 0, fails: true })
    }

    fn with(mut self, address: &str, answer: Answer) -> Self {
        self.0.insert(address.to_owned(), answer);
        self
    }

    /// Addresses with the names that are there at once.
    pub(crate) fn at_once(&self) -> Vec<(&str, &str)> {
        let known = self.0.iter().filter(|(_, answer)| answer.delay_ms == 0 && !answer.fails);
        known.filter_map(|(address, answer)| Some((address.as_str(), answer.name.as_deref()?))).collect()
    }
}
