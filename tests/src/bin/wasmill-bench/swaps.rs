//! Swaps at full load: a full topic into a hypertable as fast as it goes, first with the same plugins, then with a swap every 300 ms. What
//! counts is how long a partition has to wait for its next commit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use sqlx::{Connection, PgConnection, Row};
use wasmill_tests::services::{self, Database};
use wasmill_tests::variants::Variants;

use super::kafka::filled_topic;
use super::latency::{DIGESTS, SWAP_EVERY, rows_into};
use super::measure::Measurement;

const EVENTS: i64 = 2_400_000;
const PARTITIONS: i32 = 4;
/// Events after which the parts begin: every digest is compiled before the first.
const CALM: i64 = EVENTS / 5;
const SWAPS: i64 = EVENTS * 3 / 5;
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LASTS_AT_MOST: Duration = Duration::from_secs(300);

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let database = Database::create().context("this benchmark needs a real TimescaleDB")?;
    let topic = filled_topic(&brokers, "bench-swaps", EVENTS as u64, PARTITIONS)?;
    let pipeline = rows_into(&brokers, &topic, &database)?;
    let (variants, directory) = (Variants::new()?, pipeline.path("plugins.d"));
    let running = pipeline.start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(PgConnection::connect(database.url()))?;
    let (mut calm, mut swaps) = (Part::new()?, Part::new()?);
    let mut last = BTreeMap::new();
    let (began, mut swapped, mut number) = (Instant::now(), Instant::now(), 0);
    let mut stored = 0;
    while stored < EVENTS {
        anyhow::ensure!(
            began.elapsed() < LASTS_AT_MOST,
            "{stored} of {EVENTS} events were stored in {LASTS_AT_MOST:?}"
        );
        let sql = "SELECT partition, next_offset FROM wasmill_ledger";
        let rows = runtime.block_on(sqlx::query(sql).fetch_all(&mut connection)).unwrap_or_default();
        let now = Instant::now();
        for row in &rows {
            let (partition, next): (i32, i64) = (row.try_get(0)?, row.try_get(1)?);
            let (before, at) = last.insert(partition, (next, now)).unwrap_or((next, now));
            if next == before {
                last.insert(partition, (before, at));
                continue;
            }
            match stored {
                SWAPS.. => swaps.commit(next - before, at, now)?,
                CALM.. => calm.commit(next - before, at, now)?,
                _ => {}
            }
        }
        stored = last.values().map(|(next, _)| next).sum();
        let is_due = if stored < CALM { number < DIGESTS && stored > 0 } else { stored >= SWAPS };
        if is_due && swapped.elapsed() >= SWAP_EVERY {
            variants.put(&directory, number % DIGESTS)?;
            (swapped, number) = (Instant::now(), number + 1);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let served = running.log().matches("plugins serve: ").count();
    running.stop();
    anyhow::ensure!(served > 2 * DIGESTS, "plugins were swapped {served} times only");
    let of = |name, unit, swaps, calm| Measurement::new(name, unit, &[(swaps, calm)]);
    Ok(vec![
        of("swaps.gap.p50", "ms p50", swaps.ms(0.5), calm.ms(0.5)),
        of("swaps.gap", "ms p99", swaps.ms(0.99), calm.ms(0.99)),
        of("swaps.gap.max", "ms", swaps.ms(1.0), calm.ms(1.0)),
        of("swaps.rate", "events/s", swaps.rate(), calm.rate()),
        of("swaps.served", "swaps", served as f64, 0.0),
    ])
}

/// The commits of a part of the run.
struct Part {
    /// Microseconds between two commits of one partition.
    gaps: Histogram<u64>,
    events: i64,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Part {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { gaps: Histogram::new(3)?, events: 0, first: None, last: None })
    }

    fn commit(&mut self, events: i64, before: Instant, now: Instant) -> anyhow::Result<()> {
        self.gaps.record((now - before).as_micros() as u64)?;
        self.events += events;
        self.first.get_or_insert(before);
        self.last = Some(now);
        Ok(())
    }

    fn ms(&self, quantile: f64) -> f64 {
        self.gaps.value_at_quantile(quantile) as f64 / 1e3
    }

    fn rate(&self) -> f64 {
        let lasted = self.first.zip(self.last).map_or(0.0, |(first, last)| (last - first).as_secs_f64());
        self.events as f64 / lasted.max(1e-3)
    }
}
