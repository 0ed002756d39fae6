//! The clock of a plugin's state: how far the events that it was handed have come.

/// A step that the next event has to confirm: one day. So the one event that claims to be of the next century wipes nothing, and a
/// partition that was quiet over a weekend goes on at its second event.
const STEP_NS: i64 = 86_400_000_000_000;

/// The highest time of the events so far. Never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Clock {
    /// Nanoseconds since 1970; `None` before the first event.
    pub now: Option<i64>,
    /// The time of the last event, if it was further ahead than is believed at once.
    pub doubted: Option<i64>,
}

impl Clock {
    /// Takes an event's time, and gives the clock with that event.
    #[inline]
    pub(crate) fn advance(&mut self, time: i64) -> i64 {
        let now = self.now.unwrap_or(time);
        let now = if time.saturating_sub(now) <= STEP_NS {
            self.doubted = None;
            now.max(time)
        } else {
            self.doubt(now, time)
        };
        self.now = Some(now);
        now
    }

    #[cold]
    fn doubt(&mut self, now: i64, time: i64) -> i64 {
        let now = self.doubted.map_or(now, |doubted| now.max(doubted.min(time)));
        if time.saturating_sub(now) <= STEP_NS {
            self.doubted = None;
            return now.max(time);
        }
        self.doubted = Some(time);
        now
    }

    /// The clock before the next event; lower than any time when there was none yet.
    #[inline]
    pub(crate) fn before(self) -> i64 {
        self.now.unwrap_or(i64::MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = STEP_NS;

    fn after(times: &[i64]) -> i64 {
        let mut clock = Clock::default();
        times.iter().fold(0, |_, time| clock.advance(*time))
    }

    #[test]
    fn clock_is_the_highest_time_and_never_goes_back() {
        assert_eq!(after(&[-5]), -5);
        assert_eq!(after(&[5, 3, 7, -DAY]), 7);
        assert_eq!(after(&[i64::MIN, i64::MIN]), i64::MIN);
    }

    #[test]
    fn a_day_ahead_is_believed_at_once_and_more_only_from_two_events_in_a_row() {
        assert_eq!(after(&[0, DAY]), DAY);
        assert_eq!(after(&[0, DAY + 1]), 0);
        assert_eq!(after(&[0, i64::MAX, 1, i64::MAX]), 1);
        assert_eq!(after(&[0, 9 * DAY, 5 * DAY]), 5 * DAY);
        assert_eq!(after(&[0, 5 * DAY, 5 * DAY + 7]), 5 * DAY + 7);
        // Each of three may doubt the one before it.
        assert_eq!(after(&[0, 5 * DAY, 50 * DAY, 50 * DAY]), 50 * DAY);
        assert_eq!(after(&[0, 5 * DAY, i64::MAX, 6]), 5 * DAY);
    }
}
