//! The alerts of the rule with a rate: all events of a partition in their order, one at a time.

use std::collections::{HashMap, VecDeque};

use super::events::{ExpectedAlert, PARTITIONS, Stream};

/// The rule's number, and what it says.
const RULE: usize = 2;
const MORE_THAN: usize = 6;
const WITHIN_NS: i64 = 5_000_000_000;
const QUIET_NS: i64 = 2_000_000_000;
/// A window is so many panes and one.
const PANES: i64 = 60;
const PANE_NS: i64 = WITHIN_NS / PANES + 1;

/// What came of a user so far.
#[derive(Default)]
struct User {
    /// The panes of the events in the window.
    panes: VecDeque<i64>,
    quiet_until: i64,
    suppressed: usize,
    /// What is known is forgotten a window after it was last touched, and with it what was suppressed.
    touched: i64,
}

/// The alerts of the first `total` events of a stream, by event.
pub(super) fn alerts(stream: Stream, total: u64) -> HashMap<u64, ExpectedAlert> {
    let mut users: HashMap<(u64, String), User> = HashMap::new();
    let mut alerts = HashMap::new();
    for index in 0..total {
        let Some(event) = stream.alerted(index).filter(|event| event["status"] == 401) else { continue };
        let name = event["user"].as_str().unwrap_or("-").to_owned();
        let user = users.entry((index % PARTITIONS, name.clone())).or_default();
        let time = stream.record(index).time_ms.unwrap_or_default() * 1_000_000;
        if let Some((count, suppressed)) = user.denied(time) {
            let summary = format!("{count} times, {suppressed} before");
            alerts.insert(index, ExpectedAlert { rule: RULE, key: name, summary });
        }
    }
    alerts
}

impl User {
    /// An alert's count, and how many were suppressed before it.
    fn denied(&mut self, time: i64) -> Option<(usize, usize)> {
        if time >= self.touched + PANE_NS * (PANES + 1) {
            *self = Self::default();
        }
        self.touched = time;
        let pane = time / PANE_NS;
        self.panes.push_back(pane);
        while self.panes.front().is_some_and(|first| pane - first > PANES) {
            self.panes.pop_front();
        }
        if self.panes.len() <= MORE_THAN {
            return None;
        }
        if time < self.quiet_until {
            self.suppressed += 1;
            return None;
        }
        self.quiet_until = time + QUIET_NS;
        Some((self.panes.len(), std::mem::take(&mut self.suppressed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_passed_now_and_then_and_quiet_times_keep_some_back() {
        let alerts = alerts(Stream::new(7), 40_000);
        assert!((20..2_000).contains(&alerts.len()), "{}", alerts.len());
        assert!(alerts.values().any(|alert| !alert.summary.ends_with(" 0 before")));
    }
}
