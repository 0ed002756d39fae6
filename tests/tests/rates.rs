//! Rates, distinct values, absences and quiet times through the real binary: the same alerts with the same ids wherever batches are
//! cut, and however often the process is killed.

use fastrand::Rng;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::wait;
use wasmill_tests::pipeline::{Pipeline, Running, eventually};
use wasmill_tests::services::{self, unique};

const PARTITIONS: i32 = 2;
const EVENTS: i64 = 4_000;
const FIRST_MS: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;

const RULES: &str = r#"
config:
  rules:
    - { name: rate, when: 'v < 3', key: k, rate: { more_than: 4, within: 10s }, severity: error, summary: "{$count} {$suppressed}" }
    - { name: distinct, when: 'true', key: k, distinct: { field: v, more_than: 5, within: 20s }, quiet: 5s, severity: error,
        summary: "{$count} {$suppressed}" }
    - { name: absent, when: 'k != "k-0"', key: k, absent: { within: 15s }, severity: error, summary: "{$key} {$last_seen}" }
    - { name: quiet, when: 'v == 0', key: k, quiet: 30s, severity: info, summary: "{$suppressed} {n}" }
    - { name: plain, when: 'n % 500 == 0', severity: info, summary: "{n}" }
grants: [state]
"#;

/// Events of a partition: their times mostly go on by some 20 ms; some are late, some stand still, some are years off.
fn records(seed: u64) -> impl Iterator<Item = Record> {
    let mut random = Rng::with_seed(seed);
    let mut now = FIRST_MS;
    (0..EVENTS).map(move |n| {
        now += random.i64(0..40);
        // A quiet time for all but one key, now and then.
        let key = if n % 1_000 > 900 { 0 } else { random.u32(0..40) };
        let (time, recorded) = match random.u32(0..200) {
            0..4 => (now - random.i64(0..60_000), now),
            4 => (now - 3_000 * DAY_MS, now),
            5 => (now + 3_000 * DAY_MS, now),
            6 => (now - 3_000 * DAY_MS, now - 3_000 * DAY_MS),
            7 => (now + 40 * DAY_MS, now + 40 * DAY_MS),
            _ => (now, now),
        };
        let value = format!(r#"{{"k":"k-{key}","v":{},"n":{n},"at":{time}}}"#, random.u32(0..8));
        if n % 1_000 > 900 {
            now += 300;
        }
        Record { time_ms: Some(recorded), ..Record::of(value) }
    })
}

/// A pipeline with a database of its own, over the same topic.
fn pipeline(brokers: &str, topic: &str, batch: u32) -> Pipeline {
    let group = unique("rates");
    let yaml = format!(
        "name: rates
source:
  kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {group}, from: earliest, group_instance_id: {group},
           options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 500 }} }}
  event_time: at
plugins: plugins.d
batch: {{ events_max: {batch} }}
sinks:
  rows: {{ sqlite: {{ path: out.db, table: events, create: true, columns: {{ n: {{ from: n, type: bigint }} }} }} }}
  alerts:
    from: alerts
    sqlite: {{ path: out.db, table: alerts, create: true,
              columns: {{ id: id, rule: rule, key: key, summary: summary, part: $partition, place: $offset }} }}
"
    );
    Pipeline::new(&yaml).plugin(10, "alert-rules", RULES)
}

/// The alerts, of all partitions.
fn alerts(pipeline: &Pipeline) -> Vec<Vec<String>> {
    let sql = "SELECT rule, part, CAST(place AS INTEGER), key, summary, id FROM alerts ORDER BY 2, 3, 1, 4";
    pipeline.sqlite("out.db", sql)
}

fn rows(pipeline: &Pipeline) -> i64 {
    pipeline.count("out.db", "SELECT count(*) FROM events")
}

/// Waits until there are so many rows.
fn wait_for_rows(pipeline: &Pipeline, running: &mut Running, least: i64) {
    let has_table = || {
        let is_there = pipeline.path("out.db").exists();
        is_there && pipeline.count("out.db", "SELECT count(*) FROM sqlite_master WHERE name = 'events'") > 0
    };
    eventually("there are rows", || {
        assert!(running.is_running(), "{}", running.log());
        has_table() && rows(pipeline) >= least
    });
}

#[test]
fn alerts_have_the_same_ids_wherever_batches_are_cut_and_however_often_the_process_is_killed() {
    let Some(brokers) = services::kafka() else { return };
    let topic = unique("rates");
    let cluster = Cluster::at(&brokers).expect("a client can be made");
    wait(cluster.create(&topic, PARTITIONS, &[("retention.ms", "-1")])).expect("the topic can be made");
    let seed = fastrand::u64(..);
    for partition in 0..PARTITIONS {
        cluster
            .produce(&topic, partition, records(seed.wrapping_add(u64::from(partition.unsigned_abs()))))
            .expect("the events are written");
    }
    let total = i64::from(PARTITIONS) * EVENTS;

    let undisturbed = pipeline(&brokers, &topic, 2_000);
    let ran = undisturbed.run(b"");
    assert_eq!((ran.code, rows(&undisturbed)), (Some(0), total), "{}", ran.stderr);
    let expected = alerts(&undisturbed);
    for rule in ["rate", "distinct", "absent", "quiet", "plain"] {
        assert!(expected.iter().any(|alert| alert[0] == rule), "no alert of `{rule}`, seed {seed}");
    }

    let killed = pipeline(&brokers, &topic, 37);
    for kill in 1..=3 {
        let mut running = killed.start();
        wait_for_rows(&killed, &mut running, kill * total / 5);
        running.kill();
    }
    let ran = killed.run(b"");
    assert_eq!((ran.code, rows(&killed)), (Some(0), total), "{}", ran.stderr);
    let found = alerts(&killed);
    let differs = expected.iter().zip(&found).find(|(one, other)| one != other);
    assert_eq!((differs, found.len()), (None, expected.len()), "seed {seed}");
}
