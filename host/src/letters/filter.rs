//! Which letters are meant, and how those that were rejected alike are counted.

use std::sync::Arc;

use wasmill_core::{PluginRef, Stage};

use super::LetterState;

/// Which letters are meant: those for which all that is given holds, of the newest rejection where one came again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// By the plugin of this name.
    pub plugin: Option<String>,
    /// By a plugin whose digest begins with these lower-case hexadecimal digits.
    pub digest: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// First rejected at this time or later, microseconds since 1970.
    pub since_us: Option<i64>,
    /// First rejected before this time, microseconds since 1970.
    pub until_us: Option<i64>,
    /// Of this topic, or file.
    pub topic: Option<String>,
    /// Of this partition.
    pub partition: Option<i32>,
    /// In one of these states; none: in any.
    pub states: Vec<LetterState>,
}

impl LetterFilter {
    /// The states between commas, with one at either end.
    pub(crate) fn state_list(&self) -> String {
        let states = if self.states.is_empty() { &LetterState::ALL[..] } else { &self.states };
        states.iter().fold(",".to_owned(), |list, state| format!("{list}{},", state.as_str()))
    }
}

/// A part of the letters that are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Ids are greater than this.
    pub after: i64,
    /// Ids are smaller than this.
    pub before: i64,
    /// Whether the newest come first; else the oldest do.
    pub is_newest_first: bool,
    /// Most letters.
    pub limit: i64,
}

impl Page {
    /// The letter with this id alone.
    pub fn of(id: i64) -> Self {
        Self { after: id.saturating_sub(1), before: id.saturating_add(1), is_newest_first: false, limit: 1 }
    }
}

/// Letters that were rejected alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterGroup {
    /// What became of them.
    pub state: LetterState,
    /// Where they were rejected.
    pub stage: Stage,
    /// By which plugin.
    pub plugin: Option<Arc<PluginRef>>,
    /// By which sink.
    pub sink: Option<String>,
    /// Their code.
    pub code: String,
    /// How many there are.
    pub letters: i64,
    /// When the first was rejected, microseconds since 1970.
    pub oldest_us: i64,
    /// When the last was.
    pub newest_us: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_state_given_is_any() {
        assert_eq!(LetterFilter::default().state_list(), ",waiting,parked,replayed,discarded,");
        let parked = LetterFilter { states: vec![LetterState::Parked], ..LetterFilter::default() };
        assert_eq!(parked.state_list(), ",parked,");
    }
}
