//! `examples/xdr-ingestion` as its README says: its own file, settings and commands, on a real Kafka and a real TimescaleDB,
//! with two workers.

use std::collections::HashSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use wasmill_tests::example::Example;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, eventually};
use wasmill_tests::services::{self, Database, unique};

const EXAMPLE: Example = Example("xdr-ingestion");

/// Events of each of the four partitions, beside those of the README.
const EVENTS: usize = 2_000;

/// The example's folder with the plugins where its README copies them to, and all variables that it honours but `LOG_LEVEL`.
fn pipeline(brokers: &str, topic: &str, database: &Database) -> Result<Pipeline> {
    let pipeline = EXAMPLE.pipeline(&[(10, "validate-event"), (20, "enrich-env")])?;
    let (user, rest) =
        database.url().strip_prefix("postgres://").and_then(|url| url.split_once('@')).context("a URL")?;
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let (server, name) = rest.split_once('/').context("a database")?;
    let (host, port) = server.split_once(':').unwrap_or((server, "5432"));
    let variables = [
        ("KAFKA_BROKERS", brokers),
        ("KAFKA_TOPIC_RAW_EVENTS", topic),
        ("KAFKA_GROUP_ID", &unique("xdr")),
        ("DATABASE_HOST", host),
        ("DATABASE_PORT", port),
        ("DATABASE_NAME", name),
        ("DATABASE_USER", user),
        ("DATABASE_PASSWORD", password),
        ("ADMIN_ADDRESS", "127.0.0.1:0"),
    ];
    Ok(variables.iter().fold(pipeline, |pipeline, (name, value)| pipeline.env(name, value)))
}

fn event(partition: i32, n: usize) -> Record {
    let second = n % 60;
    Record::of(format!(
        "{{\"event_id\":\"{partition}-{n}\",\"timestamp\":\"2026-01-31T11:00:{second:02}Z\",\"event_type\":\"login\",\
         \"severity\":\"INFO\",\"source\":{{\"ip\":\"10.0.{partition}.1\"}}}}"
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_leads_from_events_to_rows_with_two_workers() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let Some(database) = Database::create() else { return Ok(()) };
    let topic = unique("xdr");
    let commands = EXAMPLE.server_commands()?;
    let names: Vec<&str> = commands.iter().map(|command| command.tool.as_str()).collect();
    ensure!(names == ["kafka-topics", "kafka-console-producer", "psql", "psql"], "the README's commands: {names:?}");
    let [topics, producer, rows, letters] = &commands[..] else { unreachable!("there are four") };
    topics.run(&brokers, &[("raw-events", &topic)])?;

    let folder = pipeline(&brokers, &topic, &database)?.env("LOG_LEVEL", "info");
    let checked = folder.start_with(&["validate", "pipeline.yaml"], b"").wait(PATIENCE);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    assert!(checked.stdout.contains("exactly once"), "{}", checked.stdout);

    // The second worker takes two partitions over, which bumps their epochs.
    let count = |sql: &str| database.psql(sql).ok().and_then(|count| count.parse::<usize>().ok()).unwrap_or(0);
    let first = folder.start();
    eventually("the first worker has all partitions", || count("select count(*) from wasmill_ledger") == 4);
    let folder = folder.env("LOG_LEVEL", "error");
    let second = folder.start();
    eventually("the workers share them", || count("select count(*) from wasmill_ledger where epoch > 1") == 2);

    producer.run(&brokers, &[("raw-events", &topic)])?;
    let cluster = Cluster::at(&brokers)?;
    for partition in 0..4 {
        cluster.produce(&topic, partition, (0..EVENTS).map(|n| event(partition, n)))?;
    }
    let expected = 4 * EVENTS + 2;
    eventually("every event is a row", || count("select count(*) from raw_events") == expected);
    eventually("the others are dead letters", || count("select count(*) from wasmill_dead_letters") == 2);
    assert_eq!(count("select count(distinct event_id) from raw_events"), expected);
    assert_eq!(count("select count(*) from raw_events where env = 'dev' and enriched_at is not null"), expected);

    let table = rows.run(database.url(), &[])?;
    for cells in [["e-1", "INFO", "10.0.0.7", "dev"], ["e-2", "CRITICAL", "10.0.0.9", "dev"]] {
        assert!(table.lines().any(|line| cells.iter().all(|cell| line.contains(cell))), "{cells:?}: {table}");
    }
    assert!(!table.contains("e-3") && !table.contains("e-4"), "{table}");
    let table = letters.run(database.url(), &[])?;
    assert!(table.contains("bad_timestamp") && table.contains("not_json") && table.contains("(2 rows)"), "{table}");

    let (first, second) = (first.stop(), second.stop());
    assert!(first.stderr.contains("INFO") && !second.stderr.contains("INFO"), "LOG_LEVEL is honoured");
    let mut received = 0;
    for worker in [first, second] {
        assert_eq!(worker.code, Some(0), "{}", worker.stderr);
        let share = worker.assert_sums(&["raw_events"])["received"].as_u64().context("a count")?;
        assert!(share >= 2 * EVENTS as u64, "each worker has two partitions: {share}");
        received += share;
    }
    assert_eq!(received, expected as u64 + 3);
    let relayed = fs::read_to_string(folder.path("dead-letters.jsonl"))?;
    let offsets: HashSet<&str> = relayed.lines().collect();
    assert_eq!(offsets.len(), 2, "{relayed}");
    Ok(())
}
