//! Real Kafka → three plugins → a hypertable of 13 columns and a jsonb body, against one binary `\copy` of the same rows.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::services::{self, Database};
use xtask::services::TimescaleRecipe;

use super::boundary::with_shipped_plugins;
use super::kafka::filled_topic;
use super::measure::Measurement;

const EVENTS: u64 = 600_000;
const ROUNDS: usize = 3;
const ROUND_MAX: Duration = Duration::from_secs(600);

const TABLE: &str = "
    id text, at timestamptz NOT NULL, severity text, service text, host text, source_ip inet, \"user\" text, message text,
    status integer, latency_ms double precision, n bigint, part integer, place bigint, body jsonb";

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let database = Database::create().context("this benchmark needs a real TimescaleDB")?;
    let topic = filled_topic(&brokers, "bench-rows", EVENTS, 4)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("rows.bin");
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        for table in ["events", "control"] {
            new_table(&database, table, "")?;
        }
        let ours = EVENTS as f64 / seconds_to_store(&brokers, &topic, EVENTS, &database, "")?;
        if round == 0 {
            psql(&database, &format!("\\copy (SELECT * FROM events) TO '{}' (FORMAT binary)", file.display()))?;
        }
        let started = Instant::now();
        psql(&database, &format!("\\copy control FROM '{}' (FORMAT binary)", file.display()))?;
        rounds.push((ours, EVENTS as f64 / started.elapsed().as_secs_f64()));
    }
    Ok(vec![Measurement::new("timescale", "rows/s", &rounds)])
}

/// A hypertable that is empty, with further constraints, such as `, PRIMARY KEY (id, at)`.
pub(crate) fn new_table(database: &Database, table: &str, constraints: &str) -> anyhow::Result<()> {
    database.psql(&format!(
        "DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({TABLE}{constraints}); \
         SELECT create_hypertable('{table}', 'at', chunk_time_interval => interval '1 hour')"
    ))?;
    Ok(())
}

/// Seconds from the first row of a topic's `events` to the last, in the table `events`, of which the sink says `settings` too.
pub(crate) fn seconds_to_store(
    brokers: &str,
    topic: &str,
    events: u64,
    database: &Database,
    settings: &str,
) -> anyhow::Result<f64> {
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
{settings}      columns:
        id: id
        at: timestamp
        severity: severity
        service: service
        host: host
        source_ip: source_ip
        user: user
        message: message
        status: status
        latency_ms: latency_ms
        n: count
        part: $partition
        place: $offset
        body: $raw
"
    );
    let pipeline = with_shipped_plugins(Pipeline::new(&yaml));
    let running = pipeline.start_with(&["run", "pipeline.yaml", "--format", "json"], b"");
    let count = || -> anyhow::Result<u64> {
        let sum = format!("SELECT coalesce(sum(next_offset), 0) FROM wasmill_ledger WHERE pipeline = '{name}'");
        Ok(database.psql(&sum)?.parse::<f64>()? as u64)
    };
    let limit = Instant::now() + ROUND_MAX;
    // The clock runs from the first commit on: joining the group is not what is measured.
    let mut first: Option<(Instant, u64)> = None;
    let seconds = loop {
        let stored = count().unwrap_or(0);
        match first {
            None if stored > 0 => first = Some((Instant::now(), stored)),
            Some((since, at_first)) if stored >= events => {
                let share = (events - at_first) as f64 / events as f64;
                break since.elapsed().as_secs_f64() / share;
            }
            _ => {}
        }
        if Instant::now() > limit {
            bail!("{stored} of {events} rows after {ROUND_MAX:?}:\n{}", running.kill().stderr);
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let ran = running.stop();
    if ran.report()["delivered"]["rows"] != events {
        bail!("not every event became a row: {}\n{}", ran.report(), ran.stderr);
    }
    Ok(seconds)
}

fn psql(database: &Database, command: &str) -> anyhow::Result<()> {
    let mut psql: Command = TimescaleRecipe::psql()?;
    let output = psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, database.url()]).output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
