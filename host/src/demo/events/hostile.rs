//! What can be wrong with an event.

use super::{Event, NESTING};

/// What is wrong with a hostile event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hostile {
    /// Text, not JSON.
    NotJson,
    /// Something follows the object.
    GarbageAfter,
    /// The object ends in the middle.
    Truncated,
    /// No byte at all.
    Empty,
    /// A null value.
    Tombstone,
    /// JSON, but an array.
    NotAnObject,
    /// `severity` twice; the last counts, and is valid.
    DuplicateKey,
    /// Bytes that are no UTF-8, in a text.
    InvalidUtf8,
    /// Half of a surrogate pair, escaped.
    LoneSurrogate,
    /// U+0000, escaped, in a text.
    NulInText,
    /// `status` beyond 64 bits.
    HugeNumber,
    /// `status` is a fraction.
    FractionForInteger,
    /// `status` is a text.
    WrongType,
    /// An array in an array, 50 000 times.
    DeepNesting,
    /// `timestamp` in the year 10 000.
    TimeTooLate,
    /// `timestamp` before 1970.
    TimeBefore1970,
    /// `timestamp` with an offset from UTC that no clock has.
    OddOffset,
    /// `timestamp` is no time.
    NoTime,
    /// `message` of 100 000 letters.
    LongText,
    /// `severity` is missing.
    FieldMissing,
    /// `severity` is none that is known.
    UnknownSeverity,
    /// A header whose bytes are no text; the event itself is fine.
    HeaderNoText,
}

impl Hostile {
    /// Every kind.
    pub const ALL: [Self; 22] = [
        Self::NotJson,
        Self::GarbageAfter,
        Self::Truncated,
        Self::Empty,
        Self::Tombstone,
        Self::NotAnObject,
        Self::DuplicateKey,
        Self::InvalidUtf8,
        Self::LoneSurrogate,
        Self::NulInText,
        Self::HugeNumber,
        Self::FractionForInteger,
        Self::WrongType,
        Self::DeepNesting,
        Self::TimeTooLate,
        Self::TimeBefore1970,
        Self::OddOffset,
        Self::NoTime,
        Self::LongText,
        Self::FieldMissing,
        Self::UnknownSeverity,
        Self::HeaderNoText,
    ];

    /// Spoils a harmless event in this way.
    pub(super) fn spoil(self, event: &mut Event) {
        if self == Self::HeaderNoText {
            event.headers.push(("trace", vec![0xff, 0xfe, 0x00]));
            return;
        }
        let payload = event.payload.take().unwrap_or_default();
        event.payload = self.spoiled(payload);
    }

    fn spoiled(self, mut payload: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::NotJson => payload = b"Jan  1 00:00:00 web-7 sshd[411]: Failed password for root".to_vec(),
            Self::GarbageAfter => payload.extend_from_slice(b" trailing"),
            Self::Truncated => payload.truncate(payload.len() * 2 / 3),
            Self::Empty => payload.clear(),
            Self::Tombstone => return None,
            Self::NotAnObject => {
                payload.insert(0, b'[');
                payload.push(b']');
            }
            Self::DuplicateKey => append(&mut payload, br#","severity":"WARN""#),
            Self::InvalidUtf8 => text(&mut payload, "message", &[0xc3, 0x28, 0xff]),
            Self::LoneSurrogate => text(&mut payload, "message", br"\ud83d"),
            Self::NulInText => text(&mut payload, "message", br"before\u0000after"),
            Self::HugeNumber => replace(&mut payload, b"\"status\":", b",", b"123456789012345678901234567890"),
            Self::FractionForInteger => replace(&mut payload, b"\"status\":", b",", b"200.5"),
            Self::WrongType => replace(&mut payload, b"\"status\":", b",", b"\"ok\""),
            Self::DeepNesting => {
                let mut nested = br#","nested":"#.to_vec();
                nested.resize(nested.len() + NESTING, b'[');
                nested.resize(nested.len() + NESTING, b']');
                append(&mut payload, &nested);
            }
            Self::TimeTooLate => text(&mut payload, "timestamp", b"10000-01-01T00:00:00Z"),
            Self::TimeBefore1970 => text(&mut payload, "timestamp", b"1901-12-13T20:45:52Z"),
            Self::OddOffset => text(&mut payload, "timestamp", b"2026-01-01T00:00:00+25:61"),
            Self::NoTime => text(&mut payload, "timestamp", b"yesterday"),
            Self::LongText => text(&mut payload, "message", &[b'x'; 100_000]),
            Self::FieldMissing => swap(&mut payload, b"\"severity\"", b"\"sev\""),
            Self::UnknownSeverity => text(&mut payload, "severity", b"SHRUG"),
            Self::HeaderNoText => {}
        }
        Some(payload)
    }
}

/// Replaces the text of a field.
fn text(payload: &mut Vec<u8>, field: &str, new: &[u8]) {
    replace(payload, format!("\"{field}\":\"").as_bytes(), b"\"", new);
}

/// Replaces what stands between `before` and the next `after`.
fn replace(payload: &mut Vec<u8>, before: &[u8], after: &[u8], new: &[u8]) {
    let Some(start) = find(payload, before).map(|at| at + before.len()) else { return };
    let Some(length) = find(&payload[start..], after) else { return };
    payload.splice(start..start + length, new.iter().copied());
}

/// Replaces the first `old`.
fn swap(payload: &mut Vec<u8>, old: &[u8], new: &[u8]) {
    if let Some(start) = find(payload, old) {
        payload.splice(start..start + old.len(), new.iter().copied());
    }
}

/// Inserts before the last `}`.
fn append(payload: &mut Vec<u8>, new: &[u8]) {
    let end = payload.len() - 1;
    payload.splice(end..end, new.iter().copied());
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::super::Events;
    use super::*;

    fn spoiled(kind: Hostile) -> (Event, Event) {
        let harmless = Events::new(1, 0.0).event(5);
        let mut event = harmless.clone();
        kind.spoil(&mut event);
        (harmless, event)
    }

    #[test]
    fn every_kind_changes_the_event() {
        for kind in Hostile::ALL {
            let (harmless, event) = spoiled(kind);
            assert_ne!(harmless, event, "{kind:?}");
        }
    }

    #[test]
    fn those_that_are_no_json_are_none_and_the_others_are() {
        for kind in Hostile::ALL {
            let payload = spoiled(kind).1.payload.unwrap_or_default();
            let broken = matches!(
                kind,
                Hostile::NotJson
                    | Hostile::GarbageAfter
                    | Hostile::Truncated
                    | Hostile::Empty
                    | Hostile::Tombstone
                    | Hostile::InvalidUtf8
                    | Hostile::LoneSurrogate
                    | Hostile::DeepNesting
            );
            let parsed = serde_json::from_slice::<serde_json::Value>(&payload);
            assert_eq!(parsed.is_err(), broken, "{kind:?}: {parsed:?}");
        }
    }
}
