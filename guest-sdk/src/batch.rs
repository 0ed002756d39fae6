//! A batch of events as columns, read in place.
//!
//! This module holds the SDK's unsafe code that reads data. Its proof:
//! - **Shape.** Every `Batch` has `slots.len() == events * kinds.len()`, `times.len() == events`, and `states` either empty
//!   or two bits for every slot (`shape`, called by both constructors). A [`View`] has the lists of one batch, and so its shape;
//!   its `dynamic` kinds are the batch's without the first `fixed` (`view`). A `Row` is made only for `event < events`
//!   (`readers`, `reader`), and its fields are indexed only below `kinds.len()` (`Reader` at compile time against `F::FIELDS`, which
//!   both compare with the view; `Slots`, made from a row, against `dynamic` on each read), so slot, state and time are
//!   in bounds.
//! - **Text.** The slot of a present field whose kind is a range lies in `text` and is UTF-8. Natively [`Batch::new`] checks
//!   each. In a guest the host vouches for it, as the interface demands, and it owns the guest's memory anyway. A slot is read
//!   as a range only when its field's kind is one: `Reader` compares the type with `F::FIELDS` at compile time, `Slots` the
//!   getter with the view on each read.

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
        for (number, slot) in batch.slots.iter().enumerate() {
            let (event, field) = (number / batch.kinds.len(), number % batch.kinds.len());
            // SAFETY: the number is one of a slot.
            let is_present = unsafe { state(&batch.states, number) } == State::Present;
            if batch.kinds[field].is_range() && is_present {
                batch.check_range(*slot).map_err(|why| format!("event {event}, field {field}: {why}"))?;
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

    /// The batch for a plugin whose struct names the first `fixed` fields, as are at least that many.
    pub(crate) fn view(&self, fixed: usize) -> View<'_> {
        let Batch { kinds, text, slots, states, times, .. } = self;
        View { kinds, dynamic: &kinds[fixed..], text, slots, states, times }
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
}

/// A batch as events are read from it: what a read needs, side by side.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    kinds: &'a [Kind],
    /// Of the last fields, those that only the config names.
    dynamic: &'a [Kind],
    text: &'a [u8],
    slots: &'a [u64],
    states: &'a [u64],
    times: &'a [i64],
}

impl<'a> View<'a> {
    /// The number of events.
    pub(crate) fn events(&self) -> usize {
        self.times.len()
    }

    /// The text of the i-th dynamic field of each event, or the state of what is no text.
    ///
    /// # Panics
    /// When there is no such field, or it was declared as another kind.
    #[inline(always)]
    pub(crate) fn texts(&self, i: usize) -> impl Iterator<Item = Result<&'a str, State>> + use<'a> {
        let View { kinds, dynamic, text, slots, states, times } = *self;
        let declared = dynamic.get(i).copied();
        if declared != Some(Kind::Text) {
            mistaken(i, Kind::Text, declared);
        }
        let (fields, field) = (kinds.len(), kinds.len() - dynamic.len() + i);
        (0..times.len()).map(move |event| {
            let slot = event * fields + field;
            // SAFETY: event < times.len() and field < kinds.len(), so by the shape this is a slot of the batch.
            let (state, bits) = unsafe { (state(states, slot), *slots.get_unchecked(slot)) };
            if state == State::Present { Ok(Cell { bits, text }.text()) } else { Err(state) }
        })
    }

    /// Each event's dynamic fields.
    pub(crate) fn rows(&'a self) -> impl Iterator<Item = Slots<'a>> {
        let fixed = self.kinds.len() - self.dynamic.len();
        (0..self.events()).map(move |event| Slots { view: self, first: event * self.kinds.len() + fixed })
    }

    /// Each event's time.
    pub(crate) fn times(&self) -> &'a [i64] {
        self.times
    }

    /// Each event, to be read as an `F`.
    ///
    /// # Panics
    /// When the batch's first fields are not those of `F`.
    pub(crate) fn readers<F: Fields<'a>>(&'a self) -> impl Iterator<Item = Reader<'a, F>> {
        self.check::<F>();
        (0..self.events()).map(|event| Reader(Row { view: self, event }, PhantomData))
    }

    /// One event, to be read as an `F`.
    ///
    /// # Panics
    /// As [`View::readers`], and when there is no such event.
    pub(crate) fn reader<F: Fields<'a>>(&'a self, event: usize) -> Reader<'a, F> {
        self.check::<F>();
        assert!(event < self.events(), "the batch has no event {event}");
        Reader(Row { view: self, event }, PhantomData)
    }

    fn check<F: Fields<'a>>(&self) {
        let fixed = self.kinds.len() - self.dynamic.len();
        let fits =
            F::FIELDS.len() == fixed && F::FIELDS.iter().zip(self.kinds).all(|(field, kind)| field.kind == *kind);
        assert!(fits, "the batch's fields are not the ones that the plugin reads");
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
    view: &'a View<'a>,
    event: usize,
}

impl<'a> Row<'a> {
    /// The number of the row's first slot in the batch.
    #[inline(always)]
    fn first(&self) -> usize {
        self.event * self.view.kinds.len()
    }

    #[inline(always)]
    fn state(&self, field: usize) -> State {
        debug_assert!(field < self.view.kinds.len());
        // SAFETY: field < kinds.len(), which each caller has checked, so by the shape this is a slot of the batch.
        unsafe { state(self.view.states, self.first() + field) }
    }

    #[inline(always)]
    fn cell(&self, field: usize) -> Cell<'a> {
        debug_assert!(field < self.view.kinds.len());
        // SAFETY: as for the state.
        Cell { bits: unsafe { *self.view.slots.get_unchecked(self.first() + field) }, text: self.view.text }
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
        // SAFETY: a row's event is one of the batch, and by the shape each has a time.
        unsafe { *self.0.view.times.get_unchecked(self.0.event) }
    }

    /// The fields after `F::FIELDS`, which the config names.
    #[inline(always)]
    pub fn dynamic(&self) -> Slots<'a> {
        Slots { view: self.0.view, first: self.0.first() + F::FIELDS.len() }
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
///
/// ```
/// use wasmill_sdk::{Config, Field, Fields, Kind, Loaded, Prepare, Slots, State, Verdict};
///
/// #[derive(Config)]
/// struct Settings { fields: Vec<String> }
///
/// /// Fields that must be texts.
/// struct Texts(Vec<String>);
///
/// impl Prepare for Texts {
///     type Config = Settings;
///     fn prepare(settings: Settings) -> Result<Self, String> {
///         Ok(Texts(settings.fields))
///     }
///     fn reads(&self) -> Vec<Field> {
///         self.0.iter().map(|path| Field::new(path.clone(), Kind::Text)).collect()
///     }
/// }
///
/// #[derive(Fields)]
/// struct Log<'a> {
///     #[field(dynamic)]
///     slots: Slots<'a>,
/// }
///
/// #[wasmill_sdk::validator]
/// fn only_texts(log: Log<'_>, texts: &Texts) -> Verdict {
///     match (0..log.slots.len()).find(|i| log.slots.state(*i) == State::OtherType) {
///         Some(i) => Verdict::reject("no_text", format!("the field `{}` is no text", texts.0[i])),
///         None => Verdict::pass(),
///     }
/// }
///
/// let plugin = Loaded::<only_texts>::configure(r#"{"fields": ["user.name"]}"#).unwrap();
/// let verdicts = plugin.validate_json(&[r#"{"user": {"name": "eve"}}"#, r#"{"user": {"name": 7}}"#]);
/// assert!(verdicts[0].is_pass());
/// assert_eq!(verdicts[1].rejection().unwrap().reason, "the field `user.name` is no text");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a> {
    // Two words, which are handed from function to function in registers.
    view: &'a View<'a>,
    /// The number of field 0's slot in the batch.
    first: usize,
}

impl<'a> Slots<'a> {
    /// The number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.view.dynamic.len()
    }

    /// Whether the config names no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view.dynamic.is_empty()
    }

    /// Whether the event has field `i`.
    ///
    /// # Panics
    /// When there is no field `i`, as do all getters.
    #[inline]
    pub fn state(&self, i: usize) -> State {
        if i >= self.len() {
            no_field(i, self.len());
        }
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
        let declared = self.view.dynamic.get(i).copied();
        if declared != Some(kind) {
            mistaken(i, kind, declared);
        }
        if self.state_unchecked(i) != State::Present {
            return None;
        }
        // SAFETY: i < dynamic.len(), so by the shape this is a slot of the event.
        Some(Cell { bits: unsafe { *self.view.slots.get_unchecked(self.first + i) }, text: self.view.text })
    }

    /// The state of field i < len(), which the callers have checked.
    #[inline(always)]
    fn state_unchecked(&self, i: usize) -> State {
        debug_assert!(i < self.len());
        // SAFETY: as for the slot.
        unsafe { state(self.view.states, self.first + i) }
    }
}

#[cold]
#[inline(never)]
fn no_field(i: usize, fields: usize) -> ! {
    panic!("no field {i}: the config names {fields}")
}

#[cold]
#[inline(never)]
fn mistaken(i: usize, asked: Kind, declared: Option<Kind>) -> ! {
    match declared {
        Some(declared) => panic!("field {i} was declared as {}, and is read as {}", declared.noun(), asked.noun()),
        None => panic!("no field {i}: the config names fewer"),
    }
}
