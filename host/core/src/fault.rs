//! What is wrong with a payload: the code that counters go by, and the sentence that people read.

use std::borrow::Cow;
use std::fmt;

use crate::{Rejection, Stage};

/// Why a payload cannot be taken. Positions are bytes from the payload's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Tombstone,
    Empty,
    TooLarge {
        length: u64,
        limit: u64,
    },
    /// The batch's projected text would pass what a slot can name.
    TooMuchText,
    ByteOrderMark,
    BadUtf8 {
        at: usize,
    },
    Unexpected {
        wanted: &'static str,
        found: u8,
        at: usize,
    },
    Garbage {
        at: usize,
    },
    Control {
        found: u8,
        at: usize,
    },
    Truncated {
        length: usize,
    },
    NotAnObject,
    TooDeep {
        limit: u32,
        at: usize,
    },
    LoneSurrogate {
        at: usize,
    },
}

impl Fault {
    /// Something else than `wanted` stands at `at`, or nothing at all.
    #[cold]
    pub(crate) fn unexpected(bytes: &[u8], at: usize, wanted: &'static str) -> Self {
        match bytes.get(at) {
            Some(&found) => Self::Unexpected { wanted, found, at },
            None => Self::Truncated { length: bytes.len() },
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Tombstone => "tombstone",
            Self::Empty => "empty",
            Self::TooLarge { .. } | Self::TooMuchText => "too_large",
            Self::BadUtf8 { .. } => "bad_utf8",
            Self::ByteOrderMark | Self::Unexpected { .. } | Self::Garbage { .. } | Self::Control { .. } => "not_json",
            Self::Truncated { .. } => "truncated",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep { .. } => "too_deep",
            Self::LoneSurrogate { .. } => "lone_surrogate",
        }
    }

    /// The rejection of `event` for this fault.
    pub(crate) fn reject(&self, event: u32) -> Rejection {
        let code = Cow::Borrowed(self.code());
        Rejection { event, stage: Stage::Parse, plugin: None, sink: None, code, reason: self.to_string() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Tombstone => f.write_str("the event has no payload: it is a tombstone"),
            Self::Empty => f.write_str("the payload is empty"),
            Self::TooLarge { length, limit } => {
                write!(f, "the payload has {length} bytes; the source takes at most {limit}")
            }
            Self::TooMuchText => f.write_str("the batch's projected text would pass 4 GiB; cut smaller batches"),
            Self::ByteOrderMark => f.write_str(
                "the payload begins with a byte order mark, which JSON does not allow; remove its first three bytes",
            ),
            Self::BadUtf8 { at } => write!(f, "the payload is not UTF-8 at byte {at}"),
            Self::Unexpected { wanted, found, at } => {
                write!(f, "the payload is not JSON: expected {wanted} at byte {at}, found {}", Shown(found))
            }
            Self::Garbage { at } => write!(f, "the payload is not JSON: garbage after the object at byte {at}"),
            Self::Control { found, at } => write!(
                f,
                "the payload is not JSON: the control character {} at byte {at} must be escaped in a string",
                Shown(found)
            ),
            Self::Truncated { length } => {
                write!(f, "the payload is truncated: it ends after {length} bytes, before its JSON does")
            }
            Self::NotAnObject => f.write_str("the payload is JSON, but not an object"),
            Self::TooDeep { limit, at } => {
                write!(f, "the payload nests more than {limit} objects and arrays: one more begins at byte {at}")
            }
            Self::LoneSurrogate { at } => write!(
                f,
                "the escape at byte {at} is half of a surrogate pair; write the character itself or both halves"
            ),
        }
    }
}

/// A byte as people can read it.
struct Shown(u8);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            byte @ 0x21..=0x7e => write!(f, "'{}'", byte as char),
            byte => write!(f, "0x{byte:02x}"),
        }
    }
}
