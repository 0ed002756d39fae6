//! What the attributes' code calls: the loops over a batch, and the place of a component's plugin.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::alert::{Alert, Evaluation};
use crate::batch::View;
use crate::columns::{EventColumns, Suspects};
use crate::config::Prepare;
use crate::events::Events;
use crate::fields::Fields;
use crate::output::Output;
use crate::plugin::{Loaded, Plugin};
use crate::state::{Host, State};
use crate::verdict::{Answer, Verdicts};
use crate::writer::Writer;

/// Judges each event of a batch.
#[inline]
pub fn validate<'a, F: Fields<'a>, V: Answer>(
    view: &'a View<'a>,
    settings: &impl Prepare,
    judge: impl Fn(F) -> V,
) -> Verdicts {
    let mut verdicts = Verdicts::passed(view.events());
    let readers = view.readers::<F>();
    let suspects = if F::FIELDS.is_empty() { settings.suspects(EventColumns::of(view)) } else { None };
    if suspects.as_ref().is_some_and(Suspects::is_empty) {
        return verdicts;
    }
    for (event, reader) in readers.enumerate() {
        if suspects.as_ref().is_some_and(|suspects| !suspects.contains(event)) {
            continue;
        }
        match F::read(reader) {
            Ok(fields) => verdicts.set(event, judge(fields).into_verdict()),
            Err(unfit) => verdicts.reject_unfit(event, unfit, F::FIELDS),
        }
    }
    verdicts
}

/// Writes to each event of a batch.
#[inline]
pub fn enrich<'a, F: Fields<'a>, O: Output<'a>>(view: &'a View<'a>, writer: &mut Writer<'a>, enrich: impl Fn(F) -> O) {
    for reader in view.readers::<F>() {
        match F::read(reader) {
            Ok(fields) => enrich(fields).write(writer),
            Err(_) => writer.keep_event(),
        }
    }
}

/// Raises alerts about each event of a batch.
#[inline]
pub fn evaluate<'a, F: Fields<'a>, A: IntoIterator<Item = Alert>>(
    view: &'a View<'a>,
    raise: impl Fn(F) -> A,
) -> Evaluation {
    let mut evaluation = Evaluation::default();
    for (event, reader) in view.readers::<F>().enumerate() {
        if let Ok(fields) = F::read(reader) {
            // Mostly there is none, and then this costs less than `extend`.
            for alert in raise(fields) {
                evaluation.alerts.push((event as u32, alert));
            }
        }
    }
    evaluation
}

/// Raises alerts about a batch as a whole, with state.
#[inline]
pub fn evaluate_batch<'a, F: Fields<'a>>(
    view: &'a View<'a>,
    host: &Host,
    raise: impl FnOnce(Events<'a, F>, &mut State<'_>) -> Evaluation,
) -> Evaluation {
    let mut state = State::open(host, view.times());
    let evaluation = raise(Events::of(view), &mut state);
    // Not sorted here: a sort would be 4 kB of each component.
    assert!(evaluation.alerts.is_sorted_by_key(|(event, _)| *event), "alerts are in the order of their events");
    state.finish();
    evaluation
}

/// Where a component has its plugin once it is configured. (An `OnceLock` is a kilobyte of a small component.)
pub struct Place<P: Plugin>(Mutex<Option<&'static Loaded<P>>>);

impl<P: Plugin> Place<P> {
    #[expect(clippy::new_without_default, reason = "it is the value of a static")]
    pub const fn new() -> Self {
        Place(Mutex::new(None))
    }

    /// Whether it was free.
    pub fn set(&self, plugin: Loaded<P>) -> bool {
        let mut place = self.lock();
        let is_free = place.is_none();
        if is_free {
            *place = Some(Box::leak(Box::new(plugin)));
        } else {
            // The instance is refused with it.
            std::mem::forget(plugin);
        }
        is_free
    }

    pub fn get(&self) -> Option<&'static Loaded<P>> {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, Option<&'static Loaded<P>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Plugin> fmt::Debug for Place<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Place").field(&self.get()).finish()
    }
}
