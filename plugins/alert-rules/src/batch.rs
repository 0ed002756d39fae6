//! Rules that remember something, over a whole batch.
//!
//! State is asked for once per batch, so a batch is gone through twice: first every rule is asked about every event, and the
//! keys of what matches are named; then, with what is known about them, the matches are taken in order.

use crate::Event;
use crate::columns::Columns;
use crate::entry::Entry;
use crate::memory::PREFIX_BYTES;
use crate::rules::{Rule, Rules};
use crate::template::text_of;
use crate::watch::{Facts, Step};
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
pub(crate) fn evaluate(events: &Events<'_, Event<'_>>, state: &mut State<'_>, rules: &Rules) -> Vec<(u32, Alert)> {
    let matches = find(events, state, rules);
    state.fetch();
    if rules.await_keys {
        state.fetch_due(ABSENCES_PER_EVENT);
    }
    let mut pass = Pass { rules, state, entry: Entry::default(), bytes: Vec::new(), alerts: Vec::new(), too_late: 0 };
    let mut matches = matches.iter().peekable();
    for (event, fields) in events.iter() {
        let columns = Columns(fields.slots);
        if rules.await_keys {
            pass.miss(event, columns);
        }
        while let Some(matched) = matches.next_if(|matched| matched.event as usize == event) {
            pass.see(matched, events.times()[event], columns);
        }
    }
    if pass.too_late > 0 {
        log::warn!("{} events came too late for the windows of their rules, and were not counted", pass.too_late);
    }
    pass.alerts
}

/// Asks every rule about every event.
fn find(events: &Events<'_, Event<'_>>, state: &mut State<'_>, rules: &Rules) -> Vec<Match> {
    let mut matches = Vec::with_capacity(events.len());
    let mut key = Vec::new();
    for (event, fields) in events.iter() {
        let columns = Columns(fields.slots);
        for (number, rule) in rules.iter().enumerate() {
            if rule.when.matches(&columns)
                && let Some((key, value)) = remember(rule, columns, state, &mut key)
            {
                matches.push(Match { event: event as u32, rule: number as u32, key, value });
            }
        }
    }
    matches
}

/// The key and the value of an event that a rule matches; `None`: it has no value for the rule to count.
fn remember(rule: &Rule, columns: Columns<'_>, state: &mut State<'_>, key: &mut Vec<u8>) -> Option<(Option<Key>, u64)> {
    let Some(memory) = &rule.memory else { return Some((None, 0)) };
    let value = memory.value(&columns)?;
    key.clear();
    key.extend_from_slice(&memory.prefix);
    rule.append_key(&columns, key);
    Some((Some(state.key(key)), value))
}

/// The second time through the batch.
struct Pass<'p, 'h> {
    rules: &'p Rules,
    state: &'p mut State<'h>,
    /// Used again for each match.
    entry: Entry,
    bytes: Vec<u8>,
    alerts: Vec<(u32, Alert)>,
    too_late: u32,
}

impl Pass<'_, '_> {
    /// Takes in that the clock has come to an event, past which keys may be awaited no longer.
    fn miss(&mut self, event: usize, columns: Columns<'_>) {
        while let Some(DueKey { key, .. }) = self.state.next_due(event) {
            let Some((rule, memory)) = self.rules.of_key(self.state.key_bytes(key)) else {
                // Of a rule that is no more.
                self.state.remove(event, key);
                continue;
            };
            self.load(event, key);
            let step = memory.watch.miss(&mut self.entry, self.state.clock(event));
            self.take(event, rule, key, step, columns);
        }
    }

    /// Takes in a match.
    fn see(&mut self, matched: &Match, time: i64, columns: Columns<'_>) {
        let event = matched.event as usize;
        let rule = self.rules.rule(matched.rule);
        let (Some(key), Some(memory)) = (matched.key, &rule.memory) else {
            self.alerts.push((matched.event, rule.alert_at_once(columns)));
            return;
        };
        self.load(event, key);
        match memory.watch.see(&mut self.entry, time, self.state.clock(event), matched.value) {
            Some(step) => self.take(event, rule, key, step, columns),
            None => self.too_late += 1,
        }
    }

    // Both are called twice, and the second time seldom: what the state does in them is there once.
    #[inline(never)]
    fn load(&mut self, event: usize, key: Key) {
        self.entry.load(self.state.get(event, key));
    }

    #[inline(never)]
    fn take(&mut self, event: usize, rule: &Rule, key: Key, step: Step, columns: Columns<'_>) {
        self.entry.save(&mut self.bytes);
        self.state.put(event, key, &self.bytes, step.life);
        if let Some(facts) = step.alert {
            self.alert(event, rule, key, facts, columns);
        }
    }

    #[cold]
    fn alert(&mut self, event: usize, rule: &Rule, key: Key, facts: Facts, columns: Columns<'_>) {
        let key = text_of(self.state.key_bytes(key)[PREFIX_BYTES..].to_vec());
        self.alerts.push((event as u32, rule.alert(key, columns, facts)));
    }
}
