//! The borders of windows, quiet times and absences, one key at a time.

use super::*;

const S: i64 = 1_000_000_000;

/// One key of a rule, stored after every event as the host does.
struct One {
    watch: Watch,
    stored: Vec<u8>,
    life: Life,
    clock: i64,
}

impl One {
    fn new(what: What, within: i64, quiet: i64) -> Self {
        Self::of(Watch::new(what, within * S, quiet * S))
    }

    fn of(watch: Watch) -> Self {
        One { watch, stored: Vec::new(), life: Life::until(LONG_AGO), clock: LONG_AGO }
    }

    fn load(&self) -> Entry {
        let mut entry = Entry::default();
        entry.load((self.life.expires > self.clock).then_some(&self.stored));
        entry
    }

    /// The stored entry and its life, if the event can be counted in place.
    fn count_in_place(&self, moment: Moment) -> Option<(Vec<u8>, Life)> {
        let mut stored = self.stored.clone();
        let counted = (self.life.expires > self.clock).then(|| self.watch.count(&mut stored, moment)).flatten();
        assert!(counted.is_some() || stored == self.stored, "nothing is done, or all");
        Some((stored, counted?))
    }

    fn keep(&mut self, entry: &Entry, step: Step) -> Option<(u64, u32)> {
        entry.save(&mut self.stored);
        self.life = step.life;
        step.alert.map(|facts| (facts.count, facts.suppressed))
    }

    /// An event of this time and value moves the clock: `Some(Some(..))` is an alert with its count and what was
    /// suppressed, `None` is too late.
    fn see_value(&mut self, time_ns: i64, value: u64) -> Option<Option<(u64, u32)>> {
        self.clock = self.clock.max(time_ns);
        let mut entry = self.load();
        let moment = self.watch.moment(&mut Pane::default(), time_ns, self.clock);
        let counted = self.count_in_place(moment);
        let before = entry.clone();
        let Some(step) = self.watch.see(&mut entry, moment, value) else {
            assert_eq!((counted, entry), (None, before), "it is too late");
            return None;
        };
        let came = self.keep(&entry, step);
        if let Some(counted) = counted {
            assert_eq!((counted, came), ((self.stored.clone(), self.life), None), "in place it comes to the same");
        }
        Some(came)
    }

    fn see(&mut self, seconds: i64) -> Option<Option<(u64, u32)>> {
        self.see_value(seconds * S, 0)
    }

    /// Another key's event moves the clock; the absence that this finds, with when the key was last seen.
    fn pass(&mut self, time_ns: i64) -> Option<Facts> {
        self.clock = self.clock.max(time_ns);
        if self.life.wake > self.clock {
            return None;
        }
        let mut entry = self.load();
        let step = self.watch.miss(&mut entry, self.clock);
        self.keep(&entry, step);
        step.alert
    }
}

const COUNTED: Option<Option<(u64, u32)>> = Some(None);
const TOO_LATE: Option<Option<(u64, u32)>> = None;

fn alert(count: u64, suppressed: u32) -> Option<Option<(u64, u32)>> {
    Some(Some((count, suppressed)))
}

#[test]
fn a_rate_alerts_beyond_its_number_and_not_at_it() {
    let mut key = One::new(What::Rate(3), 60, 0);
    assert_eq!([key.see(100), key.see(100), key.see(101)], [COUNTED; 3]);
    assert_eq!([key.see(101), key.see(101)], [alert(4, 0), alert(5, 0)]);
}

#[test]
fn what_lies_a_window_apart_counts_together_and_not_what_lies_a_pane_further() {
    for first in [0, 1, 17] {
        let mut key = One::new(What::Rate(1), 60, 0);
        assert_eq!([key.see(first), key.see(first + 60)], [COUNTED, alert(2, 0)], "{first}");
        let mut key = One::new(What::Rate(1), 60, 0);
        assert_eq!([key.see(first), key.see(first + 61)], [COUNTED; 2], "{first}");
    }
    // The last nanosecond of a pane and the first of the next one.
    let mut key = One::new(What::Rate(1), 60, 0);
    assert_eq!([key.see_value(S - 1, 0), key.see_value(61 * S - 1, 0)], [COUNTED, alert(2, 0)]);
    let mut key = One::new(What::Rate(1), 60, 0);
    assert_eq!([key.see_value(S - 1, 0), key.see_value(61 * S, 0)], [COUNTED; 2]);
}

#[test]
fn a_window_that_panes_do_not_divide_is_not_shortened() {
    let within = S + 1;
    let mut key = One::of(Watch::new(What::Rate(1), within, 0));
    assert_eq!([key.see_value(0, 0), key.see_value(within, 0)], [COUNTED, alert(2, 0)]);
}

#[test]
fn a_window_slides() {
    let mut key = One::new(What::Rate(2), 60, 0);
    assert_eq!([key.see(0), key.see(30), key.see(70), key.see(100)], [COUNTED; 4]);
    assert_eq!([key.see(110), key.see(171)], [alert(3, 0), COUNTED]);
}

#[test]
fn a_late_event_counts_in_the_pane_of_its_time() {
    let mut key = One::new(What::Rate(2), 60, 0);
    assert_eq!([key.see(100), key.see(110), key.see(70)], [COUNTED, COUNTED, alert(3, 0)]);
    assert_eq!(key.see(49), TOO_LATE, "61 panes before the newest");
    assert_eq!([key.see(50), key.see(131)], [alert(4, 0), alert(3, 0)], "70 and 50 have left the window");
}

#[test]
fn an_event_that_is_too_late_changes_nothing() {
    let mut key = One::new(What::Rate(1), 60, 600);
    key.see(1_000);
    let (stored, life) = (key.stored.clone(), key.life);
    assert_eq!([key.see(900), key.see(-1_000_000_000)], [TOO_LATE; 2]);
    assert_eq!((key.stored.clone(), key.life), (stored, life));
}

#[test]
fn an_event_ahead_of_the_clock_counts_at_the_clock() {
    let watch = Watch::new(What::Rate(1), 60 * S, 0);
    let mut entry = Entry::default();
    for (time, alerts) in [(i64::MAX, false), (100 * S, true), (i64::MAX, true)] {
        let moment = watch.moment(&mut Pane::default(), time, 100 * S);
        let step = watch.see(&mut entry, moment, 0).expect("it is not late");
        assert_eq!((step.alert.is_some(), entry.newest), (alerts, 100));
    }
}

#[test]
fn times_before_1970_have_panes_as_any_others() {
    let mut key = One::new(What::Rate(1), 60, 0);
    assert_eq!([key.see(-30), key.see(30), key.see(91)], [COUNTED, alert(2, 0), COUNTED]);
    let mut ends = One::new(What::Rate(1), 60, 60);
    assert_eq!([ends.see_value(i64::MIN, 0), ends.see_value(i64::MIN, 0)], [COUNTED, alert(2, 0)]);
    assert_eq!([ends.see_value(i64::MAX, 0), ends.see_value(i64::MAX, 0)], [COUNTED; 2], "no clock is past its end");
}

#[test]
fn a_key_begins_anew_when_the_clock_has_passed_its_window() {
    let mut key = One::new(What::Rate(1), 60, 0);
    key.see(100);
    assert_eq!(key.life, Life::until(161 * S));
    key.clock = 160 * S;
    assert_eq!(key.see(90), alert(2, 0), "late, but nothing is forgotten yet");
    key.clock = 221 * S;
    assert_eq!(key.see(90), COUNTED, "all is forgotten");
}

#[test]
fn a_rule_is_quiet_about_a_key_until_its_quiet_time_is_over_and_then_tells_how_often_it_was() {
    let mut key = One::new(What::Every, 0, 15);
    assert_eq!([key.see(100), key.see(100), key.see(114)], [alert(1, 0), COUNTED, COUNTED]);
    assert_eq!([key.see_value(115 * S - 1, 0), key.see(115), key.see(116)], [COUNTED, alert(1, 3), COUNTED]);
    assert_eq!(key.see(110), COUNTED, "late ones too");
    assert_eq!(key.see(131), alert(1, 0), "the count of what was suppressed is kept for one quiet time");
}

#[test]
fn a_rate_counts_on_while_it_is_quiet() {
    let mut key = One::new(What::Rate(1), 60, 60);
    let seen: Vec<_> = [0, 10, 20, 30, 69, 70, 71].map(|seconds| key.see(seconds)).into();
    assert_eq!(seen, [COUNTED, alert(2, 0), COUNTED, COUNTED, COUNTED, alert(5, 3), COUNTED]);
}

#[test]
fn different_values_count_once_each() {
    let mut key = One::new(What::Distinct(2), 60, 0);
    let mut see = |seconds: i64, value| key.see_value(seconds * S, value);
    assert_eq!([see(0, 1), see(1, 1), see(2, 2), see(3, 1), see(4, 2)], [COUNTED; 5]);
    assert_eq!([see(5, 3), see(6, 1)], [alert(3, 0), alert(3, 0)]);
    // 2 and 3 were last seen at 4 and 5, 1 at 6.
    assert_eq!([see(64, 1), see(65, 1), see(66, 9)], [alert(3, 0), COUNTED, COUNTED]);
}

#[test]
fn of_more_values_than_are_told_apart_those_seen_last_are_kept() {
    let mut key = One::new(What::Distinct(2), 60, 0);
    let mut see = |seconds: i64, value| key.see_value(seconds * S, value);
    assert_eq!([see(0, 1), see(10, 2), see(20, 3)], [COUNTED, COUNTED, alert(3, 0)]);
    assert_eq!([see(30, 4), see(5, 5), see(70, 2)], [alert(3, 0), alert(3, 0), alert(3, 0)]);
    assert_eq!([see(81, 2), see(91, 2)], [COUNTED, COUNTED], "3 has gone, and then 4");
    assert_eq!([see(92, 6), see(93, 7)], [COUNTED, alert(3, 0)]);
    assert_eq!(key.stored.len(), 20 + 3 * 12, "no longer than its number of values");
}

#[test]
fn a_rate_is_stored_in_few_bytes_whatever_comes() {
    let mut key = One::new(What::Rate(u64::MAX), 60, 60);
    for n in 0..10_000 {
        key.see_value(n * S / 7 - n % 13 * S, 0);
        assert!(key.stored.len() <= 20 + 61 * 8);
    }
}

#[test]
fn a_key_is_absent_when_the_clock_has_passed_its_time() {
    let mut key = One::new(What::Absent, 60, 0);
    assert_eq!([key.see(100), key.see(90)], [COUNTED; 2]);
    assert_eq!(key.pass(160 * S), None, "within");
    assert_eq!(key.pass(160 * S + 1).map(|facts| facts.last_seen), Some(100 * S));
    assert_eq!(key.pass(1_000 * S), None, "once");
    assert_eq!(key.life.expires, 160 * S + 1, "nothing is kept");
    assert_eq!(key.see(939), TOO_LATE, "it does not await what is past");
    assert_eq!([key.see(940), key.see(1_000)], [COUNTED; 2]);
    assert_eq!((key.pass(1_060 * S), key.pass(1_061 * S).map(|facts| facts.last_seen)), (None, Some(1_000 * S)));
}

#[test]
fn an_absence_is_quiet_too() {
    let mut key = One::new(What::Absent, 10, 100);
    key.see(0);
    assert_eq!(key.pass(20 * S).map(|facts| facts.suppressed), Some(0));
    key.see(30);
    assert_eq!(key.pass(50 * S), None);
    key.see(60);
    assert_eq!(key.pass(120 * S).map(|facts| facts.suppressed), Some(1));
}

#[test]
fn the_pane_of_a_time_is_the_same_whatever_time_was_asked_for_before() {
    for pane_ns in [1, 7, S] {
        let edges = [i64::MIN, i64::MIN + pane_ns, -1, 0, pane_ns - 1, pane_ns, i64::MAX - pane_ns, i64::MAX];
        let times = edges.iter().flat_map(|edge| [edge.saturating_sub(1), *edge, edge.saturating_add(1)]);
        let times: Vec<i64> = times.collect();
        for before in &times {
            for time in &times {
                let mut pane = Pane::default();
                pane.turn(*before, pane_ns);
                assert_eq!(pane.turn(*time, pane_ns), time.div_euclid(pane_ns), "{time} after {before} by {pane_ns}");
            }
        }
    }
}

#[test]
fn what_only_counts_is_counted_in_place() {
    let mut key = One::new(What::Rate(2), 60, 60);
    assert!(key.count_in_place(key.watch.moment(&mut Pane::default(), 0, 0)).is_none(), "there is no entry");
    let in_place = |key: &One, seconds: i64| {
        let moment = key.watch.moment(&mut Pane::default(), seconds * S, key.clock.max(seconds * S));
        key.count_in_place(moment).is_some()
    };
    key.see(100);
    assert!(in_place(&key, 100) && !in_place(&key, 101), "in the pane that is there alone");
    key.see(100);
    assert!(!in_place(&key, 100), "an alert is due");
    key.see(100);
    assert!(in_place(&key, 100), "it is kept back");
}
