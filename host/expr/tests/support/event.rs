//! One event's columns, extracted from a JSON document the slow and obvious way.

use serde_json::Value as Json;
use wasmill_expr::{Column, Fields, Kind, State};

/// The columns of one event, in the order in which they were asked for.
pub(crate) struct Event(Vec<(State, Slot)>);

enum Slot {
    None,
    Text(String),
    Float(f64),
    Boolean(bool),
    Json(String),
}

impl Event {
    /// Extracts `columns` from `document`, an object.
    pub(crate) fn new(document: &Json, columns: &[Column]) -> Self {
        Self(columns.iter().map(|column| extract(find(document, &column.path), column.kind)).collect())
    }
}

fn find<'a>(document: &'a Json, path: &str) -> Option<&'a Json> {
    keys(path).iter().try_fold(document, |value, key| value.as_object()?.get(key))
}

fn keys(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => keys.push(String::new()),
            '\\' => {
                keys.last_mut().expect("never empty").push(characters.next().expect("a backslash escapes something"))
            }
            _ => keys.last_mut().expect("never empty").push(character),
        }
    }
    keys
}

fn extract(value: Option<&Json>, kind: Kind) -> (State, Slot) {
    let Some(value) = value else { return (State::Absent, Slot::None) };
    let slot = match (kind, value) {
        (_, Json::Null) => return (State::Null, Slot::None),
        (Kind::Json, value) => Slot::Json(value.to_string()),
        (Kind::Text, Json::String(text)) => Slot::Text(text.clone()),
        (Kind::Float, Json::Number(number)) => Slot::Float(number.as_f64().expect("every JSON number is a float")),
        (Kind::Boolean, Json::Bool(boolean)) => Slot::Boolean(*boolean),
        _ => return (State::OtherType, Slot::None),
    };
    (State::Present, slot)
}

impl Fields for Event {
    fn state(&self, slot: usize) -> State {
        self.0[slot].0
    }

    fn text(&self, slot: usize) -> Option<&str> {
        self.present(slot, |value| match value {
            Slot::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    fn float(&self, slot: usize) -> Option<f64> {
        self.present(slot, |value| match value {
            Slot::Float(float) => Some(*float),
            _ => None,
        })
    }

    fn boolean(&self, slot: usize) -> Option<bool> {
        self.present(slot, |value| match value {
            Slot::Boolean(boolean) => Some(*boolean),
            _ => None,
        })
    }

    fn json(&self, slot: usize) -> Option<&str> {
        self.present(slot, |value| match value {
            Slot::Json(token) => Some(token.as_str()),
            _ => None,
        })
    }
}

impl Event {
    /// The value, if there is one; reading it as another kind than was asked for is a mistake in the program.
    fn present<'a, T>(&'a self, slot: usize, read: impl Fn(&'a Slot) -> Option<T>) -> Option<T> {
        let (state, value) = &self.0[slot];
        (*state == State::Present).then(|| read(value).expect("a column is read as the kind it was asked for"))
    }
}
