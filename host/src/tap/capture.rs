//! What a lane copies of a batch for its taps, on the engine thread, while the batch goes through its plugins.

use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wasmill_core::{Alert, Batch, PluginRef, RawBatch, Rejection, Stage};
use wasmill_engine::{Broken, Plugins, Step};

use super::pace::Pace;
use super::sample::{Sample, SeenStep, Told, Verdict};
use super::{Tap, Taps};

/// The taps that look at a batch, and what each has seen so far.
#[derive(Debug)]
pub struct Tapping {
    taps: Vec<Tapped>,
    plugins: Plugins,
    at: At,
    steps_all: usize,
    /// Steps so far, and what they have brought.
    place: usize,
    rejections: usize,
    dropped: usize,
    alerts: usize,
}

/// When the batch is looked at.
#[derive(Clone, Copy, Debug)]
struct At {
    now: Instant,
    seen_ns: i64,
}

#[derive(Debug)]
struct Tapped {
    tap: Arc<Tap>,
    /// In no order.
    picked: Vec<Picked>,
}

/// An event that a tap has taken.
#[derive(Debug)]
struct Picked {
    event: u32,
    /// As the last step left it.
    payload: Option<Arc<[u8]>>,
    is_gone: bool,
    sample: Box<Sample>,
}

/// What one step brought, to be found by event.
struct Brought<'s> {
    step: &'s Step<'s>,
    plugin: &'s Arc<PluginRef>,
    place: usize,
    rejections: Vec<&'s Rejection>,
    dropped: Vec<u32>,
    alerts: &'s [Alert],
}

impl Taps {
    /// Begins to look at a batch that is about to go to its plugins, for those who are connected. `unreadable` never gets there.
    pub fn look_at(&self, batch: &Batch, unreadable: &[Rejection], plugins: &Plugins) -> Option<Tapping> {
        let taps = self.now();
        if taps.is_empty() {
            return None;
        }
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = At { now: Instant::now(), seen_ns: since_1970.as_nanos() as i64 };
        let kinds = plugins.iter().map(|plugin| plugin.kinds());
        let steps_all = kinds.map(|kinds| [kinds.validator, kinds.enricher, kinds.alerter]);
        let steps_all = steps_all.flatten().filter(|is_one| *is_one).count();
        let begin = |tap: Arc<Tap>| {
            let picked = tap.pick(batch, unreadable, at, steps_all);
            Tapped { tap, picked }
        };
        Some(Tapping {
            taps: taps.into_iter().map(begin).collect(),
            plugins: Arc::clone(plugins),
            at,
            steps_all,
            place: 0,
            rejections: 0,
            dropped: 0,
            alerts: 0,
        })
    }
}

impl Tapping {
    /// Notes what a step did to the events that were taken; of rejections, which are taken only now, what they were before.
    pub fn after(&mut self, step: &Step<'_>) {
        self.place += 1;
        let outcome = step.outcome;
        let mut rejections: Vec<&Rejection> = outcome.rejections[self.rejections..].iter().collect();
        rejections.sort_by_key(|rejection| rejection.event);
        let mut dropped = outcome.dropped[self.dropped..].to_vec();
        dropped.sort_unstable();
        let alerts = &outcome.alerts[self.alerts..];
        (self.rejections, self.dropped, self.alerts) =
            (outcome.rejections.len(), outcome.dropped.len(), outcome.alerts.len());
        let plugin = self.plugins[step.plugin].reference();
        let brought = Brought { step, plugin, place: self.place, rejections, dropped, alerts };
        for Tapped { tap, picked } in &mut self.taps {
            if !tap.filter.is_of_rejections {
                picked.iter_mut().filter(|picked| !picked.is_gone).for_each(|picked| brought.add_to(picked, tap));
            } else if tap.filter.is_of(Some(&plugin.name)) {
                picked.extend(brought.rejected(tap, self.at, self.steps_all));
            }
        }
    }

    /// Hands over what was seen.
    pub fn finish(self) {
        for Tapped { tap, mut picked } in self.taps {
            picked.sort_by_key(|picked| picked.event);
            let samples = picked.into_iter().map(|picked| picked.sample).filter(|sample| !sample.steps.is_empty());
            samples.for_each(|sample| tap.tell(Told::Event(sample)));
        }
    }

    /// Says that the batch came to nothing: what was seen of it happens again.
    pub fn broken(self, raw: &RawBatch, broken: &Broken) {
        for Tapped { tap, .. } in self.taps {
            let (first, next) = (raw.first_offset(), raw.next_offset());
            let partition = Arc::clone(raw.partition());
            tap.tell(Told::Broken { partition, first, next, reason: broken.to_string() });
        }
    }
}

impl Tap {
    /// The events that are followed from here on, and what could not be read.
    fn pick(&self, batch: &Batch, unreadable: &[Rejection], at: At, steps_all: usize) -> Vec<Picked> {
        let raw = &batch.raw;
        let wants_unreadable = self.filter.is_of(None);
        let events = if self.filter.is_of_rejections {
            let unreadable = if wants_unreadable { unreadable } else { &[] };
            self.choose(raw, unreadable.iter().map(|rejection| rejection.event), at)
        } else {
            self.choose(raw, 0..raw.len() as u32, at)
        };
        let pick = |event: u32| {
            let rejection = unreadable.binary_search_by_key(&event, |rejection| rejection.event);
            let Ok(found) = rejection else { return Picked::new(self, batch, event, at, steps_all) };
            let mut picked = Picked { payload: None, is_gone: true, ..Picked::empty(batch, event, at, steps_all) };
            if wants_unreadable {
                picked.sample.steps.push(SeenStep {
                    place: 0,
                    stage: Stage::Parse,
                    plugin: None,
                    before: None,
                    verdict: Verdict::of(&unreadable[found], false),
                    fuel: 0,
                    alerts: Vec::new(),
                });
            }
            Some(picked)
        };
        events.into_iter().filter_map(pick).collect()
    }

    /// Those of `events`, which rise, that are asked for and that there is time for.
    fn choose(&self, raw: &RawBatch, events: impl Iterator<Item = u32>, at: At) -> Vec<u32> {
        if self.pace().is_used_up(at.now) {
            return Vec::new();
        }
        // Without the pace in hand: other lanes may ask meanwhile.
        let mut chosen = self.filter.choose(raw, events);
        let taken = self.pace().take(chosen.len(), at.now);
        chosen.truncate(taken);
        chosen
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts something into the queue, or loses it.
    fn tell(&self, told: Told) {
        if self.queue.try_send(told).is_err() {
            self.gauge.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Picked {
    /// An event with its payload; `None`: there is no room for it.
    fn new(tap: &Tap, batch: &Batch, event: u32, at: At, steps_all: usize) -> Option<Self> {
        let payload = batch.payload(event);
        let reserved = tap.gauge.reserve(payload.len())?;
        let mut picked = Self::empty(batch, event, at, steps_all);
        picked.sample.reserved.push(reserved);
        picked.payload = Some(payload.as_ref().into());
        Some(picked)
    }

    fn empty(batch: &Batch, event: u32, at: At, steps_all: usize) -> Self {
        let sample = Sample {
            partition: Arc::clone(batch.raw.partition()),
            offset: batch.raw.records()[event as usize].offset,
            time_ns: batch.times[event as usize],
            seen_ns: at.seen_ns,
            steps_all,
            steps: Vec::new(),
            reserved: Vec::new(),
        };
        Self { event, payload: None, is_gone: false, sample: Box::new(sample) }
    }
}

impl Brought<'_> {
    /// Adds the step to an event that has come to it.
    fn add_to(&self, picked: &mut Picked, tap: &Tap) {
        let (event, batch) = (picked.event, self.step.batch);
        let before = picked.payload.clone();
        let verdict = if let Some(rejection) = self.rejection_of(event) {
            picked.is_gone = true;
            Verdict::of(rejection, self.step.failed.contains(&event))
        } else if self.dropped.binary_search(&event).is_ok() {
            picked.is_gone = true;
            Verdict::Dropped
        } else if batch.skipped_by(event).any(|plugin| plugin == self.plugin) {
            Verdict::Skipped
        } else if self.step.stage == Stage::Enrich && batch.is_written(event) {
            let after = batch.payload(event);
            if before.as_deref() == Some(after.as_ref()) {
                Verdict::Passed
            } else if let Some(reserved) = tap.gauge.reserve(after.len()) {
                let after: Arc<[u8]> = after.as_ref().into();
                picked.sample.reserved.push(reserved);
                picked.payload = Some(Arc::clone(&after));
                Verdict::Changed(after)
            } else {
                // It is lost as a whole, and counted as such.
                picked.is_gone = true;
                picked.sample.steps.clear();
                return;
            }
        } else {
            Verdict::Passed
        };
        if tap.filter.is_of(Some(&self.plugin.name)) {
            picked.sample.steps.push(self.seen(event, before, verdict));
        }
    }

    /// The rejections that a tap of rejections takes.
    fn rejected(&self, tap: &Tap, at: At, steps_all: usize) -> Vec<Picked> {
        let events = self.rejections.iter().map(|rejection| rejection.event);
        let pick = |event: u32| {
            // Nothing is written for an event that is rejected, so it is still what it was.
            let mut picked = Picked::new(tap, self.step.batch, event, at, steps_all)?;
            let verdict = Verdict::of(self.rejection_of(event)?, self.step.failed.contains(&event));
            picked.sample.steps.push(self.seen(event, picked.payload.clone(), verdict));
            Some(picked)
        };
        tap.choose(&self.step.batch.raw, events, at).into_iter().filter_map(pick).collect()
    }

    fn seen(&self, event: u32, before: Option<Arc<[u8]>>, verdict: Verdict) -> SeenStep {
        SeenStep {
            place: self.place,
            stage: self.step.stage,
            plugin: Some(Arc::clone(self.plugin)),
            before,
            verdict,
            fuel: self.step.fuel / self.step.events.max(1),
            alerts: self.alerts.iter().filter(|alert| alert.event == event).cloned().collect(),
        }
    }

    fn rejection_of(&self, event: u32) -> Option<&Rejection> {
        let found = self.rejections.binary_search_by_key(&event, |rejection| rejection.event);
        found.ok().map(|found| self.rejections[found])
    }
}
