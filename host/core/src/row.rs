//! The cells of one event while its payload is scanned.

use crate::number::{self, Number};
use crate::string;
pub(crate) use crate::text::{TEXT_BYTES_MAX, TextArena};
use crate::trie::{Node, Target, Wanted};
use crate::{FieldKind, JsonType, SlotState, Span, State};

/// A value that was found: the range of its token in the payload (a string's with its quotes) and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) value: Value,
}

/// What a token stands for, as far as the scanner knows it at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    /// With its value where that is known.
    Float(Option<f64>),
    String {
        /// Whether it holds a backslash.
        escaped: bool,
    },
    Array,
    Object,
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(value) => Self::Integer(value),
            Number::Float(value) => Self::Float(value),
        }
    }
}

impl Value {
    fn json_type(self) -> JsonType {
        match self {
            Self::Null => JsonType::Null,
            Self::Boolean(_) => JsonType::Boolean,
            Self::Integer(_) => JsonType::Integer,
            Self::Float(_) => JsonType::Float,
            Self::String { .. } => JsonType::String,
            Self::Array => JsonType::Array,
            Self::Object => JsonType::Object,
        }
    }
}

/// Where a value stands in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its token.
    pub(crate) span: Span,
    /// Its type; absent when there is no such value.
    pub(crate) state: SlotState,
}

impl Place {
    pub(crate) const ABSENT: Self = Self { span: Span { start: 0, len: 0 }, state: SlotState::ABSENT };
}

/// One event's cells, places and time. All begin absent.
pub(crate) struct Row<'a> {
    pub(crate) slots: &'a mut [u64],
    pub(crate) states: &'a mut [SlotState],
    pub(crate) places: &'a mut [Place],
    pub(crate) time_ns: Option<i64>,
    pub(crate) text: &'a mut TextArena,
}

impl Row<'_> {
    /// Takes a string without escapes for all its columns. They share its bytes: the JSON cell has the quotes, the others what is
    /// between them.
    #[inline(always)]
    pub(crate) fn plain_string(&mut self, wanted: &Wanted, payload: &[u8], start: usize, end: usize) {
        let json = wanted.column(FieldKind::Json);
        let quote = usize::from(json.is_none());
        let pushed = self.text.push(payload, start + quote, end - quote);
        let mut inside = pushed;
        if let Some(column) = json {
            self.set(column, State::Present, JsonType::String, pushed);
            inside = inside_quotes(pushed);
        }
        if let Some(column) = wanted.column(FieldKind::Text) {
            self.set(column, State::Present, JsonType::String, inside);
        }
        if !wanted.is_within(Wanted::TEXT | Wanted::JSON) {
            self.no_string(wanted, inside);
        }
    }

    /// Takes a string for the columns that hold none.
    #[inline(never)]
    fn no_string(&mut self, wanted: &Wanted, slot: u64) {
        for kind in [FieldKind::Integer, FieldKind::Float, FieldKind::Boolean] {
            if let Some(column) = wanted.column(kind) {
                self.set(column, State::OtherType, JsonType::String, slot);
            }
        }
    }

    /// Takes an integer for its integer, float and JSON columns.
    #[inline(always)]
    pub(crate) fn integer(&mut self, wanted: &Wanted, value: i64, payload: &[u8], start: usize, end: usize) {
        if let Some(column) = wanted.column(FieldKind::Integer) {
            self.set(column, State::Present, JsonType::Integer, value as u64);
        }
        if let Some(column) = wanted.column(FieldKind::Float) {
            self.set(column, State::Present, JsonType::Integer, (value as f64).to_bits());
        }
        if let Some(column) = wanted.column(FieldKind::Json) {
            let slot = self.text.push(payload, start, end);
            self.set(column, State::Present, JsonType::Integer, slot);
        }
    }

    /// Takes a float for its float and JSON columns.
    #[inline(always)]
    pub(crate) fn float(&mut self, wanted: &Wanted, value: f64, payload: &[u8], start: usize, end: usize) {
        if let Some(column) = wanted.column(FieldKind::Float) {
            self.set(column, State::Present, JsonType::Float, value.to_bits());
        }
        if let Some(column) = wanted.column(FieldKind::Json) {
            let slot = self.text.push(payload, start, end);
            self.set(column, State::Present, JsonType::Float, slot);
        }
    }

    #[inline(always)]
    fn set(&mut self, column: u32, state: State, json_type: JsonType, slot: u64) {
        self.states[column as usize] = SlotState::new(state, json_type);
        self.slots[column as usize] = slot;
    }

    /// Takes a value at `node` in which nothing is looked for; what was found below it before is gone.
    #[inline(never)]
    pub(crate) fn value(&mut self, node: &Node, payload: &[u8], token: &Token) {
        self.clear(&node.below);
        self.store(node, payload, token);
    }

    /// Takes back what was found for `targets`.
    #[inline]
    pub(crate) fn clear(&mut self, targets: &[Target]) {
        for target in targets {
            match *target {
                Target::Cell { column, .. } => self.states[column as usize] = SlotState::ABSENT,
                Target::Time => self.time_ns = None,
                Target::Place(place) => self.places[place as usize] = Place::ABSENT,
            }
        }
    }

    /// Takes the value at `node` for all that it is wanted for.
    #[inline(always)]
    pub(crate) fn store(&mut self, node: &Node, payload: &[u8], token: &Token) {
        for target in &node.targets {
            self.store_one(target, payload, token);
        }
    }

    #[inline(always)]
    fn store_one(&mut self, target: &Target, payload: &[u8], token: &Token) {
        match *target {
            Target::Cell { kind, column } => {
                let (state, slot) = self.cell(kind, payload, token);
                self.set(column, state, token.value.json_type(), slot);
            }
            Target::Time => self.time_ns = time_ns(payload, token),
            Target::Place(place) => {
                let span = Span { start: token.start as u32, len: (token.end - token.start) as u32 };
                let state = SlotState::new(State::Present, token.value.json_type());
                self.places[place as usize] = Place { span, state };
            }
        }
    }

    /// Takes the whole payload as a raw column.
    pub(crate) fn raw(&mut self, column: usize, payload: &[u8]) {
        self.slots[column] = self.text.push(payload, 0, payload.len());
        self.states[column] = SlotState::new(State::Present, JsonType::Object);
    }

    #[inline(always)]
    fn cell(&mut self, kind: FieldKind, payload: &[u8], token: &Token) -> (State, u64) {
        match (kind, token.value) {
            (_, Value::Null) => (State::Null, 0),
            (FieldKind::Text, Value::String { escaped }) => (State::Present, self.string(payload, token, escaped)),
            (FieldKind::Integer, Value::Integer(value)) => (State::Present, value as u64),
            (FieldKind::Float, Value::Integer(value)) => (State::Present, (value as f64).to_bits()),
            (FieldKind::Boolean, Value::Boolean(value)) => (State::Present, u64::from(value)),
            (FieldKind::Json, _) => (State::Present, self.text.push(payload, token.start, token.end)),
            (FieldKind::Float, Value::Float(Some(value))) => (State::Present, value.to_bits()),
            (FieldKind::Float, Value::Float(None)) => self.long_float(payload, token),
            (_, Value::String { escaped }) => (State::OtherType, self.string(payload, token, escaped)),
            _ => (State::OtherType, self.text.push(payload, token.start, token.end)),
        }
    }

    #[inline(always)]
    fn string(&mut self, payload: &[u8], token: &Token, escaped: bool) -> u64 {
        let (start, end) = (token.start + 1, token.end - 1);
        if escaped { self.text.push_unescaped(&payload[start..end]) } else { self.text.push(payload, start, end) }
    }

    #[inline(never)]
    fn long_float(&mut self, payload: &[u8], token: &Token) -> (State, u64) {
        let value = number::float(&payload[token.start..token.end]);
        if value.is_finite() {
            (State::Present, value.to_bits())
        } else {
            (State::OtherType, self.text.push(payload, token.start, token.end))
        }
    }
}

/// The slot of what is between the quotes of the string at `slot`.
#[inline(always)]
fn inside_quotes(slot: u64) -> u64 {
    let Span { start, len } = Span::of_slot(slot);
    // Nothing is there when the text had no room for the string.
    Span { start: start + 1, len: len.saturating_sub(2) }.slot()
}

/// The time that a value says, nanoseconds since 1970; `None` when it says none.
fn time_ns(payload: &[u8], token: &Token) -> Option<i64> {
    const NS_PER_MS: i64 = 1_000_000;
    match token.value {
        Value::Integer(ms) => ms.checked_mul(NS_PER_MS),
        Value::String { escaped: false } => rfc3339_ns(&payload[token.start + 1..token.end - 1]),
        Value::String { escaped: true } => {
            let content = &payload[token.start + 1..token.end - 1];
            let mut text = vec![0; content.len()];
            let length = string::unescape(content, &mut text);
            rfc3339_ns(&text[..length])
        }
        _ => None,
    }
}

fn rfc3339_ns(text: &[u8]) -> Option<i64> {
    wasmill_expr::time::parse_rfc3339(std::str::from_utf8(text).ok()?).ok()
}
