//! What enrichers write: the check of their answers, and single values as JSON.

use std::io::Write as _;

use crate::batch::UNSET;
use crate::row::{Place, Row, TextArena};
use crate::scan::{DEPTH_MAX, Scanner};
use crate::string;
use crate::trie::{Target, Trie};
use crate::{FieldKind, JsonType, Path, SlotState, Span, State, WrittenRows};

/// The most bytes that one answer of an enricher may write, summed over all events and fields; text that several slots
/// share counts for each, since each payload holds it in the end.
pub const WRITTEN_BYTES_MAX: usize = 64 << 20;

/// A state and a slot.
pub(crate) type Cell = (SlotState, u64);

/// One written value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'t> {
    Null,
    Text(&'t [u8]),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Json(&'t [u8]),
}

impl<'t> Value<'t> {
    /// The value of a cell whose ranges are of `text`; `None` when it is absent.
    pub(crate) fn of(kind: FieldKind, (state, slot): Cell, text: &'t [u8]) -> Option<Self> {
        let range = || Span::of_slot(slot).get(text).expect("slots are checked when they are taken over");
        match (state.state(), kind) {
            (State::Absent, _) => None,
            (State::Null, _) => Some(Self::Null),
            (_, FieldKind::Text) => Some(Self::Text(range())),
            (_, FieldKind::Integer) => Some(Self::Integer(slot as i64)),
            (_, FieldKind::Float) => Some(Self::Float(f64::from_bits(slot))),
            (_, FieldKind::Boolean) => Some(Self::Boolean(slot != 0)),
            (_, FieldKind::Json | FieldKind::Raw) => Some(Self::Json(range())),
        }
    }

    /// Appends its JSON.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let proof = "a vector takes all bytes";
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Text(text) => string::quote(text, out),
            Self::Integer(value) => write!(out, "{value}").expect(proof),
            // The shortest text that reads as the same float, with a fraction or an exponent.
            Self::Float(value) => serde_json::to_writer(out, &value).expect(proof),
            Self::Boolean(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
            Self::Json(token) => out.extend_from_slice(token),
        }
    }
}

/// One written field, checked; absent where an event is left as it is.
pub(crate) struct WrittenColumn {
    /// By event index.
    pub(crate) slots: Vec<u64>,
    /// By event index.
    pub(crate) states: Vec<SlotState>,
}

impl WrittenColumn {
    /// Of a batch of `events` events, all left as they are.
    pub(crate) fn absent(events: usize) -> Self {
        Self { slots: vec![UNSET; events], states: vec![SlotState::ABSENT; events] }
    }

    pub(crate) fn cell(&self, event: u32) -> Cell {
        (self.states[event as usize], self.slots[event as usize])
    }
}

/// Checks an answer about `events` and makes columns of it, for a batch of `batch_events` events; ranges are moved on by
/// `text_before` bytes.
///
/// # Errors
/// The sentences of [`crate::Batch::apply`].
pub(crate) fn check(
    fields: &[(Path, FieldKind)],
    events: &[u32],
    batch_events: usize,
    rows: &WrittenRows,
    text_before: usize,
) -> Result<Vec<WrittenColumn>, String> {
    check_shape(fields, events.len(), rows, text_before)?;
    let json = json_trie();
    let mut checker = Checker {
        text: &rows.text,
        utf8: std::str::from_utf8(&rows.text).ok(),
        text_before: text_before as u64,
        bytes: 0,
        scanner: Scanner::new(&json),
        known_json: None,
    };
    let ascii = rows.text.is_ascii();
    let check = |(field, (path, kind)): (usize, &(Path, FieldKind))| {
        let slots = rows.slots.chunks_exact(fields.len()).map(|row| row[field]);
        if ascii && *kind == FieldKind::Text && rows.states.is_empty() && checker.take_ascii(slots.clone()) {
            return Ok(texts(events, slots, batch_events, text_before));
        }
        let mut column = WrittenColumn::absent(batch_events);
        checker.known_json = None;
        for ((n, &event), slot) in events.iter().enumerate().zip(slots) {
            let cell = match bits(&rows.states, n * fields.len() + field) {
                0 => continue,
                1 => Ok((SlotState::new(State::Null, JsonType::Null), 0)),
                2 => checker.present(path, *kind, slot),
                _ => Err("has state 3, which only the host may use".to_owned()),
            };
            let (state, slot) = cell.map_err(|wrong| format!("the written field {path} of event {n} {wrong}"))?;
            column.states[event as usize] = state;
            column.slots[event as usize] = slot;
        }
        Ok(column)
    };
    fields.iter().enumerate().map(check).collect()
}

/// A column of text that was found to be good.
fn texts(events: &[u32], slots: impl Iterator<Item = u64>, batch_events: usize, text_before: usize) -> WrittenColumn {
    let present = SlotState::new(State::Present, JsonType::String);
    let moved = slots.map(|slot| slot + ((text_before as u64) << 32));
    if events.len() == batch_events {
        return WrittenColumn { slots: moved.collect(), states: vec![present; batch_events] };
    }
    let mut column = WrittenColumn::absent(batch_events);
    for (&event, slot) in events.iter().zip(moved) {
        column.states[event as usize] = present;
        column.slots[event as usize] = slot;
    }
    column
}

#[inline(always)]
fn bits(states: &[u64], index: usize) -> u64 {
    states.get(index / 32).map_or(State::Present as u64, |word| word >> (2 * (index % 32)) & 3)
}

fn check_shape(
    fields: &[(Path, FieldKind)],
    events: usize,
    rows: &WrittenRows,
    text_before: usize,
) -> Result<(), String> {
    let cells = events * fields.len();
    if rows.slots.len() != cells {
        let wanted = format!("{} fields of {events} events need {cells} slots", fields.len());
        return Err(format!("{wanted}, but the enricher answered {}", rows.slots.len()));
    }
    if !rows.states.is_empty() && rows.states.len() != cells.div_ceil(32) {
        let wanted = format!("{cells} slots need {} words of states, or none", cells.div_ceil(32));
        return Err(format!("{wanted}, but the enricher answered {}", rows.states.len()));
    }
    if rows.text.len() > WRITTEN_BYTES_MAX || text_before + rows.text.len() > u32::MAX as usize {
        return Err(format!("the enricher answered {} bytes of text, which is too much", rows.text.len()));
    }
    Ok(())
}

/// A trie that asks for the place of the value itself.
fn json_trie() -> Trie {
    let mut trie = Trie::new();
    trie.add(&[], Target::Place(0));
    trie
}

struct Checker<'r> {
    text: &'r [u8],
    utf8: Option<&'r str>,
    text_before: u64,
    bytes: usize,
    scanner: Scanner<'r>,
    /// The token of this field that was checked last, since slots often share one.
    known_json: Option<(u64, Cell)>,
}

impl Checker<'_> {
    /// Counts these texts of an answer that is ASCII, if all of them lie in it and are not too much; else none.
    fn take_ascii(&mut self, slots: impl Iterator<Item = u64>) -> bool {
        let (mut end, mut bytes) = (0, 0);
        for slot in slots {
            let Span { start, len } = Span::of_slot(slot);
            end = end.max(u64::from(start) + u64::from(len));
            bytes += u64::from(len);
        }
        let good = end <= self.text.len() as u64 && self.bytes as u64 + bytes <= WRITTEN_BYTES_MAX as u64;
        self.bytes += if good { bytes as usize } else { 0 };
        good
    }

    #[inline(always)]
    fn present(&mut self, path: &Path, kind: FieldKind, slot: u64) -> Result<Cell, String> {
        let present = |json_type| SlotState::new(State::Present, json_type);
        match kind {
            FieldKind::Text => {
                self.utf8_range(slot)?;
                Ok((present(JsonType::String), self.moved(slot)))
            }
            FieldKind::Integer => Ok((present(JsonType::Integer), slot)),
            FieldKind::Float if f64::from_bits(slot).is_finite() => Ok((present(JsonType::Float), slot)),
            FieldKind::Float => Err("is not a finite float".to_owned()),
            FieldKind::Boolean if slot <= 1 => Ok((present(JsonType::Boolean), slot)),
            FieldKind::Boolean => Err(format!("is a boolean of {slot}; 0 and 1 are allowed")),
            FieldKind::Json => {
                if let Some((known, cell)) = self.known_json
                    && known == slot
                {
                    self.range(slot)?;
                    return Ok(cell);
                }
                let cell = self.json(path, slot)?;
                self.known_json = Some((slot, cell));
                Ok(cell)
            }
            FieldKind::Raw => Err("is of kind raw, which cannot be written".to_owned()),
        }
    }

    #[inline(always)]
    fn moved(&self, slot: u64) -> u64 {
        slot + (self.text_before << 32)
    }

    #[inline(always)]
    fn range(&mut self, slot: u64) -> Result<&[u8], String> {
        let span = Span::of_slot(slot);
        let Some(range) = span.get(self.text) else {
            return Err(outside(span, self.text));
        };
        self.bytes += range.len();
        if self.bytes > WRITTEN_BYTES_MAX {
            return Err(format!("passes the limit of {WRITTEN_BYTES_MAX} written bytes in one answer"));
        }
        Ok(range)
    }

    #[inline(always)]
    fn utf8_range(&mut self, slot: u64) -> Result<(), String> {
        let utf8 = self.utf8;
        let range = self.range(slot)?;
        let Span { start, len } = Span::of_slot(slot);
        let good = match utf8 {
            Some(text) => text.is_char_boundary(start as usize) && text.is_char_boundary((start + len) as usize),
            None => std::str::from_utf8(range).is_ok(),
        };
        if good { Ok(()) } else { Err("is not UTF-8".to_owned()) }
    }

    /// The cell of a JSON token, without the white space around it.
    fn json(&mut self, path: &Path, slot: u64) -> Result<Cell, String> {
        self.range(slot)?;
        let span = Span::of_slot(slot);
        let token = span.get(self.text).unwrap_or_default();
        let mut places = [Place::ABSENT];
        let mut text = TextArena::with_room(0);
        let mut row = Row { slots: &mut [], states: &mut [], places: &mut places, time_ns: None, text: &mut text };
        let depth_max = DEPTH_MAX - path.keys().len();
        self.scanner.value(token, depth_max, &mut row).map_err(|fault| format!("is not a JSON value: {fault}"))?;
        let [Place { span: trimmed, state }] = places;
        if state.json_type() == JsonType::Null {
            return Ok((SlotState::new(State::Null, JsonType::Null), 0));
        }
        Ok((state, self.moved(Span { start: span.start + trimmed.start, len: trimmed.len }.slot())))
    }
}

#[cold]
fn outside(Span { start, len }: Span, text: &[u8]) -> String {
    format!("is {len} bytes from byte {start} of a text of {} bytes", text.len())
}
