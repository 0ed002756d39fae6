//! The loops over a batch that the attributes call.

use crate::alert::{Alert, Evaluation};
use crate::batch::View;
use crate::columns::{EventColumns, Suspects};
use crate::config::Prepare;
use crate::events::Events;
use crate::fields::Fields;
use crate::output::Output;
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
