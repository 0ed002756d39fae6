//! What a rule remembers of a key, and when an event of that key raises an alert.
//!
//! All of it is arithmetic over an [`Entry`], a time and the partition's clock: no host is asked. So the same events give the same
//! alerts wherever a batch ends, or a life of the process.
//!
//! A window is made of panes: `within` is cut into [`PANES`] of them, counted from 1970, and the window is the pane of the key's
//! newest event with the [`PANES`] before it. So whatever lies no further apart than `within` counts together, and nothing does
//! that lies further apart than `within` and a sixtieth. A late event counts in the pane of its time; where that has left
//! the window, it is too late and changes nothing. An event ahead of the clock counts at the clock.
//!
//! Entries are let go of by the clock: a key that is silent for the length of its window begins anew.

use crate::entry::{Entry, LONG_AGO, Stored, item, pane_and_events};
use wasmill_sdk::state::{Life, NEVER};

/// Panes of a window.
pub(crate) const PANES: u32 = 60;

/// What a rule remembers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) what: What,
    /// Of a window, or an absence.
    pub(crate) within_ns: i64,
    /// How long the rule is quiet about a key after an alert; 0: not at all.
    pub(crate) quiet_ns: i64,
    /// Of a window: rounded up, so that the panes together are no shorter than the window.
    pane_ns: i64,
    /// Of all panes together; 0 without a window.
    panes_ns: i64,
}

/// When an event is taken in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The event's time, or the clock where that is earlier.
    time: i64,
    clock: i64,
    /// Of the window, the time's.
    pane: i64,
}

/// The pane of the last time that was asked for. The next time mostly lies in it too, and to divide takes longer than to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pane {
    number: i64,
    first_ns: i64,
    last_ns: i64,
}

/// No time lies in it.
impl Default for Pane {
    fn default() -> Self {
        Pane { number: 0, first_ns: i64::MAX, last_ns: i64::MIN }
    }
}

impl Pane {
    /// Becomes the pane of a time, and answers its number.
    #[inline(always)]
    fn turn(&mut self, time: i64, pane_ns: i64) -> i64 {
        if time < self.first_ns || time > self.last_ns {
            let since = time.rem_euclid(pane_ns);
            let (first_ns, last_ns) = (time.saturating_sub(since), time.saturating_add(pane_ns - 1 - since));
            *self = Pane { number: time.div_euclid(pane_ns), first_ns, last_ns };
        }
        self.number
    }
}

/// What makes an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// Every event that matches.
    Every,
    /// More than so many of them in a window.
    Rate(u64),
    /// More than so many different values of them in a window.
    Distinct(u32),
    /// None of them for a time.
    Absent,
}

/// What came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) alert: Option<Facts>,
    /// Of the entry as it is now.
    pub(crate) life: Life,
}

/// What an alert can tell beyond its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Events, or different values, in the window.
    pub(crate) count: u64,
    /// Alerts that were kept back since the last one.
    pub(crate) suppressed: u32,
    /// When the absent key was last seen.
    pub(crate) last_seen: i64,
}

impl Facts {
    /// There is nothing but the event.
    pub(crate) const NONE: Facts = Facts { count: 0, suppressed: 0, last_seen: 0 };
}

impl Watch {
    pub(crate) fn new(what: What, within_ns: i64, quiet_ns: i64) -> Self {
        let (pane_ns, panes_ns) = match what {
            What::Rate(_) | What::Distinct(_) => {
                let pane_ns = (within_ns + i64::from(PANES) - 1) / i64::from(PANES);
                (pane_ns, pane_ns * (i64::from(PANES) + 1))
            }
            // All times lie in one pane, or two.
            What::Every | What::Absent => (i64::MAX, 0),
        };
        Watch { what, within_ns, quiet_ns, pane_ns, panes_ns }
    }

    /// When an event of this time is taken in, by the clock with it. `pane` is that of the rule's last event.
    #[inline(always)]
    pub(crate) fn moment(&self, pane: &mut Pane, time: i64, clock: i64) -> Moment {
        let time = time.min(clock);
        Moment { time, clock, pane: pane.turn(time, self.pane_ns) }
    }

    /// Takes in an event that matches where its key's entry is stored, if all there is to do is to count: one event more in a pane
    /// that has some, or an alert that is kept back. Answers how long the entry lives; `None`: there is more to do, and nothing
    /// is done.
    #[inline(always)]
    pub(crate) fn count(&self, stored: &mut [u8], Moment { time, clock, pane }: Moment) -> Option<Life> {
        let mut stored = Stored::of(stored)?;
        let quiet_until = stored.quiet_until();
        let (fires, this) = match self.what {
            What::Every => (true, None),
            What::Rate(more_than) => {
                // It is there, and so in the window.
                let is_in_window = pane <= stored.newest() && stored.newest() - pane <= i64::from(PANES);
                let mut count = 1;
                let mut this = None;
                for place in &mut *stored.panes {
                    let [of, events] = pane_and_events(*place);
                    count += u64::from(events);
                    if of == pane as u32 {
                        this = Some((place, events));
                    }
                }
                (count > more_than, Some(this.filter(|_| is_in_window)?))
            }
            What::Distinct(_) | What::Absent => return None,
        };
        if fires && time >= quiet_until {
            return None;
        }
        if let Some((place, events)) = this {
            *place = item([pane as u32, events.checked_add(1)?]);
        }
        if fires {
            stored.suppress();
        }
        Some(Life::until(clock.saturating_add(self.lasting_ns(quiet_until))))
    }

    /// Takes in an event that matches, with the hash of its value for a distinct rate. `None`: it is too late, and the entry is as
    /// it was.
    pub(crate) fn see(&self, entry: &mut Entry, moment: Moment, value: u64) -> Option<Step> {
        let Moment { time, clock, pane } = moment;
        let (fires, count) = match self.what {
            What::Every => (true, 1),
            What::Rate(more_than) => {
                turn::<2>(entry, pane)?;
                let count = add_event(entry, pane as u32);
                (count > more_than, count)
            }
            What::Distinct(more_than) => {
                turn::<3>(entry, pane)?;
                let count = add_value(entry, pane as u32, value, more_than as usize + 1);
                (count > more_than as usize, count as u64)
            }
            What::Absent => return self.await_next(entry, time, clock),
        };
        let alert = if fires { self.alert(entry, time, count) } else { None };
        Some(Step { alert, life: Life::until(clock.saturating_add(self.lasting_ns(entry.quiet_until))) })
    }

    /// Takes in that the clock has passed the time until which the key was awaited.
    pub(crate) fn miss(&self, entry: &mut Entry, clock: i64) -> Step {
        let alert = self.alert(entry, clock, 0);
        Step { alert, life: Life::until(clock.saturating_add(self.lasting_ns(entry.quiet_until))) }
    }

    /// Awaits the next event of the key.
    fn await_next(&self, entry: &mut Entry, time: i64, clock: i64) -> Option<Step> {
        if time.saturating_add(self.within_ns) < clock {
            return None;
        }
        entry.newest = entry.newest.max(time);
        let wake = entry.newest.saturating_add(self.within_ns).saturating_add(1);
        Some(Step { alert: None, life: Life { expires: NEVER, wake } })
    }

    /// The alert, unless the rule is quiet about the key.
    fn alert(&self, entry: &mut Entry, time: i64, count: u64) -> Option<Facts> {
        if time < entry.quiet_until {
            entry.suppressed = entry.suppressed.saturating_add(1);
            return None;
        }
        let facts = Facts { count, suppressed: entry.suppressed, last_seen: entry.newest };
        entry.suppressed = 0;
        if self.quiet_ns > 0 {
            entry.quiet_until = time.saturating_add(self.quiet_ns);
        }
        Some(facts)
    }

    /// How long what is known now has a meaning.
    fn lasting_ns(&self, quiet_until: i64) -> i64 {
        if quiet_until == LONG_AGO { self.panes_ns } else { self.panes_ns.max(self.quiet_ns) }
    }
}

/// Turns the window to a pane; `None`: that has left the window.
fn turn<const WORDS: usize>(entry: &mut Entry, pane: i64) -> Option<()> {
    if pane > entry.newest {
        if pane.saturating_sub(entry.newest) > i64::from(PANES) {
            entry.clear();
        } else {
            entry.retain::<WORDS>(pane as u32, PANES);
        }
        entry.newest = pane;
    }
    (entry.newest - pane <= i64::from(PANES)).then_some(())
}

/// Counts an event in a pane, and answers how many there are in all panes.
fn add_event(entry: &mut Entry, pane: u32) -> u64 {
    let mut count = 0;
    let mut is_there = false;
    for [of, events] in entry.items::<2>() {
        if *of == pane {
            *events = events.saturating_add(1);
            is_there = true;
        }
        count += u64::from(*events);
    }
    if is_there {
        return count;
    }
    entry.push([pane, 1]);
    count + 1
}

/// Notes a value in a pane, and answers how many different ones there are, at most `values_max`. When there are more, those that
/// were seen last are kept, which is all that the count depends on.
fn add_value(entry: &mut Entry, pane: u32, value: u64, values_max: usize) -> usize {
    let newest = entry.newest as u32;
    let age = newest.wrapping_sub(pane);
    let [low, high] = [value as u32, (value >> 32) as u32];
    let items = entry.items::<3>();
    let count = items.len();
    let (mut oldest, mut oldest_age) = (0, 0);
    for (index, item) in items.iter_mut().enumerate() {
        let this_age = newest.wrapping_sub(item[0]);
        if item[1..] == [low, high] {
            if age < this_age {
                item[0] = pane;
            }
            return count;
        }
        if this_age > oldest_age {
            (oldest, oldest_age) = (index, this_age);
        }
    }
    if count < values_max {
        entry.push([pane, low, high]);
        return count + 1;
    }
    if age < oldest_age {
        items[oldest] = [pane, low, high];
    }
    count
}

#[cfg(test)]
mod tests;
