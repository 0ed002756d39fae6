//! What the rules mean, as plainly as it can be said: the whole stream in memory, one event at a time, and every question answered
//! by looking through all that came before.

use std::collections::{BTreeMap, BTreeSet};

const S: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * S;

/// An event of the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) time: i64,
    pub(super) key: u8,
    pub(super) value: u8,
    /// Whether the rules match it.
    pub(super) matches: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Every,
    Rate { more_than: usize },
    Distinct { more_than: usize },
    Absent,
}

/// A rule. Times are seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) asks: Asks,
    pub(super) within: i64,
    pub(super) quiet: i64,
}

/// An alert: event, rule, key, count and what was suppressed.
pub(super) type Raised = (usize, &'static str, u8, usize, usize);

/// What came of one key so far.
#[derive(Debug, Default)]
struct Story {
    /// Times and values of what was counted.
    counted: Vec<(i64, u8)>,
    last_alert: Option<i64>,
    suppressed: usize,
    awaited: bool,
    /// The clock when it was last touched.
    touched: i64,
}

/// The alerts about a stream, in order; those of one event sorted.
pub(super) fn alerts(rules: &[Rule], stream: &[Sample]) -> Vec<Raised> {
    let mut stories: BTreeMap<(usize, u8), Story> = BTreeMap::new();
    let mut raised = Vec::new();
    for (event, sample) in stream.iter().enumerate() {
        let clock = clock(&stream[..=event]);
        let mut of_event = Vec::new();
        for ((rule, key), story) in &mut stories {
            if story.is_absent(&rules[*rule], clock) {
                story.awaited = false;
                story.touched = clock;
                story.raise(&rules[*rule], clock, 0, |count, suppressed| {
                    of_event.push((event, rules[*rule].name, *key, count, suppressed));
                });
            }
        }
        if sample.matches {
            for (number, rule) in rules.iter().enumerate() {
                let story = stories.entry((number, sample.key)).or_default();
                story.see(rule, sample.time.min(clock), clock, sample.value, |count, suppressed| {
                    of_event.push((event, rule.name, sample.key, count, suppressed));
                });
            }
        }
        of_event.sort_unstable();
        raised.append(&mut of_event);
    }
    raised
}

/// The highest time; but one that is more than a day ahead is believed only when the next one is ahead too.
fn clock(stream: &[Sample]) -> i64 {
    let mut clock = stream[0].time;
    for (before, this) in stream.iter().zip(&stream[1..]) {
        if this.time - clock > DAY && before.time - clock > DAY {
            clock = before.time.min(this.time);
        }
        if this.time - clock <= DAY {
            clock = clock.max(this.time);
        }
    }
    clock
}

impl Story {
    fn is_absent(&self, rule: &Rule, clock: i64) -> bool {
        let last = self.counted.iter().map(|(time, _)| *time).max();
        self.awaited && last.is_some_and(|last| clock > last + rule.within * S)
    }

    fn see(&mut self, rule: &Rule, time: i64, clock: i64, value: u8, alert: impl FnOnce(usize, usize)) {
        let window = if rule.asks == Asks::Every || rule.asks == Asks::Absent { 0 } else { rule.within * S / 60 * 61 };
        let quiet = if self.last_alert.is_some() { rule.quiet * S } else { 0 };
        if !self.awaited && clock >= self.touched + window.max(quiet) {
            *self = Story::default();
        }
        if rule.asks == Asks::Absent {
            if time + rule.within * S >= clock {
                self.counted.push((time, value));
                self.awaited = true;
            }
            return;
        }
        let pane = |time: i64| if rule.within == 0 { 0 } else { time.div_euclid(rule.within * S / 60) };
        let newest = self.counted.iter().map(|(time, _)| pane(*time)).chain([pane(time)]).max().expect("one at least");
        if pane(time) < newest - 60 {
            return;
        }
        self.counted.push((time, value));
        self.touched = clock;
        let in_window = || self.counted.iter().filter(|(time, _)| pane(*time) >= newest - 60);
        let (fires, count) = match rule.asks {
            Asks::Every => (true, 0),
            Asks::Rate { more_than } => (in_window().count() > more_than, in_window().count()),
            Asks::Distinct { more_than } => {
                let values: BTreeSet<u8> = in_window().map(|(_, value)| *value).collect();
                (values.len() > more_than, values.len().min(more_than + 1))
            }
            Asks::Absent => unreachable!("seen above"),
        };
        if fires {
            self.raise(rule, time, count, alert);
        }
    }

    fn raise(&mut self, rule: &Rule, time: i64, count: usize, alert: impl FnOnce(usize, usize)) {
        if self.last_alert.is_some_and(|last| time < last + rule.quiet * S) {
            self.suppressed += 1;
            return;
        }
        alert(count, self.suppressed);
        self.suppressed = 0;
        // Without a quiet time nothing of an alert is remembered.
        self.last_alert = (rule.quiet > 0).then_some(time);
    }
}
