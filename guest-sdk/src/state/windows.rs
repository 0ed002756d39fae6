//! What is mostly kept under a key: a count, a count per window, a time. Each is one value, and forgets itself when it no longer
//! matters.
//!
//! An event's time here is its own, but never ahead of the clock: so an event that claims to be of the next century counts now.
//! What comes later than a window remembers is said to the caller, as `None`, and not counted.

use super::{Key, Life, State};

/// A count that goes when nothing was added for some time.
///
/// ```
/// use wasmill_sdk::state::{Counter, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     user: &'a str,
///
///     #[field(time)]
///     time: i64,
/// }
///
/// #[wasmill_sdk::alerter(state = 1)]
/// fn third(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keyed: Vec<_> = logs.iter().map(|(event, log)| (event, state.key(log.user.as_bytes()), log)).collect();
///     state.fetch();
///     let mut evaluation = Evaluation::default();
///     for (event, key, log) in keyed {
///         // The time has no part in it.
///         let _ = log.time;
///         if (Counter { keep_ns: 60_000_000_000 }).add(state, event, key, 1) == 3 {
///             evaluation.alerts.push((event as u32, Alert::new("third", log.user, Severity::Warning, "for the third time")));
///         }
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<third>::configure("{}").unwrap();
/// assert_eq!(plugin.evaluate_json(&[r#"{"user":"eve"}"#; 4]).len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// Nanoseconds of the clock that it outlives the last addition.
    pub keep_ns: i64,
}

impl Counter {
    /// Adds to the count of a key when an event is handled, and gives the new count.
    pub fn add(self, state: &mut State<'_>, event: usize, key: Key, n: u64) -> u64 {
        let count = state.get(event, key).map_or(0, |value| number(value, 0)).saturating_add(n);
        let life = Life::until(state.clock(event).saturating_add(self.keep_ns));
        state.put(event, key, &count.to_le_bytes(), life);
        count
    }
}

/// A count per window of fixed width, one after another: `[0, width)`, `[width, 2 * width)`, ... since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tumbling {
    /// Nanoseconds of a window, at least 1.
    pub width_ns: i64,
}

impl Tumbling {
    /// Adds to the window that an event's time lies in, and gives the count of that window; `None` when a later one has begun
    /// for the key.
    pub fn add(self, state: &mut State<'_>, event: usize, key: Key, time: i64, n: u64) -> Option<u64> {
        Sliding::<1> { pane_ns: self.width_ns }.add(state, event, key, time, n)
    }
}

/// A count over the last panes: a window that moves on pane by pane.
///
/// ```
/// use wasmill_sdk::state::{Sliding, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     user: &'a str,
///
///     #[field(time)]
///     time: i64,
/// }
///
/// #[wasmill_sdk::alerter(state = 1)]
/// fn many(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keyed: Vec<_> = logs.iter().map(|(event, log)| (event, state.key(log.user.as_bytes()), log)).collect();
///     state.fetch();
///     let mut evaluation = Evaluation::default();
///     for (event, key, log) in keyed {
///         // The last minute, second by second.
///         if (Sliding::<60> { pane_ns: 1_000_000_000 }).add(state, event, key, log.time, 1) == Some(3) {
///             evaluation.alerts.push((event as u32, Alert::new("many", log.user, Severity::Warning, "three times in a minute")));
///         }
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<many>::configure("{}").unwrap();
/// assert_eq!(plugin.evaluate_json(&[r#"{"user":"eve"}"#; 4]).len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sliding<const PANES: usize> {
    /// Nanoseconds of a pane, at least 1.
    pub pane_ns: i64,
}

impl<const PANES: usize> Sliding<PANES> {
    /// Adds to the pane that an event's time lies in, and gives the count of the key's newest pane and those before it, [`PANES`](Self) in
    /// all; `None` when the event's pane is older than all of them.
    pub fn add(self, state: &mut State<'_>, event: usize, key: Key, time: i64, n: u64) -> Option<u64> {
        let pane = time.min(state.clock(event)).div_euclid(self.pane_ns.max(1));
        let mut counts = [0u64; PANES];
        let mut newest = pane;
        if let Some(value) = state.get(event, key) {
            let stored = number(value, 0) as i64;
            newest = stored.max(pane);
            // The first is of the newest pane.
            let moved = usize::try_from(newest.saturating_sub(stored)).unwrap_or(usize::MAX);
            for (nth, count) in counts.iter_mut().enumerate().skip(moved) {
                *count = number(value, 1 + nth - moved);
            }
        }
        let age = usize::try_from(newest.saturating_sub(pane)).unwrap_or(usize::MAX);
        let count = counts.get_mut(age)?;
        *count = count.saturating_add(n);
        let mut value = Vec::with_capacity(8 * (1 + PANES));
        value.extend_from_slice(&newest.to_le_bytes());
        counts.iter().for_each(|count| value.extend_from_slice(&count.to_le_bytes()));
        // The newest pane has fallen out of the window once as many have followed it.
        let life = Life::until(newest.saturating_add(PANES as i64).saturating_mul(self.pane_ns.max(1)));
        state.put(event, key, &value, life);
        Some(counts.iter().fold(0, |sum, count| sum.saturating_add(*count)))
    }
}

/// When a key was seen last.
///
/// ```
/// use wasmill_sdk::state::{LastSeen, State};
/// use wasmill_sdk::{Alert, Evaluation, Events, Fields, Loaded, Severity};
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     user: &'a str,
///
///     #[field(time)]
///     time: i64,
/// }
///
/// #[wasmill_sdk::alerter(state = 1)]
/// fn again(logs: Events<'_, Log<'_>>, state: &mut State<'_>) -> Evaluation {
///     let keyed: Vec<_> = logs.iter().map(|(event, log)| (event, state.key(log.user.as_bytes()), log)).collect();
///     state.fetch();
///     let mut evaluation = Evaluation::default();
///     for (event, key, log) in keyed {
///         if (LastSeen { keep_ns: 3_600_000_000_000 }).touch(state, event, key, log.time).is_some() {
///             evaluation.alerts.push((event as u32, Alert::new("again", log.user, Severity::Warning, "seen within an hour before")));
///         }
///     }
///     evaluation
/// }
///
/// let plugin = Loaded::<again>::configure("{}").unwrap();
/// assert_eq!(plugin.evaluate_json(&[r#"{"user":"eve"}"#, r#"{"user":"bob"}"#, r#"{"user":"eve"}"#]).len(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSeen {
    /// Nanoseconds of the clock that it is remembered.
    pub keep_ns: i64,
}

impl LastSeen {
    /// Notes an event's time for a key, and gives the latest before; `None`: it was not seen, or too long ago.
    pub fn touch(self, state: &mut State<'_>, event: usize, key: Key, time: i64) -> Option<i64> {
        let time = time.min(state.clock(event));
        let before = state.get(event, key).map(|value| number(value, 0) as i64);
        let latest = before.map_or(time, |before| before.max(time));
        state.put(event, key, &latest.to_le_bytes(), Life::until(state.clock(event).saturating_add(self.keep_ns)));
        before
    }
}

/// The n-th number of a value, as [`u64::to_le_bytes`] made it; 0 where the value is shorter.
pub(super) fn number(value: &[u8], nth: usize) -> u64 {
    let (numbers, _) = value.as_chunks::<8>();
    numbers.get(nth).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Host;
    use super::*;

    /// What each of these times gives for one key, in batches of every size.
    pub(in super::super) fn each<T: PartialEq + std::fmt::Debug>(
        times: &[i64],
        add: impl Fn(&mut State<'_>, usize, Key, i64) -> T,
    ) -> Vec<T> {
        let run = |size: usize| -> Vec<T> {
            let host = Host::default();
            let batch = |times: &[i64]| -> Vec<T> {
                let mut state = State::open(&host, times);
                let key = state.key(b"k");
                state.fetch();
                let given = times.iter().enumerate().map(|(event, time)| add(&mut state, event, key, *time)).collect();
                state.finish();
                given
            };
            times.chunks(size).flat_map(batch).collect()
        };
        let whole = run(times.len());
        (1..times.len()).for_each(|size| assert_eq!(run(size), whole));
        whole
    }

    #[test]
    fn a_counter_goes_when_nothing_was_added_for_its_time() {
        let counter = Counter { keep_ns: 10 };
        let counts = each(&[0, 5, 14, 24, 24], |state, event, key, _| counter.add(state, event, key, 1));
        assert_eq!(counts, [1, 2, 3, 1, 2]);
    }

    #[test]
    fn a_tumbling_window_begins_at_multiples_of_its_width_and_says_what_is_late() {
        let window = Tumbling { width_ns: 10 };
        let counts = each(&[-1, 0, 9, 10, 9, 19, 20], |state, event, key, time| window.add(state, event, key, time, 1));
        assert_eq!(counts, [Some(1), Some(1), Some(2), Some(1), None, Some(2), Some(1)]);
    }

    #[test]
    fn a_sliding_window_forgets_pane_by_pane_and_takes_late_events_within_it() {
        let window = Sliding::<3> { pane_ns: 10 };
        let times = [0, 5, 10, 29, 12, 30, 9, 10, 59, 60, 1_000];
        let counts = each(&times, |state, event, key, time| window.add(state, event, key, time, 1));
        let expected = [1, 2, 3, 4, 5, 4, 0, 5, 2, 2, 1];
        assert_eq!(counts, expected.map(|count| (count > 0).then_some(count)));
    }

    #[test]
    fn an_event_that_claims_a_far_future_counts_now() {
        let window = Tumbling { width_ns: 10 };
        let counts = each(&[3, i64::MAX, 4], |state, event, key, time| window.add(state, event, key, time, 1));
        assert_eq!(counts, [Some(1), Some(2), Some(3)]);
    }

    #[test]
    fn last_seen_gives_the_latest_time_before() {
        let seen = LastSeen { keep_ns: 10 };
        let before = each(&[3, 1, 5, 15], |state, event, key, time| seen.touch(state, event, key, time));
        assert_eq!(before, [None, Some(3), Some(3), None]);
    }
}
