//! The example's rules, said once more and plainly: one event of a partition after the other, and of a rate all that was counted.

use std::collections::HashMap;

use super::moment::SECOND_NS;

/// An alert as it must be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alert {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) rule: String,
    pub(super) key: String,
    pub(super) severity: String,
    pub(super) summary: String,
    /// How many were kept back since the one before.
    pub(super) suppressed: usize,
}

/// What the rules see of an event.
pub(super) struct Seen<'e> {
    pub(super) time_ns: i64,
    pub(super) level: &'e str,
    pub(super) service: &'e str,
    pub(super) message: &'e str,
}

struct Rule {
    name: &'static str,
    severity: &'static str,
    when: fn(&Seen<'_>) -> bool,
    rate: Option<Rate>,
    says: fn(&Seen<'_>, usize) -> String,
}

/// Of one key: more than so many events within a time, and then nothing for another time.
#[derive(Clone, Copy)]
struct Rate {
    more_than: usize,
    within_ns: i64,
    quiet_ns: i64,
}

const MINUTE_NS: i64 = 60 * SECOND_NS;
const DAY_NS: i64 = 1_440 * MINUTE_NS;
const SUMMARY_BYTES_MAX: usize = 1_024;

const RULES: [Rule; 5] = [
    Rule {
        name: "error",
        severity: "error",
        when: is_error,
        rate: None,
        says: |seen, _| format!("{}: {}", seen.service, seen.message),
    },
    Rule {
        name: "many-errors",
        severity: "critical",
        when: is_error,
        rate: Some(Rate { more_than: 5, within_ns: MINUTE_NS, quiet_ns: MINUTE_NS }),
        says: |seen, count| format!("{}: {count} errors within a minute", seen.service),
    },
    Rule {
        name: "login-failed",
        severity: "warning",
        when: is_refused_login,
        rate: None,
        says: |seen, _| format!("{} refused a login: {}", seen.service, seen.message),
    },
    Rule {
        name: "brute-force",
        severity: "critical",
        when: is_refused_login,
        rate: Some(Rate { more_than: 5, within_ns: MINUTE_NS, quiet_ns: 10 * MINUTE_NS }),
        says: |seen, count| format!("{} refused {count} logins within a minute", seen.service),
    },
    Rule {
        name: "out-of-memory",
        severity: "critical",
        when: |seen| has_any(seen.message, &["out of memory", "outofmemory", "out ofmemory", "outof memory"]),
        rate: None,
        says: |seen, _| format!("{} has no memory left", seen.service),
    },
];

fn has_any(text: &str, parts: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    parts.iter().any(|part| text.contains(part))
}

fn is_error(seen: &Seen<'_>) -> bool {
    ["error", "fatal", "critical"].contains(&seen.level.to_ascii_lowercase().as_str())
}

fn is_refused_login(seen: &Seen<'_>) -> bool {
    has_any(seen.message, &["authentication failure", "failed password", "invalid user"])
}

/// The rules' names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// A partition on the way: its clock, and what rates have of each key.
#[derive(Default)]
pub(super) struct Partition {
    clock: Option<i64>,
    /// A time that was over a day ahead, until the next event.
    doubted: Option<i64>,
    rates: HashMap<(usize, String), Counted>,
}

#[derive(Default)]
struct Counted {
    times: Vec<i64>,
    /// When the last alert was.
    alerted: Option<i64>,
    suppressed: usize,
    /// Where the clock was when something was counted.
    touched: i64,
}

impl Partition {
    /// The alerts of the next event.
    pub(super) fn see(&mut self, partition: i32, offset: i64, seen: &Seen<'_>) -> Vec<Alert> {
        let clock = self.moved_to(seen.time_ns);
        let mut alerts = Vec::new();
        for (number, rule) in RULES.iter().enumerate().filter(|(_, rule)| (rule.when)(seen)) {
            let raised = match rule.rate {
                None => Some((1, 0)),
                Some(rate) => {
                    self.rates.entry((number, seen.service.to_owned())).or_default().count(rate, seen.time_ns, clock)
                }
            };
            alerts.extend(raised.map(|(count, suppressed)| Alert {
                partition,
                offset,
                rule: rule.name.to_owned(),
                key: seen.service.to_owned(),
                severity: rule.severity.to_owned(),
                summary: shortened((rule.says)(seen, count)),
                suppressed,
            }));
        }
        alerts
    }

    /// The highest time so far; but one that is over a day ahead is believed only when the next one is too, and then the lower one
    /// of the two.
    fn moved_to(&mut self, time: i64) -> i64 {
        let mut clock = self.clock.unwrap_or(time);
        if let Some(doubted) = self.doubted.take()
            && time > clock + DAY_NS
        {
            clock = doubted.min(time);
        }
        if time > clock + DAY_NS {
            self.doubted = Some(time);
        } else {
            clock = clock.max(time);
        }
        self.clock = Some(clock);
        clock
    }
}

impl Counted {
    /// How many there are in the window of the newest one, and how many alerts were kept back, when that makes an alert.
    fn count(&mut self, rate: Rate, time: i64, clock: i64) -> Option<(usize, usize)> {
        let time = time.min(clock);
        let pane_ns = rate.within_ns / 60;
        let kept_ns = if self.alerted.is_some() { rate.quiet_ns } else { 0 }.max(61 * pane_ns);
        if clock >= self.touched + kept_ns {
            *self = Self::default();
        }
        let pane = |time: i64| time / pane_ns;
        let newest = self.times.iter().copied().max().map_or(time, |newest| newest.max(time));
        if pane(time) + 60 < pane(newest) {
            return None;
        }
        self.times.push(time);
        self.touched = clock;
        let count = self.times.iter().filter(|one| pane(**one) + 60 >= pane(newest)).count();
        if count <= rate.more_than {
            return None;
        }
        if self.alerted.is_some_and(|alerted| time < alerted + rate.quiet_ns) {
            self.suppressed += 1;
            return None;
        }
        self.alerted = Some(time);
        Some((count, std::mem::take(&mut self.suppressed)))
    }
}

fn shortened(summary: String) -> String {
    let end = (0..=summary.len().min(SUMMARY_BYTES_MAX)).rev().find(|end| summary.is_char_boundary(*end));
    summary[..end.unwrap_or(0)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(events: &[(i64, &str, &str)]) -> Vec<String> {
        let mut partition = Partition::default();
        let see = |(offset, (second, level, message)): (usize, &(i64, &str, &str))| {
            let seen = Seen { time_ns: second * SECOND_NS, level, service: "s", message };
            partition.see(0, offset as i64, &seen)
        };
        let alerts = events.iter().enumerate().flat_map(see);
        alerts.map(|alert| format!("{} {} {}", alert.offset, alert.rule, alert.summary)).collect()
    }

    #[test]
    fn each_rule_raises_what_it_says() {
        assert_eq!(raised(&[(0, "INFO", "done"), (0, "error", "x")]), ["1 error s: x"]);
        assert_eq!(
            raised(&[(0, "INFO", "Out of Memory: Failed password")]),
            [
                "0 login-failed s refused a login: Out of Memory: Failed password",
                "0 out-of-memory s has no memory left"
            ]
        );
    }

    #[test]
    fn a_rate_is_passed_once_a_window_and_forgets_what_left_it() {
        let events: Vec<_> = [0, 1, 2, 3, 70, 71, 72, 73, 74, 75, 76, 500].map(|at| (at, "ERROR", "")).into();
        let rates: Vec<_> = raised(&events).into_iter().filter(|alert| alert.contains("many")).collect();
        assert_eq!(rates, ["9 many-errors s: 6 errors within a minute"]);
    }
}
