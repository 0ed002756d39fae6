//! State of plugins through the whole program: counted once through kills, as its schema and its grant say, and in memory only
//! without a home.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, eventually};
use wasmill_tests::services::{self, Database, unique};

const PARTITIONS: i32 = 2;
/// Events of a partition; each key has an equal part of them.
const EVENTS: usize = 20_000;
const KEYS: usize = 40;
const GRANTED: &str = "grants: [state]";

const ALERTS: &str = "SELECT count(*), count(DISTINCT id) FROM alerts";
const PROGRESS: &str = "SELECT coalesce(sum(next_offset), 0) FROM wasmill_ledger";

/// A pipeline from Kafka that counts keys, with an alert for each hundredth event of a key.
fn counting(brokers: &str, sinks: &str) -> (Cluster, String, Pipeline) {
    let (cluster, topic) = (Cluster::at(brokers).unwrap(), unique("counted"));
    let yaml = format!(
        "name: counting\nsource:\n  kafka:\n    brokers: \"{brokers}\"\n    topics: [{topic}]\n    group: {topic}\n    \
         from: earliest\n    group_instance_id: worker-1\nbatch: {{ events_max: 100 }}\nplugins: plugins.d\nsinks:\n{sinks}"
    );
    let plugin = format!("{GRANTED}\nconfig: {{ every: 100 }}\n");
    (cluster, topic, Pipeline::new(&yaml).plugin(10, "counter", &plugin))
}

fn produce(cluster: &Cluster, topic: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(cluster.create(topic, PARTITIONS, &[])).unwrap();
    for partition in 0..PARTITIONS {
        let record = |n: usize| Record::of(format!(r#"{{"key":"key-{}","bytes":{}}}"#, n % KEYS, n % 7));
        cluster.produce(topic, partition, (0..EVENTS).map(record)).unwrap();
    }
}

/// Kills the pipeline whenever a fifth more is done, lets it end, and compares what is stored with what was sent. `ask` gives the
/// rows that a query gives, a line each, with `|` between its columns.
fn counts_once_through_kills(cluster: &Cluster, topic: &str, pipeline: &Pipeline, ask: impl Fn(&str) -> Vec<String>) {
    produce(cluster, topic);
    let all = EVENTS * PARTITIONS as usize;
    let mut kills = 0;
    for fifth in 1..5 {
        let running = pipeline.start();
        let enough =
            || ask(PROGRESS).first().and_then(|sum| sum.parse().ok()).is_some_and(|sum: usize| sum >= all / 5 * fifth);
        eventually("a fifth is done", enough);
        kills += usize::from(ask(PROGRESS)[0].parse::<usize>().unwrap() < all);
        running.kill();
    }
    assert!(kills >= 2, "the kills came while it was at work");
    let ran = pipeline.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], b"").wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    // All keys of a partition have the same count, and so one value but for its length.
    let expected = (EVENTS / KEYS) as u64;
    let values = ask("SELECT hex(substr(value, 1, 8)), count(*) FROM wasmill_state GROUP BY 1");
    let hex: String = expected.to_le_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(values, [format!("{hex}|{}", KEYS * PARTITIONS as usize)]);
    let alerts = EVENTS / KEYS / 100 * KEYS * PARTITIONS as usize;
    assert_eq!(ask(ALERTS), [format!("{alerts}|{alerts}")]);
    assert_eq!(ask("SELECT count(*) FROM events"), [all.to_string()]);
    assert_eq!(ask("SELECT count(*), sum(version) FROM wasmill_states"), [format!("{PARTITIONS}|{PARTITIONS}")]);
}

#[test]
fn each_event_is_counted_once_in_sqlite_through_kills() {
    let Some(brokers) = services::kafka() else { return };
    let sinks = "  rows: { sqlite: { path: out.db, table: events, create: true, columns: { key: key } } }\n  \
                 alerts: { from: alerts, sqlite: { path: out.db, table: alerts, create: true, columns: { id: id } } }\n";
    let (cluster, topic, pipeline) = counting(&brokers, sinks);
    let ask = |sql: &str| {
        let is_there = pipeline.path("out.db").exists()
            && pipeline.count("out.db", "SELECT count(*) FROM sqlite_master WHERE name = 'wasmill_ledger'") == 1;
        if !is_there {
            return Vec::new();
        }
        pipeline.sqlite("out.db", sql).into_iter().map(|row| row.join("|")).collect()
    };
    counts_once_through_kills(&cluster, &topic, &pipeline, ask);
}

#[test]
fn each_event_is_counted_once_in_timescale_through_kills() {
    let Some(brokers) = services::kafka() else { return };
    let Some(database) = Database::create() else { return };
    database
        .psql("CREATE FUNCTION hex(bytea) RETURNS text LANGUAGE sql AS $$ SELECT upper(encode($1, 'hex')) $$")
        .unwrap();
    let url = database.url();
    let columns = "{ key: { from: key, type: text }, at: { from: $timestamp, type: timestamptz } }";
    let sinks = format!(
        "  rows: {{ timescale: {{ url: \"{url}\", table: events, create: true, time: at, columns: {columns} }} }}\n  \
         alerts: {{ from: alerts, postgres: {{ url: \"{url}\", table: alerts, create: true, columns: {{ id: {{ from: id, type: text }} }} }} }}\n"
    );
    let (cluster, topic, pipeline) = counting(&brokers, &sinks);
    let ask = |sql: &str| {
        let answer = database.psql(sql).unwrap_or_default();
        answer.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    counts_once_through_kills(&cluster, &topic, &pipeline, ask);
}

/// A pipeline from a file to SQLite that says each count.
fn from_file(sidecar: &str) -> Pipeline {
    let yaml = "name: file\nsource: { file: { path: in.jsonl } }\nplugins: plugins.d\nsinks:\n  \
                alerts: { from: alerts, sqlite: { path: out.db, table: alerts, create: true, columns: { summary: summary } } }\n";
    Pipeline::new(yaml).plugin(10, "counter", sidecar)
}

/// Appends events of key `a` to the file, runs, and gives the counts that were said so far.
fn count_more(pipeline: &Pipeline, events: usize) -> Vec<String> {
    let path = pipeline.path("in.jsonl");
    // The beginning of a file is its name, and must not change.
    let mut content = std::fs::read(&path)
        .unwrap_or_else(|_| format!("{{\"key\":\"b\",\"fill\":\"{}\"}}\n", "x".repeat(5000)).into_bytes());
    content.extend(b"{\"key\":\"a\"}\n".repeat(events));
    std::fs::write(&path, content).unwrap();
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let counts = pipeline.sqlite("out.db", "SELECT summary FROM alerts");
    counts.into_iter().map(|row| row[0].split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn a_pipeline_goes_on_with_the_state_that_it_stored() {
    let pipeline = from_file(GRANTED);
    assert_eq!(count_more(&pipeline, 2), ["1", "1", "2"]);
    assert_eq!(count_more(&pipeline, 2), ["1", "1", "2", "3", "4"]);
}

#[test]
fn state_of_another_version_is_refused_until_it_is_reset() {
    let pipeline = from_file(GRANTED);
    assert_eq!(count_more(&pipeline, 2), ["1", "1", "2"]);
    pipeline.sqlite("out.db", "UPDATE wasmill_states SET version = 9");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("keeps state of version 1, and what is stored of it has version 9"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`state: reset`") && ran.stderr.contains("10-counter.yaml"), "{}", ran.stderr);
    std::fs::write(pipeline.path("plugins.d/10-counter.yaml"), format!("{GRANTED}\nstate: reset\n")).unwrap();
    assert_eq!(count_more(&pipeline, 1), ["1", "1", "2", "1"]);
    // The version is its own now: nothing goes any more.
    assert_eq!(count_more(&pipeline, 1), ["1", "1", "2", "1", "2"]);
}

#[test]
fn one_event_that_claims_to_be_years_ahead_takes_no_state_with_it_and_two_do() {
    let yaml = "name: ahead\nsource: { file: { path: in.jsonl }, event_time: at }\nplugins: plugins.d\nsinks:\n  \
                alerts: { from: alerts, sqlite: { path: out.db, table: alerts, create: true, columns: { summary: summary } } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "counter", GRANTED);
    let event = |key: &str, at: &str| format!("{{\"key\":\"{key}\",\"at\":\"{at}\",\"life\":3600}}\n");
    let past = |second: u32| event("a", &format!("2020-01-01T00:00:{second:02}Z"));
    let far = event("b", "2999-01-01T00:00:00Z");
    std::fs::write(
        pipeline.path("in.jsonl"),
        [past(1), past(2), far.clone(), past(3), far.clone(), far, past(4)].concat(),
    )
    .unwrap();
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = pipeline.sqlite("out.db", "SELECT summary FROM alerts");
    let counts: Vec<_> = said.iter().map(|row| row[0].split(' ').next().unwrap()).collect();
    assert_eq!(counts, ["1", "2", "1", "3", "2", "1", "1"], "{said:?}");
}

#[test]
fn a_full_state_loses_its_oldest_keys_and_says_so() {
    let pipeline = from_file(&format!("{GRANTED}\nlimits: {{ state_bytes: 7400 }}\n"));
    let events: String = (0..1000).map(|n| format!("{{\"key\":\"{n:02}\"}}\n")).collect();
    std::fs::write(pipeline.path("in.jsonl"), events).unwrap();
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("the plugin's state was full") && ran.stderr.contains("limits.state_bytes"),
        "{}",
        ran.stderr
    );
    let report = ran.report();
    let kept = pipeline.count("out.db", "SELECT count(*) FROM wasmill_state");
    assert_eq!(report["plugins"][0]["state_evicted"], 1000 - kept);
    assert!((90..=100).contains(&kept), "{kept}");
    let oldest = "SELECT CAST(min(\"offset\") AS TEXT) FROM wasmill_state WHERE CAST(key AS TEXT) = '999'";
    assert_ne!(pipeline.sqlite("out.db", oldest)[0][0], "NULL", "the last one is kept");
}

#[test]
fn state_that_is_not_granted_is_refused_with_what_to_write() {
    let ran = from_file("{}").run(b"");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("10-counter.wasm") && ran.stderr.contains("write `grants: [state]`"), "{}", ran.stderr);
}

#[test]
fn two_plugins_that_would_share_a_state_are_refused() {
    let pipeline = from_file(GRANTED).plugin(20, "counter", GRANTED);
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("20-counter.wasm are both the plugin counter"), "{}", ran.stderr);
}

#[test]
fn without_a_home_state_is_in_memory_only_and_validate_says_so() {
    let yaml = "name: memory\nsource: { stdin: {} }\nplugins: plugins.d\nsinks: { alerts: { from: alerts, file: { path: out.jsonl } } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "counter", GRANTED);
    let validated = pipeline.start_with(&["validate", "pipeline.yaml"], b"").wait(PATIENCE);
    assert!(
        validated.stdout.contains("10-counter keeps state, and without a home that is in memory only"),
        "{}",
        validated.stdout
    );
    for _ in 0..2 {
        let ran = pipeline.run(&b"{\"key\":\"a\"}\n".repeat(2));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
    let alerts = std::fs::read_to_string(pipeline.path("out.jsonl")).unwrap();
    let counts: Vec<_> = alerts.lines().map(|line| &line[line.find("\"summary\":\"").unwrap() + 11..][..1]).collect();
    assert_eq!(counts, ["1", "2", "1", "2"]);
    let with_home = from_file(GRANTED).start_with(&["validate", "pipeline.yaml"], b"").wait(PATIENCE);
    assert!(!with_home.stdout.contains("in memory only"), "{}", with_home.stdout);
}
