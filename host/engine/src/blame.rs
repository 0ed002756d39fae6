//! How many events of a partition each plugin has been unable to take lately: a few are the events' fault, many are the
//! plugin's.

use std::collections::{HashMap, VecDeque};

use wasmill_core::Digest;

/// Offsets that are looked back on.
pub const WINDOW_OFFSETS: i64 = 2_000;
/// Guilty events that are always borne with.
pub const GUILTY_MIN: usize = 8;
/// One in so many events may be guilty: 5 %.
const GUILTY_ONE_IN: i64 = 20;

/// What one lane remembers of its plugins. It goes by offsets alone, so it does not depend on where batches were cut, and a
/// part of the partition that is read again counts once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blame {
    plugins: HashMap<Digest, History>,
}

/// Where one plugin stands.
#[derive(Clone, Debug)]
struct History {
    /// The first offset that the plugin saw.
    first: i64,
    /// Offsets of guilty events, rising, within the window of the last.
    guilty: VecDeque<i64>,
}

/// Too many events are guilty, so it is the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Guilty events among the last `events` offsets.
    pub(crate) guilty: usize,
    pub(crate) events: i64,
}

impl Blame {
    /// Says that `plugin` sees events from `offset` on.
    pub(crate) fn sees(&mut self, plugin: Digest, offset: i64) {
        self.history(plugin, offset);
    }

    /// Says that the event at `offset` is guilty.
    pub(crate) fn add(&mut self, plugin: Digest, offset: i64) -> Result<(), TooMany> {
        let history = self.history(plugin, offset);
        // What lies before the window, and what is read again.
        history.guilty.retain(|guilty| *guilty > offset - WINDOW_OFFSETS && *guilty < offset);
        history.guilty.push_back(offset);
        let events = (offset - history.first + 1).min(WINDOW_OFFSETS);
        let guilty = history.guilty.len();
        if guilty > GUILTY_MIN.max((events / GUILTY_ONE_IN) as usize) {
            return Err(TooMany { guilty, events });
        }
        Ok(())
    }

    fn history(&mut self, plugin: Digest, offset: i64) -> &mut History {
        let history = self.plugins.entry(plugin).or_insert_with(|| History { first: offset, guilty: VecDeque::new() });
        history.first = history.first.min(offset);
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> Digest {
        Digest::of(b"plugin")
    }

    fn after(guilty: impl IntoIterator<Item = i64>) -> Result<(), TooMany> {
        let mut blame = Blame::default();
        blame.sees(plugin(), 0);
        guilty.into_iter().try_for_each(|offset| blame.add(plugin(), offset))
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
    fn what_is_read_again_counts_once() {
        let mut blame = Blame::default();
        for _ in 0..5 {
            assert!((0..8).all(|offset| blame.add(plugin(), offset).is_ok()));
        }
    }

    #[test]
    fn plugins_do_not_answer_for_each_other() {
        let mut blame = Blame::default();
        for offset in 0..8 {
            assert!(blame.add(plugin(), offset).is_ok());
            assert!(blame.add(Digest::of(b"other"), offset).is_ok());
        }
    }
}
