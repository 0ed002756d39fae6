//! How the last minute went: the rates that health and `/stats` speak of.

use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

/// Seconds of a slice.
const SLICE_SECONDS: u64 = 5;
/// Slices of the minute.
const SLICES: usize = 12;

/// Counts of committed events over the last minute, in slices of five seconds.
#[derive(Clone, Debug)]
pub struct Recent {
    started: Instant,
    slices: [Slice; SLICES],
    last: Option<SystemTime>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Which slice of all time it counts, from 1; 0: none.
    number: u64,
    events: u64,
    failed: u64,
    /// Over the events: how long each took.
    took: Duration,
}

/// What a look at the last minute shows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LastMinute {
    /// Events whose batch was committed.
    pub processed: u64,
    /// Dead letters among what became of them.
    pub failed: u64,
    /// Dead letters for each event; 0 without events.
    pub error_rate: f64,
    /// Mean time from an event's batch being received to its commit, milliseconds; 0 without events.
    pub mean_processing_ms: f64,
}

impl Default for Recent {
    fn default() -> Self {
        Self { started: Instant::now(), slices: [Slice::default(); SLICES], last: None }
    }
}

impl Recent {
    /// Counts a committed batch that was received at `received`.
    pub fn add(&mut self, events: u64, failed: u64, received: Instant) {
        let now = Instant::now();
        let slice = self.slice(now);
        slice.events += events;
        slice.failed += failed;
        slice.took += now.duration_since(received) * u32::try_from(events).unwrap_or(u32::MAX);
        self.last = Some(SystemTime::now());
    }

    /// Counts what failed only in the commit.
    pub fn fail(&mut self, failed: u64) {
        self.slice(Instant::now()).failed += failed;
    }

    /// When the last batch was committed.
    pub fn last(&self) -> Option<SystemTime> {
        self.last
    }

    /// The last minute as of now.
    pub fn look(&self) -> LastMinute {
        self.look_at(Instant::now())
    }

    fn look_at(&self, now: Instant) -> LastMinute {
        let now = self.number(now);
        let recent = self.slices.iter().filter(|slice| slice.number > 0 && slice.number + SLICES as u64 > now);
        let (mut processed, mut failed, mut took) = (0, 0, Duration::ZERO);
        for slice in recent {
            processed += slice.events;
            failed += slice.failed;
            took += slice.took;
        }
        let per_event = |value: f64| if processed == 0 { 0.0 } else { value / processed as f64 };
        LastMinute {
            processed,
            failed,
            error_rate: per_event(failed as f64),
            mean_processing_ms: per_event(took.as_secs_f64() * 1e3),
        }
    }

    /// The slice of a time, empty where it is the first to need it.
    fn slice(&mut self, now: Instant) -> &mut Slice {
        let number = self.number(now);
        let slice = &mut self.slices[number as usize % SLICES];
        if slice.number != number {
            *slice = Slice { number, ..Slice::default() };
        }
        slice
    }

    fn number(&self, now: Instant) -> u64 {
        1 + now.duration_since(self.started).as_secs() / SLICE_SECONDS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_per_event_and_nothing_is_no_error() {
        let mut recent = Recent::default();
        assert_eq!(recent.look(), LastMinute { processed: 0, failed: 0, error_rate: 0.0, mean_processing_ms: 0.0 });
        let received = Instant::now().checked_sub(Duration::from_millis(100)).unwrap_or_else(Instant::now);
        recent.add(30, 1, received);
        recent.add(10, 0, received);
        recent.fail(1);
        let look = recent.look();
        assert_eq!((look.processed, look.failed, look.error_rate), (40, 2, 0.05));
        assert!(look.mean_processing_ms >= 100.0 && recent.last().is_some());
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten() {
        let mut recent = Recent::default();
        recent.add(5, 5, Instant::now());
        let later = Instant::now() + Duration::from_secs(60);
        assert_eq!((recent.look().processed, recent.look_at(later).processed), (5, 0));
    }
}
