//! A batch column by column, for validators that judge most events at a glance.

use crate::batch::{Slots, View};
use crate::field::State;

/// The fields of a batch that only the config names, column by column; field i is the i-th of
/// [`Prepare::reads`](crate::Prepare::reads). See [`Prepare::suspects`](crate::Prepare::suspects).
#[derive(Clone, Copy, Debug)]
pub struct EventColumns<'a>(&'a View<'a>);

impl<'a> EventColumns<'a> {
    pub(crate) fn of(view: &'a View<'a>) -> Self {
        EventColumns(view)
    }

    /// The number of events.
    pub fn events(&self) -> usize {
        self.0.events()
    }

    /// Field `i` of each event, which is declared as text; or the state of what is no text.
    ///
    /// # Panics
    /// When there is no field `i`, or it was declared as another kind.
    #[inline(always)]
    pub fn texts(&self, i: usize) -> impl Iterator<Item = Result<&'a str, State>> + use<'a> {
        self.0.texts(i)
    }

    /// Each event's time, nanoseconds since 1970-01-01T00:00:00Z.
    pub fn times(&self) -> &'a [i64] {
        self.0.times()
    }

    /// The fields of each event.
    pub fn rows(&self) -> impl Iterator<Item = Slots<'a>> + use<'a> {
        self.0.rows()
    }
}

/// Events of a batch that are to be looked at closely.
///
/// ```
/// use wasmill_sdk::{Config, EventColumns, Field, Fields, Kind, Loaded, Prepare, Slots, Suspects, Verdict};
///
/// #[derive(Config)]
/// struct Limit { longest: usize }
///
/// impl Prepare for Ready {
///     type Config = Limit;
///     fn prepare(limit: Limit) -> Result<Self, String> {
///         Ok(Ready(limit.longest))
///     }
///     fn reads(&self) -> Vec<Field> {
///         vec![Field::new("message", Kind::Text)]
///     }
///     fn suspects(&self, columns: EventColumns<'_>) -> Option<Suspects> {
///         let mut suspects = Suspects::none(columns.events());
///         for (event, text) in columns.texts(0).enumerate() {
///             if text.is_ok_and(|text| text.len() > self.0) {
///                 suspects.add(event);
///             }
///         }
///         Some(suspects)
///     }
/// }
///
/// /// Bytes that a message may have.
/// struct Ready(usize);
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     #[field(dynamic)]
///     slots: Slots<'a>,
/// }
///
/// /// Called for suspects alone.
/// #[wasmill_sdk::validator]
/// fn short(log: Log<'_>, limit: &Ready) -> Verdict {
///     let length = log.slots.text(0).map_or(0, str::len);
///     Verdict::reject("too_long", format!("the message has {length} bytes; at most {} are allowed", limit.0))
/// }
///
/// let plugin = Loaded::<short>::configure(r#"{"longest": 3}"#).unwrap();
/// let verdicts = plugin.validate_json(&[r#"{"message": "abc"}"#, r#"{"message": "abcd"}"#]);
/// assert!(verdicts[0].is_pass() && verdicts[1].rejection().is_some());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspects {
    /// By event; empty as long as there is none.
    marked: Vec<bool>,
    events: usize,
}

impl Suspects {
    /// None of `events` events yet.
    pub fn none(events: usize) -> Self {
        Suspects { marked: Vec::new(), events }
    }

    /// Adds an event, by its number in the batch.
    ///
    /// # Panics
    /// When the batch has no such event.
    #[cold]
    pub fn add(&mut self, event: usize) {
        self.marked.resize(self.events, false);
        self.marked[event] = true;
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// Whether the event is one.
    pub fn contains(&self, event: usize) -> bool {
        self.marked.get(event).is_some_and(|marked| *marked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_is_suspect() {
        let mut suspects = Suspects::none(3);
        assert!(suspects.is_empty() && !suspects.contains(1));
        suspects.add(1);
        assert!(!suspects.is_empty());
        assert_eq!([0, 1, 2, 3].map(|event| suspects.contains(event)), [false, true, false, false]);
    }
}
