//! How many events of a partition each plugin has been unable to take lately: a few are the events' fault, many are the plugin's, and
//! then its breaker opens.
//!
//! While it is open the plugin is not called. After a rest it is half-open: one batch is tried, and if the plugin takes that, the breaker
//! closes; else it rests twice as long (Michael Nygard, "Release It!"). All of it goes by the events that a lane has seen: not by offsets,
//! which of files are bytes, nor by time, so that it does not depend on where batches were cut.

use std::collections::HashMap;
use std::sync::Arc;

use wasmill_core::Digest;

/// Events that are looked back on.
pub const WINDOW_EVENTS: u64 = 2_000;
/// Guilty events that are always borne with.
pub const GUILTY_MIN: usize = 8;
/// One in so many events may be guilty: 5 %.
const GUILTY_ONE_IN: u64 = 20;
/// Events for which a breaker is open at first.
pub const REST_EVENTS: u64 = WINDOW_EVENTS;
/// The most that it becomes, doubling.
const REST_EVENTS_MAX: u64 = 64 * REST_EVENTS;

/// What one lane remembers of its plugins. Events are named by how many the lane saw before them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blame {
    /// Events of all batches so far.
    seen: u64,
    /// By [`crate::Plugin::id`].
    plugins: HashMap<Digest, History>,
}

/// Where one plugin stands.
#[derive(Clone, Debug)]
struct History {
    /// The first event that the plugin saw.
    first: u64,
    /// Guilty events within the window of the last.
    guilty: Vec<u64>,
    breaker: Breaker,
}

#[derive(Clone, Debug)]
enum Breaker {
    Closed,
    Open(Open),
    /// It was open, and a batch is tried.
    HalfOpen {
        rest: u64,
    },
}

/// A breaker that is open.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    /// Why: what the plugin did last.
    pub(crate) reason: Arc<str>,
    /// For how many events.
    pub(crate) rest: u64,
    /// The event from which on a batch is tried.
    until: u64,
}

/// Whether a plugin may have a batch.
#[derive(Clone, Debug)]
pub(crate) enum Gate {
    Closed,
    /// From now on, for one batch.
    HalfOpen,
    Open(Open),
}

/// Too many events are guilty, so it is the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Guilty events among the last `events`.
    pub(crate) guilty: usize,
    pub(crate) events: u64,
}

impl Blame {
    /// The event that has this index in the batch that is run.
    pub(crate) fn event(&self, index: u32) -> u64 {
        self.seen + u64::from(index)
    }

    /// Whether `plugin` may have a batch whose first event is `event`. It sees events from there on, if it may.
    pub(crate) fn gate(&mut self, plugin: Digest, event: u64) -> Gate {
        let history = self.history(plugin, event);
        match &history.breaker {
            Breaker::Closed | Breaker::HalfOpen { .. } => Gate::Closed,
            Breaker::Open(open) if event < open.until => Gate::Open(open.clone()),
            Breaker::Open(open) => {
                let breaker = Breaker::HalfOpen { rest: open.rest };
                *history = History { first: event, guilty: Vec::new(), breaker };
                Gate::HalfOpen
            }
        }
    }

    /// Says that `event` is guilty.
    pub(crate) fn add(&mut self, plugin: Digest, event: u64) -> Result<(), TooMany> {
        let history = self.history(plugin, event);
        history.guilty.retain(|guilty| guilty + WINDOW_EVENTS > event);
        history.guilty.push(event);
        let events = (event - history.first + 1).min(WINDOW_EVENTS);
        let guilty = history.guilty.len();
        // What is tried has to prove itself: it is borne with less.
        let borne = if matches!(history.breaker, Breaker::HalfOpen { .. }) { 0 } else { GUILTY_MIN };
        if guilty > borne.max((events / GUILTY_ONE_IN) as usize) {
            return Err(TooMany { guilty, events });
        }
        Ok(())
    }

    /// Opens the breaker of `plugin` at `event`.
    pub(crate) fn open(&mut self, plugin: Digest, event: u64, reason: &str) -> Open {
        let history = self.history(plugin, event);
        let rest = match history.breaker {
            Breaker::HalfOpen { rest } => (2 * rest).min(REST_EVENTS_MAX),
            _ => REST_EVENTS,
        };
        let open = Open { reason: reason.into(), rest, until: event.saturating_add(rest) };
        history.breaker = Breaker::Open(open.clone());
        open
    }

    /// Says that a batch of so many events came through: the breakers for which it was tried close. Which they are.
    pub(crate) fn came_through(&mut self, events: usize) -> Vec<Digest> {
        self.seen += events as u64;
        let tried = self.plugins.iter_mut().filter(|(_, history)| matches!(history.breaker, Breaker::HalfOpen { .. }));
        let close = |(plugin, history): (&Digest, &mut History)| {
            history.breaker = Breaker::Closed;
            *plugin
        };
        tried.map(close).collect()
    }

    /// Forgets the plugins that are not of `kept`.
    pub(crate) fn keep(&mut self, kept: &[Digest]) {
        self.plugins.retain(|plugin, _| kept.contains(plugin));
    }

    fn history(&mut self, plugin: Digest, event: u64) -> &mut History {
        let begin = || History { first: event, guilty: Vec::new(), breaker: Breaker::Closed };
        self.plugins.entry(plugin).or_insert_with(begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> Digest {
        Digest::of(b"plugin")
    }

    fn after(guilty: impl IntoIterator<Item = u64>) -> Result<(), TooMany> {
        let mut blame = Blame::default();
        blame.gate(plugin(), 0);
        guilty.into_iter().try_for_each(|event| blame.add(plugin(), event))
    }

    #[test]
    fn eight_are_borne_with_and_the_ninth_is_one_too_many() {
        assert_eq!(after(0..8), Ok(()));
        assert_eq!(after(0..9), Err(TooMany { guilty: 9, events: 9 }));
    }

    #[test]
    fn five_percent_of_the_last_2000_are_borne_with_and_one_more_is_not() {
        // 100 in the window [2000, 4000), and then 101.
        assert_eq!(after((2000..4000).step_by(20)), Ok(()));
        let with_one_more = (2000..4000).step_by(20).take(99).chain([3990, 3998]);
        assert_eq!(after(with_one_more), Err(TooMany { guilty: 101, events: 2000 }));
    }

    #[test]
    fn what_lies_before_the_window_is_forgotten() {
        assert_eq!(after((0..8).chain(2010..2018)), Ok(()));
    }

    #[test]
    fn events_of_a_batch_are_counted_once_it_came_through() {
        let mut blame = Blame::default();
        assert_eq!(blame.event(3), 3);
        assert_eq!(blame.came_through(10), []);
        assert_eq!(blame.event(3), 13);
    }

    #[test]
    fn plugins_do_not_answer_for_each_other() {
        let mut blame = Blame::default();
        for event in 0..8 {
            assert!(blame.add(plugin(), event).is_ok());
            assert!(blame.add(Digest::of(b"other"), event).is_ok());
        }
    }

    #[test]
    fn open_breaker_rests_twice_as_long_after_each_trial_that_fails_and_closes_after_one_that_does_not() {
        let mut blame = Blame::default();
        let mut at = 100;
        assert!(matches!(blame.gate(plugin(), at), Gate::Closed));
        for rest in [1, 2, 4, 8, 16, 32, 64, 64] {
            let open = blame.open(plugin(), at, "traps");
            assert_eq!((open.rest, open.until), (rest * REST_EVENTS, at + rest * REST_EVENTS));
            assert!(matches!(blame.gate(plugin(), open.until - 1), Gate::Open(open) if &*open.reason == "traps"));
            at = open.until;
            assert!(matches!(blame.gate(plugin(), at), Gate::HalfOpen));
            assert!(matches!(blame.gate(plugin(), at), Gate::Closed), "its other kinds are tried as well");
            // One of twenty is borne with, and no more.
            assert!(blame.add(plugin(), at + 19).is_ok());
            assert_eq!(blame.add(plugin(), at + 20), Err(TooMany { guilty: 2, events: 21 }));
        }
        let open = blame.open(plugin(), at, "traps");
        assert!(matches!(blame.gate(plugin(), open.until), Gate::HalfOpen));
        assert_eq!(blame.came_through(1), [plugin()]);
        assert!(matches!(blame.gate(plugin(), open.until + 1), Gate::Closed));
        assert_eq!(blame.came_through(1), []);
        assert_eq!(blame.open(plugin(), 0, "traps").rest, REST_EVENTS);
    }

    #[test]
    fn other_plugins_begin_with_closed_breakers() {
        let mut blame = Blame::default();
        blame.open(plugin(), 0, "traps");
        blame.keep(&[plugin()]);
        assert!(matches!(blame.gate(plugin(), 1), Gate::Open(_)));
        blame.keep(&[]);
        assert!(matches!(blame.gate(plugin(), 1), Gate::Closed));
    }
}
