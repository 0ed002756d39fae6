//! A batch of events as columns, read in place.
//!
//! This module holds all of the SDK's unsafe code. Its proof:
//! - **Shape.** Every `Batch` has `slots.len() == events * kinds.len()`, `times.len() == events`, and `states` either empty
//!   or two bits for every slot (`shape`, called by both constructors). A `Row` is made only for `event < events`
//!   (`readers`), and its fields are indexed only below `kinds.len()` (`Reader` at compile time against `F::FIELDS`, which
//!   `readers` compares with the batch; `Slots`, on each read), so slot, state and time are in bounds. `Slots` are made only
//!   from a row (`dynamic`): both `kinds` and `slots` of the row without the first fields, so they are as many.
//! - **Text.** The slot of a present field whose kind is a range lies in `text` and is UTF-8. Natively [`Batch::new`] checks
//!   each. In a guest the host vouches for it, as the interface demands, and it owns the guest's memory anyway. A slot is read
//!   as a range only when its field's kind is one: `Reader` compares the type with `F::FIELDS` at compile time, `Slots` the
//!   getter with the batch on each read.

use std::marker::PhantomData;

use crate::field::{Kind, State};
use crate::fields::{Fields, Unfit};
use crate::value::{FromSlot, RawPayload};

/// Events as columns, in the order of [`Manifest::reads`](crate::Manifest::reads).
#[derive(Clone, Debug)]
pub struct Batch {
    kinds: Vec<Kind>,
    events: usize,
    text: Vec<u8>,
    slots: Vec<u64>,
    states: Vec<u64>,
    times: Vec<i64>,
}

/// The lists that cross the boundary, as the host makes them.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// The bytes that text slots are ranges of.
    pub text: Vec<u8>,
    /// Event e's field f is slot `e * fields + f`: a range (offset << 32 | length), or the value's 64 bits.
    pub slots: Vec<u64>,
    /// Two bits per slot, slot s in bits `2 * (s mod 32)` of word `s / 32`: absent, null, present, of another type. Empty: all
    /// are present.
    pub states: Vec<u64>,
    /// Each event's time, nanoseconds since 1970-01-01T00:00:00Z.
    pub times: Vec<i64>,
}

impl Batch {
    /// A batch of `lists.times.len()` events whose fields have these kinds; every slot is checked.
    ///
    /// # Errors
    /// A sentence, when the lists do not fit each other, or a text slot is out of range or not UTF-8.
    pub fn new(kinds: Vec<Kind>, lists: Lists) -> Result<Self, String> {
        let batch = Self::shape(kinds, lists)?;
        for event in 0..batch.events {
            let row = batch.row(event);
            for (field, kind) in batch.kinds.iter().enumerate() {
                if kind.is_range() && row.state(field) == State::Present {
                    batch
                        .check_range(row.slots[field])
                        .map_err(|why| format!("event {event}, field {field}: {why}"))?;
                }
            }
        }
        Ok(batch)
    }

    /// A batch that the host made for a plugin with these kinds; only its shape is checked.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn from_host(kinds: Vec<Kind>, lists: Lists) -> Self {
        match Self::shape(kinds, lists) {
            Ok(batch) => batch,
            Err(why) => panic!("the host sent a malformed batch: {why}"),
        }
    }

    /// The number of events.
    pub fn events(&self) -> usize {
        self.events
    }

    /// The kind of each field.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Each event, to be read as an `F`.
    ///
    /// # Panics
    /// When the batch's first fields are not those of `F`.
    pub(crate) fn readers<'a, F: Fields<'a>>(&'a self) -> impl Iterator<Item = Reader<'a, F>> {
        let fits = F::FIELDS.len() <= self.kinds.len()
            && F::FIELDS.iter().zip(&self.kinds).all(|(field, kind)| field.kind == *kind);
        assert!(fits, "the batch's fields are not the ones that the plugin reads");
        (0..self.events).map(|event| Reader(self.row(event), PhantomData))
    }

    fn shape(kinds: Vec<Kind>, lists: Lists) -> Result<Self, String> {
        let Lists { text, slots, states, times } = lists;
        let events = times.len();
        if events.checked_mul(kinds.len()) != Some(slots.len()) {
            return Err(format!("{} slots for {events} events of {} fields", slots.len(), kinds.len()));
        }
        if !states.is_empty() && states.len() < slots.len().div_ceil(32) {
            return Err(format!("{} words of states for {} slots", states.len(), slots.len()));
        }
        Ok(Batch { kinds, events, text, slots, states, times })
    }

    fn check_range(&self, slot: u64) -> Result<(), String> {
        let (offset, length) = range(slot);
        let bytes = self.text.get(offset..).and_then(|rest| rest.get(..length)).ok_or("its text is out of range")?;
        std::str::from_utf8(bytes).map_err(|_| "its text is not UTF-8")?;
        Ok(())
    }

    #[inline(always)]
    fn row(&self, event: usize) -> Row<'_> {
        debug_assert!(event < self.events);
        let first = event * self.kinds.len();
        // SAFETY: every caller counts event up to events, and by the shape there are `kinds.len()` slots and one time per event.
        let (slots, time) =
            unsafe { (self.slots.get_unchecked(first..first + self.kinds.len()), *self.times.get_unchecked(event)) };
        Row { batch: self, slots, first, text: &self.text, time }
    }
}

/// The state of a slot.
///
/// # Safety
/// `states` are a batch's and `slot` is the number of one of its slots: by the shape there is a state for it.
#[inline(always)]
unsafe fn state(states: &[u64], slot: usize) -> State {
    if states.is_empty() {
        return State::Present;
    }
    debug_assert!(slot / 32 < states.len());
    // SAFETY: by the caller's promise.
    State::from_bits(unsafe { *states.get_unchecked(slot / 32) } >> (2 * (slot % 32)))
}

#[inline(always)]
fn range(slot: u64) -> (usize, usize) {
    ((slot >> 32) as usize, (slot & 0xffff_ffff) as usize)
}

/// One event of a batch.
#[derive(Clone, Copy, Debug)]
struct Row<'a> {
    batch: &'a Batch,
    slots: &'a [u64],
    /// The number of the row's first slot in the batch.
    first: usize,
    text: &'a [u8],
    time: i64,
}

impl<'a> Row<'a> {
    #[inline(always)]
    fn state(&self, field: usize) -> State {
        debug_assert!(field < self.slots.len());
        // SAFETY: field < slots.len(), which each caller has checked, so by the shape this is a slot of the batch.
        unsafe { state(&self.batch.states, self.first + field) }
    }

    #[inline(always)]
    fn cell(&self, field: usize) -> Cell<'a> {
        debug_assert!(field < self.slots.len());
        // SAFETY: field < slots.len(), which each caller has checked.
        Cell { bits: unsafe { *self.slots.get_unchecked(field) }, text: self.text }
    }
}

/// One event, whose first fields are those of `F`: what the derive of [`Fields`] reads from.
#[derive(Debug)]
pub struct Reader<'a, F>(Row<'a>, PhantomData<F>);

#[doc(hidden)]
impl<'a, F: Fields<'a>> Reader<'a, F> {
    /// Field `I` of `F::FIELDS`.
    ///
    /// # Errors
    /// When the event has no value that `T` can hold.
    #[inline(always)]
    pub fn field<const I: usize, T: FromSlot<'a>>(&self) -> Result<T, Unfit> {
        const { assert!(F::FIELDS[I].kind as u8 == T::KIND as u8) };
        T::from_slot(self.0.state(I), self.0.cell(I)).map_err(|state| Unfit { field: I, state })
    }

    /// Field `I` of `F::FIELDS`, the whole payload.
    #[inline(always)]
    pub fn raw<const I: usize, T: RawPayload<'a>>(&self) -> Result<T, Unfit> {
        const { assert!(F::FIELDS[I].kind as u8 == Kind::Raw as u8) };
        match self.0.state(I) {
            State::Present => Ok(T::from_payload(self.0.cell(I))),
            state => Err(Unfit { field: I, state }),
        }
    }

    /// The event's time, nanoseconds since 1970-01-01T00:00:00Z.
    #[inline(always)]
    pub fn time_ns(&self) -> i64 {
        self.0.time
    }

    /// The fields after `F::FIELDS`, which the config names.
    #[inline(always)]
    pub fn dynamic(&self) -> Slots<'a> {
        let Row { batch, slots, first, text, .. } = self.0;
        let fixed = F::FIELDS.len();
        let (kinds, slots) = (batch.kinds.get(fixed..).unwrap_or_default(), slots.get(fixed..).unwrap_or_default());
        Slots { kinds, slots, states: &batch.states, first: first + fixed, text }
    }
}

/// The slot of a present value; only the value's own type knows how to read it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    bits: u64,
    text: &'a [u8],
}

impl<'a> Cell<'a> {
    #[inline(always)]
    pub(crate) fn bits(self) -> u64 {
        self.bits
    }

    /// The text of a slot that is present and whose kind is a range: the caller's duty, kept within this crate.
    #[inline(always)]
    pub(crate) fn text(self) -> &'a str {
        let (offset, length) = range(self.bits);
        // SAFETY: such a slot lies in `text` and is UTF-8 (see the module's proof).
        unsafe { std::str::from_utf8_unchecked(self.text.get_unchecked(offset..offset + length)) }
    }
}

/// The fields of one event that only the plugin's config names: field i is the i-th of
/// [`Prepare::reads`](crate::Prepare::reads).
///
/// Each getter gives `None` for a value that is not present; [`Slots::state`] says why. A getter of another kind than the
/// field was declared with is a mistake in the plugin and panics.
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a> {
    // All that a read needs, side by side: in a loop over events only `slots` and `first` change, the others stay in registers.
    kinds: &'a [Kind],
    /// As many as `kinds`.
    slots: &'a [u64],
    /// Those of the whole batch.
    states: &'a [u64],
    /// The number of field 0's slot in the batch.
    first: usize,
    text: &'a [u8],
}

impl<'a> Slots<'a> {
    /// The number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether the config names no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Whether the event has field `i`.
    ///
    /// # Panics
    /// When there is no field `i`, as do all getters.
    #[inline]
    pub fn state(&self, i: usize) -> State {
        assert!(i < self.len(), "no field {i}: the config names {}", self.len());
        self.state_unchecked(i)
    }

    /// Text.
    #[inline]
    pub fn text(&self, i: usize) -> Option<&'a str> {
        self.present(i, Kind::Text).map(Cell::text)
    }

    /// An integer.
    #[inline]
    pub fn integer(&self, i: usize) -> Option<i64> {
        self.present(i, Kind::Integer).map(|cell| cell.bits() as i64)
    }

    /// A float.
    #[inline]
    pub fn float(&self, i: usize) -> Option<f64> {
        self.present(i, Kind::Float).map(|cell| f64::from_bits(cell.bits()))
    }

    /// A boolean.
    #[inline]
    pub fn boolean(&self, i: usize) -> Option<bool> {
        self.present(i, Kind::Boolean).map(|cell| cell.bits() != 0)
    }

    /// The raw token of any JSON value.
    #[inline]
    pub fn json(&self, i: usize) -> Option<&'a str> {
        self.present(i, Kind::Json).map(Cell::text)
    }

    /// The whole payload.
    #[inline]
    pub fn raw(&self, i: usize) -> Option<&'a str> {
        self.present(i, Kind::Raw).map(Cell::text)
    }

    #[inline(always)]
    fn present(&self, i: usize, kind: Kind) -> Option<Cell<'a>> {
        let declared = self.kinds.get(i).copied();
        if declared != Some(kind) {
            mistaken(i, kind, declared);
        }
        if self.state_unchecked(i) != State::Present {
            return None;
        }
        debug_assert!(i < self.slots.len());
        // SAFETY: i < kinds.len(), and by the shape there are as many slots.
        Some(Cell { bits: unsafe { *self.slots.get_unchecked(i) }, text: self.text })
    }

    /// The state of field i < len(), which the callers have checked.
    #[inline(always)]
    fn state_unchecked(&self, i: usize) -> State {
        debug_assert!(i < self.len());
        // SAFETY: by the shape slot `first + i` is one of the batch.
        unsafe { state(self.states, self.first + i) }
    }
}

#[cold]
#[inline(never)]
fn mistaken(i: usize, asked: Kind, declared: Option<Kind>) -> ! {
    match declared {
        Some(declared) => panic!("field {i} was declared as {}, and is read as {}", declared.noun(), asked.noun()),
        None => panic!("no field {i}: the config names fewer"),
    }
}
