//! Rules that remember something, over a whole batch.
//!
//! State is asked for once per batch, so a batch is gone through twice: first every rule is asked about every event, and the
//! keys of what matches are named; then, with what is known about them, the matches are taken in order.

use crate::Event;
use crate::columns::{Columns, Undecided};
use crate::entry::Entry;
use crate::memory::PREFIX_BYTES;
use crate::rules::{Rule, Rules};
use crate::template::text_of;
use crate::watch::{Facts, Pane, Step};
use wasmill_sdk::state::{DueKey, Key, State};
use wasmill_sdk::{Alert, Events, log};

/// Absences that one event looks into. More of them wait for the next events, the earliest first, since an event may only have so
/// many alerts.
pub(crate) const ABSENCES_PER_EVENT: usize = 8;

/// An event that a rule matches.
struct Match {
    event: u32,
    rule: u32,
    /// Of a rule that remembers something.
    key: Option<Key>,
    /// The hash of the value that a distinct rate counts.
    value: u64,
}

/// The alerts about a batch.
// Both this and the loop over the rules by themselves, so that what each needs for an event stays in registers.
#[inline(never)]
pub(crate) fn evaluate(events: &Events<'_, Event<'_>>, state: &mut State<'_>, rules: &Rules) -> Vec<(u32, Alert)> {
    let undecided = Undecided::default();
    let matches = find(events, state, rules, &undecided);
    undecided.tell();
    state.fetch();
    if rules.await_keys {
        state.fetch_due(ABSENCES_PER_EVENT);
    }
    let mut pass = Pass {
        events,
        rules,
        undecided: &undecided,
        state,
        panes: vec![Pane::default(); rules.len()],
        entry: Entry::default(),
        bytes: Vec::new(),
        alerts: Vec::new(),
        too_late: 0,
    };
    let mut next = 0;
    for matched in &matches {
        pass.miss(&mut next, matched.event as usize + 1);
        pass.see(matched);
    }
    pass.miss(&mut next, events.len());
    if pass.too_late > 0 {
        log::warn!("events that came too late for the windows of their rules, and are not counted: {}", pass.too_late);
    }
    pass.alerts
}

/// Asks every rule about every event.
#[inline(never)]
fn find(events: &Events<'_, Event<'_>>, state: &mut State<'_>, rules: &Rules, undecided: &Undecided) -> Vec<Match> {
    let mut matches = Vec::with_capacity(events.len());
    for (event, fields) in events.iter() {
        let columns = Columns::new(fields.slots, undecided);
        for (number, rule) in rules.iter().enumerate() {
            if rule.when.matches(&columns)
                && let Some((key, value)) = remember(rule, columns, state)
            {
                matches.push(Match { event: event as u32, rule: number as u32, key, value });
            }
        }
    }
    matches
}

/// The key and the value of an event that a rule matches; `None`: it has no value for the rule to count.
// Inlined it would slow down the loop for events that match no rule.
#[inline(never)]
fn remember(rule: &Rule, columns: Columns<'_>, state: &mut State<'_>) -> Option<(Option<Key>, u64)> {
    let Some(memory) = &rule.memory else { return Some((None, 0)) };
    let value = memory.value(&columns)?;
    let key = state.key_of(|key| {
        key.extend_from_slice(&memory.prefix);
        rule.append_key(&columns, key);
    });
    Some((Some(key), value))
}

/// The second time through the batch.
struct Pass<'p, 'h> {
    events: &'p Events<'p, Event<'p>>,
    rules: &'p Rules,
    undecided: &'p Undecided,
    state: &'p mut State<'h>,
    /// By rule.
    panes: Vec<Pane>,
    /// Used again for each match.
    entry: Entry,
    bytes: Vec<u8>,
    alerts: Vec<(u32, Alert)>,
    too_late: u32,
}

impl Pass<'_, '_> {
    /// Takes in that the clock has come to the events from `next` up to `end`, past which keys may be awaited no longer.
    #[inline]
    fn miss(&mut self, next: &mut usize, end: usize) {
        if self.rules.await_keys {
            (*next..end).for_each(|event| self.miss_at(event));
            *next = end.max(*next);
        }
    }

    fn miss_at(&mut self, event: usize) {
        while let Some(DueKey { key, .. }) = self.state.next_due(event) {
            let Some((rule, memory)) = self.rules.of_key(self.state.key_bytes(key)) else {
                // Of a rule that is no more.
                self.state.remove(event, key);
                continue;
            };
            self.load(event, key);
            let step = memory.watch.miss(&mut self.entry, self.state.clock(event));
            self.take(event, rule, key, step);
        }
    }

    /// Takes in a match.
    fn see(&mut self, matched: &Match) {
        let event = matched.event as usize;
        let rule = self.rules.rule(matched.rule);
        let (Some(key), Some(memory)) = (matched.key, &rule.memory) else {
            self.alert_at_once(event, rule);
            return;
        };
        let (watch, time) = (&memory.watch, self.events.times()[event]);
        let pane = &mut self.panes[matched.rule as usize];
        if self.state.update(event, key, |clock, stored| watch.count(stored, watch.moment(pane, time, clock))) {
            return;
        }
        let moment = watch.moment(pane, time, self.state.clock(event));
        self.load(event, key);
        match watch.see(&mut self.entry, moment, matched.value) {
            Some(step) => self.take(event, rule, key, step),
            None => self.too_late += 1,
        }
    }

    // Both are called twice, and the second time seldom: what the state does in them is there once.
    #[inline(never)]
    fn load(&mut self, event: usize, key: Key) {
        self.entry.load(self.state.get(event, key));
    }

    #[inline(never)]
    fn take(&mut self, event: usize, rule: &Rule, key: Key, step: Step) {
        self.entry.save(&mut self.bytes);
        self.state.put(event, key, &self.bytes, step.life);
        if let Some(facts) = step.alert {
            self.alert(event, rule, key, facts);
        }
    }

    #[cold]
    fn alert(&mut self, event: usize, rule: &Rule, key: Key, facts: Facts) {
        let Some(Event { slots }) = self.events.get(event) else { return };
        let key = text_of(self.state.key_bytes(key)[PREFIX_BYTES..].to_vec());
        self.alerts.push((event as u32, rule.alert(key, Columns::new(slots, self.undecided), facts)));
    }

    #[cold]
    fn alert_at_once(&mut self, event: usize, rule: &Rule) {
        let Some(Event { slots }) = self.events.get(event) else { return };
        self.alerts.push((event as u32, rule.alert_at_once(Columns::new(slots, self.undecided))));
    }
}
