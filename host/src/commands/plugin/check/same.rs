//! The same events give the same results: again, in a new engine, in a used instance, and however batches are cut.

use wasmill_engine::{Broken, InstanceMode};

use super::{Check, Trial, fate, lane};
use crate::commands::plugin::subject::Subject;
use crate::solo::{Fared, Given, Solo};
use crate::torture::Hostile;

/// Events of a batch, where they are cut.
const CUTS: [usize; 3] = [1, 7, 100];

pub(super) fn check(trial: &Trial, hostile: &[Hostile]) -> Vec<Check> {
    let samples = super::given(&trial.samples);
    let hostile =
        hostile.iter().map(|event| Given { payload: event.payload.as_deref(), timestamp_ns: event.timestamp_ns });
    // The samples again at the end: what was between them is not to matter.
    let events: Vec<Given<'_>> = samples.iter().copied().chain(hostile).chain(samples.iter().copied()).collect();
    let mut used = trial.lane();
    let whole = match used.run(&events) {
        Ok(ran) => ran.events,
        Err(broken) => return vec![Check::failed("same again", broken.to_string())],
    };
    vec![again(trial, used, &events, &whole), cuts(trial, &events, &whole), reused(trial, &events, &whole)]
}

/// Once more in the same engine, and in another.
fn again(trial: &Trial, mut used: Solo, events: &[Given<'_>], whole: &[Fared]) -> Check {
    used.restart();
    let here = used.run(events).map(|ran| ran.events);
    let elsewhere = trial.subject.load().map(|plugin| lane(plugin).run(events).map(|ran| ran.events));
    let elsewhere = match elsewhere {
        Ok(ran) => ran,
        Err(reason) => return Check::failed("same again", format!("it loads once, and not again: {reason}")),
    };
    let other = difference(whole, here).or_else(|| difference(whole, elsewhere));
    match other {
        None => Check::passed("same again", format!("{} events, three times", events.len())),
        Some(says) => Check::failed("same again", format!("the same events again gave something else: {says}")),
    }
}

fn cuts(trial: &Trial, events: &[Given<'_>], whole: &[Fared]) -> Check {
    for size in CUTS {
        let mut lane = trial.lane();
        let cut: Result<Vec<Fared>, Broken> = events.chunks(size).try_fold(Vec::new(), |mut all, batch| {
            all.extend(lane.run(batch)?.events);
            Ok(all)
        });
        if let Some(says) = difference(whole, cut) {
            let says = format!(
                "a result depends on the other events of its batch (in batches of {size} and in one): {says}; \
                 keep nothing in `static`s, or keep it as state"
            );
            return Check::failed("other batches", says);
        }
    }
    Check::passed("other batches", format!("the same in batches of {CUTS:?} and in one"))
}

/// With `instance: reuse`: what is left in its memory is not to matter.
fn reused(trial: &Trial, events: &[Given<'_>], whole: &[Fared]) -> Check {
    let mut lane = match reusing(&trial.subject) {
        Ok(lane) => lane,
        Err(reason) => return Check::failed("used instance", reason),
    };
    let twice = lane.run(events).and_then(|_| {
        lane.restart();
        lane.run(events)
    });
    match difference(whole, twice.map(|ran| ran.events)) {
        None => Check::passed("used instance", "an instance that has run before gives the same"),
        Some(says) if trial.subject.file.sidecar.instance == InstanceMode::Reuse => {
            let says = format!("an instance that has run before gives something else: {says}; write `instance: fresh`");
            Check::failed("used instance", says)
        }
        Some(says) => {
            let says = format!(
                "an instance that has run before gives something else, so `instance: reuse` is not for it: {says}"
            );
            Check::doubtful("used instance", says)
        }
    }
}

/// A lane that uses one instance for all batches.
pub(super) fn reusing(subject: &Subject) -> Result<Solo, String> {
    let mut subject = subject.clone();
    subject.file.sidecar.instance = InstanceMode::Reuse;
    subject.load().map(lane)
}

/// The first event that fared otherwise.
fn difference(whole: &[Fared], other: Result<Vec<Fared>, Broken>) -> Option<String> {
    let other = match other {
        Ok(other) => other,
        Err(broken) => return Some(broken.to_string()),
    };
    let (n, (one, other)) = whole.iter().zip(&other).enumerate().find(|(_, (one, other))| one != other)?;
    Some(format!("event {n} was {}, and {}", fate(one), fate(other)))
}
