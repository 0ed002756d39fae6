//! What else is mostly kept under a key: what was seen already, how fast a number changes, how many values there are. Each is one
//! value, and forgets itself when it no longer matters.

use super::hash::hash;
use super::windows::number;
use super::{Key, Life, State};

const NS_PER_S: f64 = 1e9;

/// Whether a key was seen already: what repeats within some time of the first.
///
/// ```
/// use wasmill_sdk::state::{Dedup, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> { id: &'a str }
///
/// /// Tells of each id once in ten minutes.
/// #[wasmill_sdk::alerter(state = 1)]
/// fn first_of_each(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keys: Vec<_> = logs.iter().map(|(event, log)| (event, log.id, state.key(log.id.as_bytes()))).collect();
///     state.fetch();
///     let mut evaluation = Evaluation::default();
///     for (event, id, key) in keys {
///         if !(Dedup { within_ns: 600_000_000_000 }).is_repeat(state, event, key) {
///             let alert = Alert::new("new", id, Severity::Info, "seen for the first time");
///             evaluation.alerts.push((event as u32, alert));
///         }
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<first_of_each>::configure("{}").unwrap();
/// assert_eq!(plugin.evaluate_json(&[r#"{"id":"a"}"#, r#"{"id":"a"}"#, r#"{"id":"b"}"#]).len(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// Nanoseconds of the clock from the first on, for which others are repeats.
    pub within_ns: i64,
}

impl Dedup {
    /// Whether the key was seen within the time; if not, this event is the first.
    pub fn is_repeat(self, state: &mut State<'_>, event: usize, key: Key) -> bool {
        let is_repeat = state.get(event, key).is_some();
        if !is_repeat {
            state.put(event, key, &[1], Life::until(state.clock(event).saturating_add(self.within_ns)));
        }
        is_repeat
    }
}

/// How a number of a key changes from event to event.
///
/// ```
/// use wasmill_sdk::state::{Change, Changed, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     user: &'a str,
///     used: f64,
///     #[field(time)]
///     time: i64,
/// }
///
/// #[wasmill_sdk::alerter(state = 1)]
/// fn fast(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keyed: Vec<_> = logs.iter().map(|(event, log)| (event, state.key(log.user.as_bytes()), log)).collect();
///     state.fetch();
///     let mut evaluation = Evaluation::default();
///     for (event, key, log) in keyed {
///         let changed = Change { keep_ns: 60_000_000_000 }.to(state, event, key, log.time, log.used);
///         if let Some(Changed { by, .. }) = changed && by > 10.0 {
///             evaluation.alerts.push((event as u32, Alert::new("fast", log.user, Severity::Warning, "more than 10 at once")));
///         }
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<fast>::configure("{}").unwrap();
/// let events = [r#"{"user":"eve","used":5}"#, r#"{"user":"eve","used":6}"#, r#"{"user":"eve","used":60}"#];
/// assert_eq!(plugin.evaluate_json(&events).len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Nanoseconds of the clock that the last number is remembered.
    pub keep_ns: i64,
}

/// How a number changed since the event before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Changed {
    /// By how much.
    pub by: f64,
    /// Within how many nanoseconds; at least 0.
    pub over_ns: i64,
}

impl Changed {
    /// How fast that is, by second; `None` where no time has passed.
    pub fn per_second(self) -> Option<f64> {
        (self.over_ns > 0).then(|| self.by / (self.over_ns as f64 / NS_PER_S))
    }
}

impl Change {
    /// Notes the number that an event has for a key, and gives how it changed; `None`: there is none before, it is too long ago, or the event
    /// is older than the one before, and is not noted then.
    pub fn to(self, state: &mut State<'_>, event: usize, key: Key, time: i64, value: f64) -> Option<Changed> {
        let time = time.min(state.clock(event));
        let before = state.get(event, key).map(|stored| (number(stored, 0) as i64, f64::from_bits(number(stored, 1))));
        if before.is_some_and(|(at, _)| at > time) {
            return None;
        }
        let stored = [time.to_le_bytes(), value.to_bits().to_le_bytes()].concat();
        state.put(event, key, &stored, Life::until(state.clock(event).saturating_add(self.keep_ns)));
        before.map(|(at, number)| Changed { by: value - number, over_ns: time.saturating_sub(at) })
    }
}

/// How many distinct values a key has in a window of fixed width, one window after another, up to `MAX`.
///
/// Values are told apart by their [`hash`](super::hash), 8 bytes of state each: two values
/// count as one only by a chance of one in 37 000 billion windows of a thousand values, or where somebody makes values that do.
///
/// ```
/// use wasmill_sdk::state::{Distinct, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     user: &'a str,
///     host: &'a str,
///     #[field(time)]
///     time: i64,
/// }
///
/// #[wasmill_sdk::alerter(state = 1)]
/// fn spread(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keyed: Vec<_> = logs.iter().map(|(event, log)| (event, state.key(log.user.as_bytes()), log)).collect();
///     state.fetch();
///     let mut evaluation = Evaluation::default();
///     for (event, key, log) in keyed {
///         let hosts = Distinct::<2> { width_ns: 60_000_000_000 };
///         if hosts.add(state, event, key, log.time, log.host.as_bytes()) == Some(2) {
///             evaluation.alerts.push((event as u32, Alert::new("spread", log.user, Severity::Warning, "on two hosts")));
///         }
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<spread>::configure("{}").unwrap();
/// let events = [r#"{"user":"eve","host":"a"}"#, r#"{"user":"eve","host":"a"}"#, r#"{"user":"eve","host":"b"}"#];
/// assert_eq!(plugin.evaluate_json(&events).len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distinct<const MAX: usize> {
    /// Nanoseconds of a window, at least 1.
    pub width_ns: i64,
}

impl<const MAX: usize> Distinct<MAX> {
    /// Adds a value to the window that an event's time lies in, and gives how many distinct ones that has, at most `MAX`; `None` when a later
    /// window has begun for the key.
    pub fn add(self, state: &mut State<'_>, event: usize, key: Key, time: i64, value: &[u8]) -> Option<usize> {
        let width = self.width_ns.max(1);
        let window = time.min(state.clock(event)).div_euclid(width);
        let stored = state.get(event, key).unwrap_or_default();
        let newest = if stored.is_empty() { window } else { number(stored, 0) as i64 };
        if newest > window {
            return None;
        }
        let known = if newest == window { stored.get(8..).unwrap_or_default() } else { &[] };
        let (hashes, _) = known.as_chunks::<8>();
        let hash = hash(0, value).to_le_bytes();
        if hashes.len() >= MAX || hashes.contains(&hash) {
            return Some(hashes.len().min(MAX));
        }
        let mut kept = Vec::with_capacity(known.len() + 16);
        kept.extend_from_slice(&window.to_le_bytes());
        kept.extend_from_slice(known);
        kept.extend_from_slice(&hash);
        let count = hashes.len() + 1;
        state.put(event, key, &kept, Life::until(window.saturating_add(1).saturating_mul(width)));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::windows::tests::each;
    use super::*;

    #[test]
    fn what_comes_again_within_the_time_of_the_first_is_a_repeat() {
        let dedup = Dedup { within_ns: 10 };
        let repeats = each(&[0, 5, 9, 10, 19, 20], |state, event, key, _| dedup.is_repeat(state, event, key));
        assert_eq!(repeats, [false, true, true, false, true, false]);
    }

    #[test]
    fn change_is_from_the_event_before_and_late_events_do_not_count() {
        let change = Change { keep_ns: 10 };
        let value = |time: i64| (time * time) as f64;
        let changes =
            each(&[1, 3, 2, 3, 9, 30], |state, event, key, time| change.to(state, event, key, time, value(time)));
        let changed = |by, over_ns| Some(Changed { by, over_ns });
        assert_eq!(changes, [None, changed(8.0, 2), None, changed(0.0, 0), changed(72.0, 6), None]);
        assert_eq!(Changed { by: 3.0, over_ns: 1_500_000_000 }.per_second(), Some(2.0));
        assert_eq!(Changed { by: 3.0, over_ns: 0 }.per_second(), None);
    }

    #[test]
    fn distinct_values_are_counted_window_by_window_up_to_the_most() {
        let distinct = Distinct::<3> { width_ns: 10 };
        let value = |event: usize| [b"a", b"b", b"a", b"c", b"d", b"a", b"a"][event].as_slice();
        let times = [0, 1, 2, 3, 9, 10, 8];
        // The value goes by the time, which is the same in every cut.
        let of_time = |time: i64| value(times.iter().position(|one| *one == time).unwrap());
        let counts = each(&times, |state, event, key, time| distinct.add(state, event, key, time, of_time(time)));
        assert_eq!(counts, [Some(1), Some(2), Some(2), Some(3), Some(3), Some(1), None]);
    }
}
