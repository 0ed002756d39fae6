//! The state that the host keeps for a plugin, as tests see and seed it, and how bytes go over the pipe.

use std::fmt;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A time that never comes.
const NEVER: i64 = i64::MAX;

/// All that is stored of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// In the order of the keys.
    pub entries: Vec<Entry>,
    /// The clock: the highest time of the events so far, nanoseconds since 1970; `None` before the first.
    pub now_ns: Option<i64>,
}

/// A key and what stands under it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When the value is gone, nanoseconds since 1970 of the clock; `i64::MAX`: never.
    pub expires_ns: i64,
    /// When the key is due; `i64::MAX`: never.
    pub wake_ns: i64,
}

impl State {
    /// The value under a key.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&[u8]> {
        let key = key.as_ref();
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_slice())
    }

    pub(crate) fn of_answer(answer: Value) -> anyhow::Result<Self> {
        let answer: Answer = serde_json::from_value(answer).context("the engine's answer cannot be read")?;
        let entries = answer.state.into_iter().map(Told::entry).collect::<anyhow::Result<_>>()?;
        Ok(Self { entries, now_ns: answer.now_ns })
    }
}

impl Entry {
    /// An entry that stays, and is never due.
    pub fn new(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), value: value.into(), expires_ns: NEVER, wake_ns: NEVER }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        insert_bytes(&mut object, "key", Some(&self.key));
        insert_bytes(&mut object, "value", Some(&self.value));
        object.insert("expires_ns".to_owned(), json!(self.expires_ns));
        object.insert("wake_ns".to_owned(), json!(self.wake_ns));
        Value::Object(object)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" = \"{}\"", self.key.escape_ascii(), self.value.escape_ascii())
    }
}

#[derive(Deserialize)]
struct Answer {
    state: Vec<Told>,
    now_ns: Option<i64>,
}

#[derive(Deserialize)]
struct Told {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    expires_ns: i64,
    wake_ns: i64,
}

impl Told {
    fn entry(self) -> anyhow::Result<Entry> {
        Ok(Entry {
            key: bytes(self.key, self.key_base64)?.unwrap_or_default(),
            value: bytes(self.value, self.value_base64)?.unwrap_or_default(),
            expires_ns: self.expires_ns,
            wake_ns: self.wake_ns,
        })
    }
}

/// Bytes that came as text or as base64; `None` where there are neither.
pub(crate) fn bytes(text: Option<String>, base64: Option<String>) -> anyhow::Result<Option<Vec<u8>>> {
    let decoded = base64.map(|text| STANDARD.decode(text)).transpose().context("the engine's base64 cannot be read")?;
    Ok(text.map(String::into_bytes).or(decoded))
}

/// Puts bytes into an object: as text where they are UTF-8, else as base64.
pub(crate) fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return };
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => object.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}
