//! From produce to visible row, at 5 000 events a second, with the default settings; and the same while plugins are swapped.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use sqlx::{Connection, PgConnection, Row};
use wasmill_tests::events::bench_event;
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::services::{self, Database};
use wasmill_tests::variants::Variants;

use super::boundary::with_shipped_plugins;
use super::kafka::{new_topic, producer};
use super::measure::Measurement;

const RATE: u64 = 5_000;
/// How long it lasts: a part in which plugins stay as they are follows the warm-up, and one in which they are swapped that.
const SECONDS: u64 = 70;
/// How long each of the two lasts.
const PART: u64 = 20;
/// How often plugins are swapped.
pub(crate) const SWAP_EVERY: Duration = Duration::from_millis(300);
/// Digests among which they are: each is compiled in the warm-up.
pub(crate) const DIGESTS: usize = 4;
/// For so long a broker that was just started compiles its own code, which takes a core.
const WARM_UP: u64 = 30;
const PARTITIONS: i32 = 4;

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let database = Database::create().context("this benchmark needs a real TimescaleDB")?;
    let topic = new_topic(&brokers, "bench-latency", PARTITIONS)?;
    let pipeline = rows_into(&brokers, &topic, &database)?;
    let running = pipeline.start();
    let assigned =
        || database.psql("SELECT count(*) FROM wasmill_ledger").is_ok_and(|count| count == PARTITIONS.to_string());
    eventually("every partition is assigned", assigned);
    let (calm, swaps) = measure(&brokers, &topic, database.url(), &pipeline.path("plugins.d"))?;
    let served = running.log().matches("plugins serve: ").count();
    running.stop();
    anyhow::ensure!(served > DIGESTS, "plugins were swapped {served} times only");
    let of = |name, unit, value| Measurement::new(name, unit, &[(value, 0.0)]);
    Ok(vec![
        of("latency", "ms p99", calm.p99),
        of("latency.p50", "ms p50", calm.p50),
        of("latency.swaps", "ms p99", swaps.p99),
        of("latency.swaps.p50", "ms p50", swaps.p50),
        of("latency.swaps.served", "swaps", served as f64),
    ])
}

/// A topic through the shipped plugins into a hypertable `events` that is made for it.
pub(crate) fn rows_into(brokers: &str, topic: &str, database: &Database) -> anyhow::Result<Pipeline> {
    database.psql(
        "CREATE TABLE events (at timestamptz NOT NULL, n bigint, part integer, place bigint, body jsonb); \
         SELECT create_hypertable('events', 'at'); CREATE INDEX ON events (part, n)",
    )?;
    let name = services::unique("bench-rows");
    let url = database.url();
    let yaml = format!(
        "name: {name}
source: {{ kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {name}, from: earliest }} }}
plugins: plugins.d
admin: false
sinks:
  rows:
    timescale:
      url: \"{url}\"
      table: events
      time: at
      columns: {{ at: timestamp, n: count, part: $partition, place: $offset, body: $raw }}
"
    );
    Ok(with_shipped_plugins(Pipeline::new(&yaml)))
}

/// Milliseconds.
struct Latency {
    p50: f64,
    p99: f64,
}

/// Without swaps, and with them.
fn measure(brokers: &str, topic: &str, url: &str, plugins: &Path) -> anyhow::Result<(Latency, Latency)> {
    let began = Instant::now();
    let swapping = {
        let (variants, plugins) = (Variants::new()?, plugins.to_owned());
        std::thread::spawn(move || swap(&variants, &plugins, began))
    };
    let producing = {
        let producer = tuned(brokers)?;
        let topic = topic.to_owned();
        std::thread::spawn(move || produce(&producer, &topic, began))
    };
    let seen = watch(url, began)?;
    let produced = producing.join().map_err(|_| anyhow::anyhow!("the producer failed"))??;
    swapping.join().map_err(|_| anyhow::anyhow!("the swaps failed"))??;
    let part = |begin: u64| {
        let mut latencies = Histogram::<u64>::new(3)?;
        for n in begin * RATE..(begin + PART) * RATE {
            let visible = seen.get(&(n as i64)).context("every event becomes a row")?;
            latencies.record(visible.saturating_sub(produced[n as usize]).as_micros() as u64)?;
        }
        let ms = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        anyhow::Ok(Latency { p50: ms(0.5), p99: ms(0.99) })
    };
    Ok((part(WARM_UP)?, part(WARM_UP + PART)?))
}

/// Puts another digest into the directory again and again: slowly in the warm-up, then not at all, then fast.
fn swap(variants: &Variants, plugins: &Path, began: Instant) -> anyhow::Result<()> {
    let until = |second: u64| Duration::from_secs(second).saturating_sub(began.elapsed());
    for digest in 0..DIGESTS {
        std::thread::sleep(until(WARM_UP / 2 + 2 * digest as u64));
        variants.put(plugins, digest)?;
    }
    std::thread::sleep(until(WARM_UP + PART));
    let mut number = 0;
    while !until(WARM_UP + 2 * PART).is_zero() {
        variants.put(plugins, number % DIGESTS)?;
        number += 1;
        std::thread::sleep(SWAP_EVERY);
    }
    Ok(())
}

fn tuned(brokers: &str) -> anyhow::Result<BaseProducer> {
    producer(brokers)
}

/// Sends at an even rate; answers when each was sent.
fn produce(producer: &BaseProducer, topic: &str, began: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut sent = Vec::with_capacity((RATE * SECONDS) as usize);
    for n in 0..RATE * SECONDS {
        let due = Duration::from_secs_f64(n as f64 / RATE as f64);
        if let Some(wait) = due.checked_sub(began.elapsed()) {
            producer.poll(Duration::ZERO);
            std::thread::sleep(wait);
        }
        let payload = bench_event(n);
        sent.push(began.elapsed());
        let record = BaseRecord::<(), str>::to(topic).payload(&payload).partition((n % PARTITIONS as u64) as i32);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(10))?;
    Ok(sent)
}

/// Looks for new rows all the time; answers when each was first seen.
fn watch(url: &str, began: Instant) -> anyhow::Result<BTreeMap<i64, Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        let mut seen = BTreeMap::new();
        let mut last = [-1_i64; PARTITIONS as usize];
        let limit = Instant::now() + Duration::from_secs(SECONDS + 60);
        while seen.len() < (RATE * SECONDS) as usize && Instant::now() < limit {
            for (part, last) in last.iter_mut().enumerate() {
                let sql = "SELECT n FROM events WHERE part = $1 AND n > $2 ORDER BY n";
                let rows = sqlx::query(sql).bind(part as i32).bind(*last).fetch_all(&mut connection).await?;
                let now = began.elapsed();
                for row in rows {
                    *last = row.try_get(0)?;
                    seen.insert(*last, now);
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(seen)
    })
}
