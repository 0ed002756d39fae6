//! A run of the same events that nothing disturbs: what a disturbed one came to must be the same.

use anyhow::{Result, ensure};

use super::arrivals::{Arrivals, same};
use super::course::Course;
use super::outlets::{Arrived, Outlets};
use super::run_to_end;
use super::store::{Reader, Store};

/// Runs the events of a course into another database, to topics of its own, and compares: the ids of alerts and dead letters in
/// the topics, and what plugins remember. Answers how many values that is.
pub(super) fn compare(course: &Course, store: &Store, disturbed: &mut Reader, came: &Arrived) -> Result<usize> {
    let (own, outlets) = (store.another()?, Outlets::topics(course.brokers())?);
    let pipeline = course.pipeline("calm", &own, &outlets);
    let mut reader = course.prepare(&own, &pipeline)?;
    run_to_end(&pipeline)?;
    let calm = outlets.read()?;
    let ids = |arrivals: &Option<Arrivals>| {
        arrivals.iter().flat_map(|arrivals| arrivals.by_id.keys().cloned()).collect::<Vec<_>>()
    };
    same("ids of alerts", ids(&calm.alerts), ids(&came.alerts))?;
    same("ids of dead letters", ids(&calm.letters), ids(&came.letters))?;
    let expected = states(&mut reader)?;
    ensure!(!expected.is_empty(), "no plugin remembers anything");
    same("states of plugins", &expected, &states(disturbed)?)?;
    Ok(expected.len())
}

/// The clock of each state, and each key that has a value by it. Keys that have expired are taken away at leisure.
fn states(reader: &mut Reader) -> Result<Vec<Vec<String>>> {
    let (key, value) = (reader.hex("key"), reader.hex("value"));
    let state = "plugin, CAST(partition AS text), CAST(version AS text), CAST(clock AS text), CAST(doubted AS text)";
    let mut states = reader.texts(&format!("SELECT {state} FROM wasmill_states"))?;
    states.extend(reader.texts(&format!(
        "SELECT {state}, {key}, {value}, CAST(expires AS text), CAST(wake AS text), CAST(\"offset\" AS text) \
         FROM wasmill_states JOIN wasmill_state ON state = id WHERE expires > clock OR wake < expires"
    ))?);
    Ok(states)
}
