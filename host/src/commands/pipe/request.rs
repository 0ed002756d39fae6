//! What may be asked over the pipe.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use wasmill_engine::Limits;

use super::names::Names;
use crate::dead_letters::bytes;

/// A request.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Request {
    Events(Vec<Event>),
    Replay(True),
    Restart(True),
    Swap(Swap),
    State(Seed),
    Lookups(Names),
    Torture(Torture),
}

/// `true`: a request that has no more to say.
#[derive(Deserialize)]
#[serde(try_from = "bool")]
pub(super) struct True;

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("write true, or leave the request out") }
    }
}

/// Hostile events: for the fields alone, or for an event that the plugin takes.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Torture {
    OfFields,
    Like(Value),
}

impl TryFrom<Value> for Torture {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        match value {
            Value::Bool(true) => Ok(Self::OfFields),
            Value::Object(_) => Ok(Self::Like(value)),
            _ => Err("write true, or an event to be spoiled, a JSON object"),
        }
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Event {
    payload: Option<String>,
    payload_base64: Option<String>,
    #[serde(default)]
    pub(super) time_ns: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Swap {
    pub(super) file: Option<PathBuf>,
    pub(super) config: Option<Value>,
    pub(super) limits: Option<Limits>,
}

/// What is put into the state.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seed {
    #[serde(default)]
    pub(super) put: Vec<Put>,
    pub(super) now_ns: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Put {
    key: Option<String>,
    key_base64: Option<String>,
    value: Option<String>,
    value_base64: Option<String>,
    /// Absent: never, as is the next.
    pub(super) expires_ns: Option<i64>,
    pub(super) wake_ns: Option<i64>,
}

impl Event {
    /// The payload; `None` for a tombstone.
    pub(super) fn payload(&self) -> Result<Option<Vec<u8>>, String> {
        bytes(self.payload.clone(), self.payload_base64.clone()).map_err(|error| format!("payload_base64: {error}"))
    }
}

impl Put {
    /// The key, and the value.
    pub(super) fn entry(self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let of = |what: &str, text, base64| {
            let bytes = bytes(text, base64).map_err(|error| format!("{what}_base64: {error}"))?;
            bytes.ok_or_else(|| format!("an entry of the state has no {what}"))
        };
        Ok((of("key", self.key, self.key_base64)?, of("value", self.value, self.value_base64)?))
    }
}
