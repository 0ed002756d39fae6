//! What `on_duplicate` costs: real Kafka → three plugins → a hypertable with a key, by way of a temporary table, against the same rows by
//! COPY straight into the same table with the same key. No two rows have one key, so nothing but the way differs.

use anyhow::Context;
use wasmill_tests::services::{self, Database};

use super::kafka::filled_topic;
use super::measure::Measurement;
use super::timescale::{new_table, seconds_to_store};

const EVENTS: u64 = 300_000;
const ROUNDS: usize = 5;

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let database = Database::create().context("this benchmark needs a real TimescaleDB")?;
    let topic = filled_topic(&brokers, "bench-keys", EVENTS, 4)?;
    let rows_per_second = |settings: &str| -> anyhow::Result<f64> {
        new_table(&database, "events", ", PRIMARY KEY (id, at)")?;
        Ok(EVENTS as f64 / seconds_to_store(&brokers, &topic, EVENTS, &database, settings)?)
    };
    let (mut ignored, mut updated) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let control = rows_per_second("")?;
        for (rounds, word) in [(&mut ignored, "ignore"), (&mut updated, "update")] {
            let settings = format!("      key: [id, at]\n      on_duplicate: {word}\n");
            rounds.push((rows_per_second(&settings)?, control));
        }
    }
    Ok(vec![
        Measurement::new("on_duplicate.ignore", "rows/s", &ignored),
        Measurement::new("on_duplicate.update", "rows/s", &updated),
    ])
}
