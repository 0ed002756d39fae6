//! Plugins in native tests: batches made of JSON, answers that are easy to compare.
//!
//! This is no engine: it projects with `serde_json`, has no limits, and an event is whatever the test says. Tests in the real
//! engine go through `wasmill-harness`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::alert::Alert;
use crate::batch::{Batch, Lists};
use crate::field::{Field, Kind, Lookup, State};
use crate::plugin::{Alerter, Enricher, Loaded, Plugin, Validator};
use crate::verdict::{Verdict, Verdicts};
use crate::writer::Columns;

/// An event for a native test: its payload, a JSON object, and its time. A `&str` is one with time 0 and without names.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The payload.
    pub payload: &'a str,
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    pub time_ns: i64,
    /// What reverse DNS answers: addresses, as they stand in the payload, with their names.
    pub names: &'a [(&'a str, &'a str)],
}

impl<'a> Event<'a> {
    /// The same event, with answers of reverse DNS.
    #[must_use]
    pub fn with_names(self, names: &'a [(&'a str, &'a str)]) -> Self {
        Event { names, ..self }
    }
}

impl<'a> From<&'a str> for Event<'a> {
    fn from(payload: &'a str) -> Self {
        (payload, 0).into()
    }
}

impl<'a> From<&'a String> for Event<'a> {
    fn from(payload: &'a String) -> Self {
        payload.as_str().into()
    }
}

impl<'a> From<(&'a str, i64)> for Event<'a> {
    fn from((payload, time_ns): (&'a str, i64)) -> Self {
        Event { payload, time_ns, names: &[] }
    }
}

impl<P: Plugin> Loaded<P> {
    /// A batch of these events, with the fields that the plugin reads.
    ///
    /// # Panics
    /// When a payload is not JSON, as do the functions below.
    pub fn batch<'a, E: Copy + Into<Event<'a>>>(&self, events: &[E]) -> Batch {
        let mut columns = Projection::default();
        for event in events {
            columns.push((*event).into(), &self.manifest().reads);
        }
        Batch::new(self.read_kinds().to_vec(), columns.lists).expect("the projection makes well-formed batches")
    }
}

impl<P: Plugin> Loaded<P> {
    /// The same plugin with the state that another one has now: what a restart finds.
    #[must_use]
    pub fn with_state_of(self, other: &Self) -> Self {
        self.host().take_over(other.host());
        self
    }

    /// The values in the plugin's state that still live, by key.
    pub fn stored(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.host().stored()
    }
}

impl<P: Validator> Loaded<P> {
    /// The verdict on each of these events. As in the engine the plugin does not see an event that lacks a required field.
    pub fn validate_json<'a, E: Copy + Into<Event<'a>>>(&self, events: &[E]) -> Vec<Verdict> {
        events.iter().map(|event| self.validate_one((*event).into())).collect()
    }

    fn validate_one(&self, event: Event<'_>) -> Verdict {
        let payload = parse(event.payload);
        let mut required = self.manifest().reads.iter().filter(|field| field.required);
        if let Some(field) = required.find(|field| find(&payload, &field.path).is_none_or(Value::is_null)) {
            return Verdict::reject("missing_field", format!("the field `{}` is absent or null", field.path));
        }
        let Verdicts { actions, rejections } = self.validate(&self.batch(&[event]));
        match (actions[..] == [1], rejections.into_iter().next()) {
            (_, Some((_, rejection))) => rejection.into(),
            (true, None) => Verdict::drop(),
            (false, None) => Verdict::pass(),
        }
    }
}

impl<P: Enricher> Loaded<P> {
    /// What the plugin writes to each of these events, by path. What it leaves as it is, is not there.
    pub fn enrich_json<'a, E: Copy + Into<Event<'a>>>(&self, events: &[E]) -> Vec<BTreeMap<String, Value>> {
        let columns = self.enrich(&self.batch(events));
        let writes = &self.manifest().writes;
        let written_to = |event: usize| {
            let cells = writes.iter().enumerate().map(|(f, field)| (field, event * writes.len() + f));
            cells
                .filter_map(|(field, slot)| Some((field.path.to_string(), written(&columns, slot, field.kind)?)))
                .collect()
        };
        (0..events.len()).map(written_to).collect()
    }
}

impl<P: Alerter> Loaded<P> {
    /// What the plugin raises about these events: the event's number, and the alert.
    pub fn evaluate_json<'a, E: Copy + Into<Event<'a>>>(&self, events: &[E]) -> Vec<(u32, Alert)> {
        self.evaluate(&self.batch(events)).alerts
    }
}

#[derive(Default)]
struct Projection {
    lists: Lists,
}

impl Projection {
    fn push(&mut self, event: Event<'_>, fields: &[Field]) {
        let payload = parse(event.payload);
        self.lists.times.push(event.time_ns);
        for field in fields {
            let (state, bits) = match (field.kind, find(&payload, &field.path)) {
                (Kind::Raw, _) => (State::Present, self.range(event.payload)),
                (_, text) if field.lookup == Some(Lookup::ReverseDns) => {
                    let text = text.and_then(Value::as_str);
                    let name = event.names.iter().find(|(address, _)| text == Some(address));
                    name.map_or((State::Absent, 0), |(_, name)| (State::Present, self.range(name)))
                }
                (_, None) => (State::Absent, 0),
                (_, Some(Value::Null)) => (State::Null, 0),
                (kind, Some(value)) => match self.bits(kind, value) {
                    Some(bits) => (State::Present, bits),
                    None => (State::OtherType, 0),
                },
            };
            self.put(state, bits);
        }
    }

    fn bits(&mut self, kind: Kind, value: &Value) -> Option<u64> {
        match kind {
            Kind::Text => value.as_str().map(|text| self.range(text)),
            Kind::Integer => value.as_i64().map(|integer| integer as u64),
            Kind::Float => value.as_f64().map(f64::to_bits),
            Kind::Boolean => value.as_bool().map(u64::from),
            Kind::Json | Kind::Raw => Some(self.range(&value.to_string())),
        }
    }

    fn range(&mut self, text: &str) -> u64 {
        let offset = self.lists.text.len() as u64;
        self.lists.text.extend_from_slice(text.as_bytes());
        offset << 32 | text.len() as u64
    }

    fn put(&mut self, state: State, bits: u64) {
        let slot = self.lists.slots.len();
        if slot.is_multiple_of(32) {
            self.lists.states.push(0);
        }
        self.lists.states[slot / 32] |= (state as u64) << (2 * (slot % 32));
        self.lists.slots.push(bits);
    }
}

fn parse(payload: &str) -> Value {
    serde_json::from_str(payload).unwrap_or_else(|why| panic!("{payload:?} is not JSON: {why}"))
}

fn find<'v>(payload: &'v Value, path: &str) -> Option<&'v Value> {
    keys(path).iter().try_fold(payload, |value, key| value.as_object()?.get(key))
}

/// The keys of a path, without their backslashes. The harness has paths too.
#[doc(hidden)]
pub fn keys(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut chars = path.chars();
    while let Some(char) = chars.next() {
        match char {
            '.' => keys.push(String::new()),
            '\\' => keys.last_mut().expect("never empty").extend(chars.next()),
            _ => keys.last_mut().expect("never empty").push(char),
        }
    }
    keys
}

fn written(columns: &Columns, slot: usize, kind: Kind) -> Option<Value> {
    let state =
        columns.states.get(slot / 32).map_or(State::Present, |word| State::from_bits(word >> (2 * (slot % 32))));
    let bits = columns.slots[slot];
    let text = || {
        let offset = (bits >> 32) as usize;
        std::str::from_utf8(&columns.text[offset..offset + (bits & 0xffff_ffff) as usize]).expect("text is UTF-8")
    };
    match state {
        State::Absent => None,
        State::Null => Some(Value::Null),
        State::OtherType => unreachable!("the writer has no such state"),
        State::Present => Some(match kind {
            Kind::Text => text().into(),
            Kind::Integer => (bits as i64).into(),
            Kind::Float => f64::from_bits(bits).into(),
            Kind::Boolean => (bits != 0).into(),
            Kind::Json | Kind::Raw => serde_json::from_str(text()).expect("a written token is JSON"),
        }),
    }
}
