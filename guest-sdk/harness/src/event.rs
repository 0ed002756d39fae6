//! Events as tests write them.

use std::env;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::Random;

/// The variable that makes [`Events::any`] take the same events again.
const SEED: &str = "WASMILL_SEED";

/// One event: a payload, and the time of its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The payload; `None` for a tombstone.
    pub payload: Option<Vec<u8>>,
    /// Nanoseconds since 1970.
    pub time_ns: i64,
}

impl Event {
    /// An event of these bytes, which need be no JSON, of the time 0.
    pub fn bytes(payload: impl Into<Vec<u8>>) -> Self {
        Self { payload: Some(payload.into()), time_ns: 0 }
    }

    /// An event made of a value of any type that can be written as JSON.
    ///
    /// ```
    /// use wasmill_harness::Event;
    ///
    /// let event = Event::of(&serde_json::json!({ "n": 1 })).at_ms(1_795_250_700_000);
    /// assert_eq!(event.payload.as_deref(), Some(&br#"{"n":1}"#[..]));
    /// ```
    ///
    /// # Panics
    /// When it cannot be written as JSON: a map whose keys are no text.
    pub fn of(value: &impl Serialize) -> Self {
        Self::bytes(serde_json::to_vec(value).expect("the event can be written as JSON"))
    }

    /// A record without a value.
    pub fn tombstone() -> Self {
        Self { payload: None, time_ns: 0 }
    }

    /// The same at a time: milliseconds since 1970.
    #[must_use]
    pub fn at_ms(self, milliseconds: i64) -> Self {
        Self { time_ns: milliseconds.saturating_mul(1_000_000), ..self }
    }

    /// As text, for people.
    pub(crate) fn shown(&self) -> String {
        self.payload
            .as_deref()
            .map_or("a tombstone".to_owned(), |payload| String::from_utf8_lossy(payload).into_owned())
    }

    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        crate::state::insert_bytes(&mut object, "payload", self.payload.as_deref());
        object.insert("time_ns".to_owned(), self.time_ns.into());
        object
    }
}

impl From<&str> for Event {
    fn from(payload: &str) -> Self {
        Self::bytes(payload)
    }
}

impl From<&&str> for Event {
    fn from(payload: &&str) -> Self {
        Self::bytes(*payload)
    }
}

impl From<String> for Event {
    fn from(payload: String) -> Self {
        Self::bytes(payload)
    }
}

impl From<&String> for Event {
    fn from(payload: &String) -> Self {
        Self::bytes(payload.as_bytes())
    }
}

impl From<&Event> for Event {
    fn from(event: &Event) -> Self {
        event.clone()
    }
}

/// Events in order, and the seed that they were made with, if they were. Made of anything that is a list of what [`Event`] is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    pub(crate) list: Vec<Event>,
    pub(crate) seed: Option<u64>,
}

impl Events {
    /// So many events of a generator. Its seed is another one each time, told by every assertion that fails; `WASMILL_SEED` takes one
    /// again.
    ///
    /// ```
    /// use wasmill_harness::Events;
    ///
    /// let events = Events::any(100, |random| format!(r#"{{"n":{}}}"#, random.i64(-5..5)));
    /// assert_eq!(events.iter().len(), 100);
    /// ```
    ///
    /// # Panics
    /// When `WASMILL_SEED` is set and no number.
    pub fn any<E: Into<Event>>(count: usize, make: impl FnMut(&mut Random) -> E) -> Self {
        let seed = match env::var(SEED) {
            Ok(seed) => seed.parse().unwrap_or_else(|_| panic!("{SEED} is {seed:?}, which is no number: unset it")),
            Err(_) => fastrand::u64(..),
        };
        Self::seeded(seed, count, make)
    }

    /// The same with a seed of its own.
    pub fn seeded<E: Into<Event>>(seed: u64, count: usize, mut make: impl FnMut(&mut Random) -> E) -> Self {
        let mut random = Random::with_seed(seed);
        Self { list: (0..count).map(|_| make(&mut random).into()).collect(), seed: Some(seed) }
    }

    /// The events of lines, such as those of a file: one each, of the time 0. Empty lines are left out.
    pub fn lines(text: &str) -> Self {
        text.lines().filter(|line| !line.is_empty()).collect()
    }

    /// The same, all at one time: milliseconds since 1970.
    #[must_use]
    pub fn at_ms(self, milliseconds: i64) -> Self {
        Self { list: self.list.into_iter().map(|event| event.at_ms(milliseconds)).collect(), ..self }
    }

    /// The events in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Event> {
        self.list.iter()
    }

    /// What an assertion that fails says of where they came from.
    pub(crate) fn origin(&self) -> String {
        self.seed.map_or(String::new(), |seed| format!("\n  again      {SEED}={seed} cargo test"))
    }
}

impl<E: Into<Event>> FromIterator<E> for Events {
    fn from_iter<I: IntoIterator<Item = E>>(events: I) -> Self {
        Self { list: events.into_iter().map(Into::into).collect(), seed: None }
    }
}

impl<E: Into<Event>, const N: usize> From<[E; N]> for Events {
    fn from(events: [E; N]) -> Self {
        events.into_iter().collect()
    }
}

impl<E: Into<Event>> From<Vec<E>> for Events {
    fn from(events: Vec<E>) -> Self {
        events.into_iter().collect()
    }
}

impl<'a, E> From<&'a [E]> for Events
where
    &'a E: Into<Event>,
{
    fn from(events: &'a [E]) -> Self {
        events.iter().collect()
    }
}

impl<'a, E, const N: usize> From<&'a [E; N]> for Events
where
    &'a E: Into<Event>,
{
    fn from(events: &'a [E; N]) -> Self {
        events.iter().collect()
    }
}

impl<'a, E> From<&'a Vec<E>> for Events
where
    &'a E: Into<Event>,
{
    fn from(events: &'a Vec<E>) -> Self {
        events.iter().collect()
    }
}

impl From<&Events> for Events {
    fn from(events: &Events) -> Self {
        events.clone()
    }
}

impl From<Event> for Events {
    fn from(event: Event) -> Self {
        Self { list: vec![event], seed: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_made_of_whatever_is_at_hand() {
        let expected: Events = vec![Event::bytes("a"), Event::bytes("b")].into();
        let texts = ["a", "b"];
        assert_eq!(Events::from(texts), expected);
        assert_eq!(Events::from(&texts), expected);
        assert_eq!(Events::from(&texts[..]), expected);
        assert_eq!(Events::from(&texts.map(str::to_owned).to_vec()), expected);
        assert_eq!(Events::lines("a\n\nb\n"), expected);
    }

    #[test]
    fn a_seed_makes_the_same_events() {
        let make = |seed| Events::seeded(seed, 20, |random: &mut Random| random.u64(..).to_string());
        assert_eq!(make(7), make(7));
        assert_ne!(make(7).list, make(8).list);
        assert_eq!(make(7).origin(), "\n  again      WASMILL_SEED=7 cargo test");
    }

    #[test]
    fn bytes_that_are_no_text_are_told_apart() {
        assert_eq!(Event::bytes([0xff]).to_json()["payload_base64"], "/w==");
        assert!(!Event::tombstone().to_json().contains_key("payload"));
        assert_eq!(Event::bytes("").at_ms(2).to_json()["time_ns"], 2_000_000);
    }
}
