//! Answers that are made of bytes: whatever the host's fuzzing thinks of. Bytes that are missing count as zero.

use crate::bindings::wasmill::plugin::types::{Alert, Columns, Evaluation, Label, Rejection, Severity, Verdicts};

/// What is left of the bytes.
pub(crate) struct Tape(std::vec::IntoIter<u8>);

impl Tape {
    /// Reads hexadecimal digits, as they stand in an event.
    pub(crate) fn of_hex(text: &str) -> Self {
        let digit = |c: u8| char::from(c).to_digit(16).unwrap_or(0) as u8;
        let bytes: Vec<u8> =
            text.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |byte, c| byte << 4 | digit(*c))).collect();
        Self(bytes.into_iter())
    }

    fn byte(&mut self) -> u8 {
        self.0.next().unwrap_or(0)
    }

    /// A small number, or the largest.
    fn number(&mut self) -> u32 {
        match self.byte() {
            255 => u32::MAX,
            byte => u32::from(byte),
        }
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.byte();
        (0..length).map(|_| self.byte()).collect()
    }

    /// A text, or what pretends to be one.
    fn text(&mut self) -> String {
        // SAFETY: there is none; that is the deed. Nothing here reads it as text, it is only handed over.
        unsafe { String::from_utf8_unchecked(self.bytes()) }
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> T) -> Vec<T> {
        let length = self.byte();
        (0..length).map(|_| read(self)).collect()
    }

    pub(crate) fn verdicts(mut self) -> Verdicts {
        let actions = self.bytes();
        let rejection = |tape: &mut Self| Rejection { event: tape.number(), code: tape.text(), reason: tape.text() };
        Verdicts { actions, rejections: self.list(rejection) }
    }

    pub(crate) fn columns(mut self) -> Columns {
        Columns { text: self.bytes(), slots: self.list(Self::word), states: self.list(Self::word) }
    }

    pub(crate) fn evaluation(mut self) -> Evaluation {
        let label = |tape: &mut Self| Label { name: tape.text(), value: tape.text() };
        let alert = |tape: &mut Self| Alert {
            event: tape.number(),
            rule: tape.text(),
            key: tape.text(),
            severity: Severity::Info,
            summary: tape.text(),
            labels: tape.list(label),
        };
        Evaluation { alerts: self.list(alert) }
    }
}
