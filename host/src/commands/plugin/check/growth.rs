//! How cost grows: with the length of a field, with the events of a batch, and from batch to batch. Fuel and memory are counted, not timed, so
//! the checks say the same on every machine.

use serde_json::{Value, json};
use wasmill_core::{Field, FieldKind};
use wasmill_engine::{Broken, Cost, InstanceMode};

use super::same::reusing;
use super::{Check, Trial, given};
use crate::solo::Ran;
use crate::torture::{sample, with};

/// Bytes of a field, and eight times as many: what grows in proportion costs eight times as much, what grows by the square 64 times.
const SHORT: usize = 1_024;
const LONG: usize = 8 * SHORT;
/// Events of a batch, and eight times as many.
const FEW: usize = 16;
const MANY: usize = 8 * FEW;
/// From here on something else than proportion is at work; sorting costs some 12 times as much.
const GROWTH_MAX: f64 = 20.0;
/// Texts that searches, splitters and parsers find hard.
const FILLERS: [&str; 6] = ["a", "a ", "aA1.", "[{\"", "%41=&", "\u{e9}"];
/// Fields that are made long.
const PLACES_MAX: usize = 24;
/// Most events of a batch in production.
const BATCH_EVENTS_MAX: f64 = 10_000.0;
/// Batches after which an instance that is reused has all the memory that it needs, and those in which it is to need no more.
const BATCHES_BEFORE: usize = 8;
const BATCHES: usize = 64;

pub(super) fn check(trial: &Trial) -> Vec<Check> {
    let checks = [
        ("long fields", lengths(trial)),
        ("many events", events(trial)),
        ("memory", memory(trial)),
        ("leaks", kept(trial)),
    ];
    let told = |(name, check): (&'static str, Result<Check, String>)| {
        check.unwrap_or_else(|reason| Check::failed(name, reason))
    };
    checks.map(told).into()
}

/// An event in JSON to start from.
fn like(trial: &Trial) -> Value {
    let parsed = trial.samples.iter().find_map(|line| serde_json::from_slice::<Value>(line).ok());
    parsed.filter(Value::is_object).unwrap_or_else(|| sample(trial.plugin.reads()))
}

fn lengths(trial: &Trial) -> Result<Check, String> {
    let like = like(trial);
    let mut worst = (0.0, String::new());
    for keys in places(trial.plugin.reads(), &like) {
        for filler in FILLERS {
            let cost = |bytes: usize| {
                let text = filler.repeat(bytes / filler.len());
                one(trial, &with(&like, &keys, Some(&json!(text).to_string())))
            };
            let (none, short, long) = (cost(0)?, cost(SHORT)?, cost(LONG)?);
            let growth = growth(none.fuel, short.fuel, long.fuel);
            let is_out = long.faults.fuel > 0;
            if growth > worst.0 || is_out {
                let says = format!(
                    "with \"{}\" of {SHORT} bytes it burns {} fuel, with {LONG} bytes {}{}",
                    keys.join("."),
                    short.fuel,
                    long.fuel,
                    if is_out { ", all that an event gets" } else { "" }
                );
                worst = (if is_out { f64::INFINITY } else { growth }, says);
            }
        }
    }
    Ok(match worst {
        (growth, says) if growth > GROWTH_MAX => Check::failed(
            "long fields",
            format!("cost grows faster than a field's length: {says} (8 times as much would be in proportion)"),
        ),
        _ => Check::passed("long fields", "cost grows no faster than the length of a field"),
    })
}

/// The keys of what can be long: texts, and, for a plugin that reads the whole payload, every text at its top.
fn places(reads: &[Field], like: &Value) -> Vec<Vec<String>> {
    let is_long = |field: &&Field| field.lookup.is_none() && matches!(field.kind, FieldKind::Text | FieldKind::Json);
    let own = reads.iter().filter(is_long).filter_map(|field| Some(field.path.as_ref()?.keys().to_vec()));
    let is_raw = reads.iter().any(|field| field.kind == FieldKind::Raw);
    let texts = like.as_object().into_iter().flatten().filter(|(_, value)| is_raw && value.is_string());
    own.chain(texts.map(|(key, _)| vec![key.clone()])).take(PLACES_MAX).collect()
}

fn events(trial: &Trial) -> Result<Check, String> {
    let (few, many) = (batch(trial, FEW)?, batch(trial, MANY)?);
    let growth = many.fuel as f64 / few.fuel.max(1) as f64;
    let (each, limit) = (many.fuel / MANY as u64, trial.subject.file.sidecar.limits.fuel_per_event);
    if growth > GROWTH_MAX {
        let says = format!(
            "cost grows faster than the number of events: {FEW} in a batch burn {} fuel, {MANY} burn {} (8 times as much would be in \
             proportion); does it compare each event with all others?",
            few.fuel, many.fuel
        );
        return Ok(Check::failed("many events", says));
    }
    let says = format!("{each} fuel for an event, of {limit} (limits.fuel_per_event)");
    Ok(match each > limit / 2 {
        true => Check::doubtful("many events", format!("{says}: less than half is left for larger ones")),
        false => Check::passed("many events", says),
    })
}

fn memory(trial: &Trial) -> Result<Check, String> {
    // Memory comes in pages of 64 KiB: a few events do not show.
    let (few, many) = (batch(trial, MANY)?, batch(trial, 8 * MANY)?);
    let per_event = |few: u64, many: u64| many.saturating_sub(few) as f64 / (7 * MANY) as f64;
    let kept = per_event(few.memory_bytes, many.memory_bytes);
    let crossing = per_event(few.bytes_in + few.bytes_out, many.bytes_in + many.bytes_out);
    let limit = trial.subject.file.sidecar.limits.memory_bytes;
    // What crosses is there twice while it is answered, in buffers that grow by doubling.
    let own = kept - 4.0 * crossing;
    let is_full = many.faults.memory > 0 && (4 * (many.bytes_in + many.bytes_out)) < limit as u64;
    if is_full || own * BATCH_EVENTS_MAX > limit as f64 {
        let says = format!(
            "it takes {kept:.0} bytes of memory or more for each event of a batch, of which {crossing:.0} cross: a batch of \
             {BATCH_EVENTS_MAX} would pass limits.memory_bytes ({limit}), and be cut into small calls; free what belongs to an event, or use \
             one buffer for all"
        );
        return Ok(Check::failed("memory", says));
    }
    let says = format!("{} bytes for {} events, of {limit} (limits.memory_bytes)", many.memory_bytes, 8 * MANY);
    Ok(Check::passed("memory", says))
}

/// What an instance keeps from batch to batch, if it is reused.
fn kept(trial: &Trial) -> Result<Check, String> {
    let events = varied(trial, FEW);
    let mut lane = reusing(&trial.subject)?;
    let mut before = 0;
    let mut after = 0;
    let mut is_full = false;
    for batch in 1..=BATCHES {
        let cost = cost(lane.run(&given(&events)))?;
        is_full |= cost.faults.memory > 0;
        after = cost.memory_bytes;
        if batch == BATCHES_BEFORE {
            before = after;
        }
    }
    if after <= before && !is_full {
        let says = format!("{after} bytes after {BATCHES} batches in one instance, as after {BATCHES_BEFORE}");
        return Ok(Check::passed("leaks", says));
    }
    let each = after.saturating_sub(before) / (BATCHES - BATCHES_BEFORE) as u64;
    let says = match is_full {
        true => {
            "an instance that is reused takes more memory with each batch, and never gives it back, until it has none"
                .to_owned()
        }
        false => format!(
            "an instance that is reused takes {each} bytes more with each batch of {FEW} events, and never gives them back"
        ),
    };
    Ok(match trial.subject.file.sidecar.instance {
        InstanceMode::Reuse => Check::failed("leaks", format!("{says}: write `instance: fresh`, or free it")),
        InstanceMode::Fresh => {
            Check::doubtful("leaks", format!("{says}; it does no harm as long as instances live for one batch"))
        }
    })
}

/// The cost of one event.
fn one(trial: &Trial, event: &[u8]) -> Result<Cost, String> {
    cost(trial.lane().run(&given(&[event])))
}

/// The cost of a batch of so many events.
fn batch(trial: &Trial, count: usize) -> Result<Cost, String> {
    cost(trial.lane().run(&given(&varied(trial, count))))
}

fn cost(ran: Result<Ran, Broken>) -> Result<Cost, String> {
    ran.map(|ran| ran.cost).map_err(|broken| broken.to_string())
}

/// So many events: the samples in turn, every other time round with other texts.
fn varied(trial: &Trial, count: usize) -> Vec<Vec<u8>> {
    let samples = &trial.samples;
    let texts: Vec<&Field> = trial.plugin.reads().iter().filter(|field| field.kind == FieldKind::Text).collect();
    let other = |n: usize, line: &Vec<u8>| {
        let mut event: Value = serde_json::from_slice(line).ok()?;
        for path in texts.iter().filter_map(|field| field.path.as_ref()) {
            let value = path.keys().iter().try_fold(&event, |value, key| value.get(key));
            let Some(text) = value.and_then(Value::as_str) else { continue };
            let token = json!(format!("{text}{n}")).to_string();
            event = serde_json::from_slice(&with(&event, path.keys(), Some(&token))).ok()?;
        }
        Some(event.to_string().into_bytes())
    };
    let event = |n: usize| {
        let line = &samples[n % samples.len()];
        if (n / samples.len()) % 2 == 1 { other(n, line).unwrap_or_else(|| line.clone()) } else { line.clone() }
    };
    (0..count).map(event).collect()
}

/// How many times as much eight times the bytes cost, without what no byte costs.
fn growth(none: u64, short: u64, long: u64) -> f64 {
    let (short, long) = (short.saturating_sub(none), long.saturating_sub(none));
    // Less than an instruction a byte is noise.
    if long < LONG as u64 { 0.0 } else { long as f64 / short.max(1) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportion_is_told_from_the_square() {
        assert!(growth(500, 500 + 1_024, 500 + 8_192) < GROWTH_MAX);
        assert!(growth(500, 500 + 1_024 * 10, 500 + 8_192 * 13) < GROWTH_MAX);
        assert!(growth(500, 500 + 1_024 * 1_024, 500 + 8_192 * 8_192) > GROWTH_MAX);
        assert!(growth(500, 500, 600) < GROWTH_MAX);
    }
}
