//! The events of a batch as a plugin sees them that takes them all at once.

use std::marker::PhantomData;

use crate::batch::View;
use crate::field::FixedField;
use crate::fields::Fields;

/// The events of a batch, each to be read as an `F`, as often as is needed: reading costs next to nothing.
#[derive(Clone, Copy, Debug)]
pub struct Events<'a, F> {
    view: &'a View<'a>,
    fields: PhantomData<F>,
}

impl<'a, F: Fields<'a>> Events<'a, F> {
    #[doc(hidden)]
    pub const FIELDS: &'static [FixedField] = F::FIELDS;
    #[doc(hidden)]
    pub const DYNAMIC: bool = F::DYNAMIC;

    pub(crate) fn of(view: &'a View<'a>) -> Self {
        Events { view, fields: PhantomData }
    }

    /// The number of events, of those too that do not fit `F`.
    pub fn len(&self) -> usize {
        self.view.events()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Each event's time, nanoseconds since 1970-01-01T00:00:00Z.
    pub fn times(&self) -> &'a [i64] {
        self.view.times()
    }

    /// An event; `None`: it does not fit `F`.
    ///
    /// # Panics
    /// When the batch has no such event.
    pub fn get(&self, event: usize) -> Option<F> {
        F::read(self.view.reader::<F>(event)).ok()
    }

    /// The events that fit `F`, in order, each with its number in the batch.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (usize, F)> + use<'a, F> {
        self.view.readers::<F>().enumerate().filter_map(|(event, reader)| Some((event, F::read(reader).ok()?)))
    }
}
