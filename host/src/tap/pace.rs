//! How many events a tap takes: one in so many, by their offsets, and so many in a second.

use std::time::Instant;

/// Takes so many events in a second. What is not used of a second is not saved for the next.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u64,
    /// Events that may be taken now, in billionths.
    room: u128,
    filled_at: Option<Instant>,
}

/// One event, in the unit of [`Pace::room`]: a nanosecond gives room for `per_second` of them.
const EVENT: u128 = 1_000_000_000;

impl Pace {
    pub(super) fn new(per_second: u64) -> Self {
        Self { per_second, room: EVENT * u128::from(per_second), filled_at: None }
    }

    /// How many of `events` may be taken.
    pub(super) fn take(&mut self, events: usize, now: Instant) -> usize {
        let most = EVENT * u128::from(self.per_second);
        let since = self.filled_at.map_or(0, |filled_at| now.saturating_duration_since(filled_at).as_nanos());
        self.filled_at = Some(self.filled_at.map_or(now, |filled_at| filled_at.max(now)));
        self.room = most.min(self.room + since * u128::from(self.per_second));
        let taken = (self.room / EVENT).min(events as u128);
        self.room -= taken * EVENT;
        taken as usize
    }

    /// Whether not even one may be taken.
    pub(super) fn is_used_up(&mut self, now: Instant) -> bool {
        self.take(0, now);
        self.room < EVENT
    }
}

/// Whether the event at `offset` is one of one in `sample`. Offsets of files are bytes, so they are mixed first (the finalizer of SplitMix64).
pub(super) fn is_sampled(offset: i64, sample: u64) -> bool {
    let mixed = (offset as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).is_multiple_of(sample)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn so_many_events_are_taken_in_a_second_and_none_are_saved() {
        let mut pace = Pace::new(10);
        let start = Instant::now();
        assert_eq!((pace.take(7, start), pace.take(7, start), pace.is_used_up(start)), (7, 3, true));
        let later = start + Duration::from_millis(250);
        assert_eq!((pace.take(9, later), pace.take(9, later)), (2, 0));
        let much_later = start + Duration::from_secs(60);
        assert_eq!((pace.is_used_up(much_later), pace.take(99, much_later)), (false, 10));
        assert_eq!(pace.take(1, start), 0, "a time that lies back gives no room");
    }

    #[test]
    fn one_in_so_many_is_sampled_whatever_the_offsets_are() {
        for step in [1, 2, 64, 100, 326] {
            let sampled = (0..100_000).filter(|n| is_sampled(n * step, 100)).count();
            assert!((800..1_200).contains(&sampled), "{step}: {sampled}");
        }
        assert!((0..1_000).all(|offset| is_sampled(offset, 1)));
        assert!((0..1_000).all(|offset| is_sampled(offset, 7) == is_sampled(offset, 7)));
    }
}
