//! `wasmill doctor` asks every system and changes none; `wasmill validate --sql` prints the rights that a pipeline needs, and no more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::letters::{dlq, replay};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran};
use wasmill_tests::services::{self, Database, unique};

fn doctor(pipeline: &Pipeline) -> (Ran, Vec<Value>) {
    let ran = pipeline.start_with(&["doctor", "pipeline.yaml", "--format", "json"], b"").wait(PATIENCE);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("no answer: {}", ran.stderr));
    assert_eq!(answer["could_run"], ran.code == Some(0), "{answer:#}");
    (ran, answer["findings"].as_array().expect("findings").clone())
}

/// Asserts how a part is, and that its text has these words.
fn assert_finding(findings: &[Value], part: &str, state: &str, words: &str) {
    let of_part: Vec<_> = findings.iter().filter(|finding| finding["part"] == part).collect();
    let fits = |finding: &&&Value| {
        finding["state"] == state && finding["text"].as_str().is_some_and(|text| text.contains(words))
    };
    assert!(of_part.iter().any(|finding| fits(&finding)), "{part}: {state}: {words}: {findings:#?}");
}

fn topic(brokers: &str) -> String {
    let topic = unique("doctor");
    wait(Cluster::at(brokers).expect("a client").create(&topic, 2, &[])).expect("a topic");
    topic
}

const ROWS: &str = "table: rows, create: true, time: at, \
                    columns: { id: id, at: { from: $timestamp, type: timestamptz }, n: { from: n, type: bigint } }";

#[test]
fn pipeline_that_could_run_is_well_in_every_part_and_nothing_is_changed() {
    let (Some(brokers), Some(database)) = (services::kafka(), Database::create()) else { return };
    let (input, output) = (topic(&brokers), topic(&brokers));
    let pipeline = Pipeline::new(&format!(
        "name: doctor\n{}plugins: plugins.d\nsinks:\n  rows: {{ timescale: {{ url: \"{}\", {ROWS} }} }}\n  \
         local: {{ sqlite: {{ path: out.db, table: t, columns: {{ id: id }} }} }}\n  out: {{ kafka: {{ brokers: \"{brokers}\", topic: {output} }} }}\n  \
         lines: {{ file: {{ path: out.jsonl }} }}\n",
        source(&brokers, &input, "earliest"),
        database.url()
    ))
    .plugin(10, "adversary", "{}");
    let (ran, findings) = doctor(&pipeline);
    assert_eq!(ran.code, Some(0), "{findings:#?}");
    assert_finding(&findings, "plugin 10-adversary", "well", "adversary");
    assert_finding(&findings, "source", "well", "2 partitions");
    assert_finding(&findings, "sink rows", "well", "\"rows\" fits");
    assert_finding(&findings, "sink local", "well", "not there yet");
    assert_finding(&findings, "sink out", "well", "may be written");
    assert_finding(&findings, "sink lines", "well", "can be written");
    assert!(!pipeline.path("out.db").exists() && !pipeline.path("out.jsonl").exists());
    let tables = database.psql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").expect("a count");
    assert_eq!(tables, "0");

    // What was made by a run is looked at and left alone.
    let cluster = Cluster::at(&brokers).expect("a client");
    cluster.produce(&input, 0, [Record::of("{\"id\":\"a\",\"n\":1}")]).expect("it is written");
    assert_eq!(pipeline.run(b"").code, Some(0));
    let (_, findings) = doctor(&pipeline);
    assert!(findings.iter().all(|finding| finding["state"] == "well"), "{findings:#?}");
    assert_finding(&findings, "sink local", "well", "fits");
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM t"), 1);
}

#[test]
fn each_thing_that_is_in_the_way_is_told_with_its_remedy() {
    let (Some(brokers), Some(database)) = (services::kafka(), Database::create()) else { return };
    let input = topic(&brokers);
    let cluster = Cluster::at(&brokers).expect("a client");
    let soon = SystemTime::now() + Duration::from_secs(1_800);
    let soon = soon.duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    cluster.send(&input, 0, &Record { time_ms: Some(soon), ..Record::of("{}") }).expect("it is sent");
    cluster.flush().expect("it is written");
    let pipeline = Pipeline::new(&format!(
        "name: doctor\n{}sinks:\n  rows: {{ postgres: {{ url: \"{}\", table: missing, columns: {{ id: id }} }} }}\n  \
         away: {{ postgres: {{ url: \"postgres://u:secret@127.0.0.1:1/d\", table: t, columns: {{ id: id }} }} }}\n  \
         out: {{ kafka: {{ brokers: \"{brokers}\", topic: no-such-topic }} }}\n  \
         lost: {{ kafka: {{ brokers: \"127.0.0.1:1\", topic: t }} }}\n  lines: {{ file: {{ path: no/folder/out.jsonl }} }}\n",
        source(&brokers, &input, "earliest"),
        database.url()
    ));
    let (ran, findings) = doctor(&pipeline);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert_finding(&findings, "source", "doubtful", "ahead of this machine's clock");
    assert_finding(&findings, "sink rows", "wrong", "CREATE TABLE \"missing\"");
    assert_finding(&findings, "sink away", "wrong", "127.0.0.1:1/d");
    assert_finding(&findings, "sink out", "wrong", "`no-such-topic` does not exist: create it");
    assert_finding(&findings, "sink lost", "wrong", "no answer from 127.0.0.1:1");
    assert_finding(&findings, "sink lines", "wrong", "make its folder");
    assert!(!ran.stdout.contains("secret") && !ran.stderr.contains("secret"));
}

#[test]
fn rights_that_are_printed_suffice_and_each_that_is_missing_is_told() {
    let (Some(brokers), Some(database)) = (services::kafka(), Database::create()) else { return };
    let (input, role) = (topic(&brokers), unique("role").replace('-', "_"));
    database.psql(&format!("CREATE ROLE {role} LOGIN")).expect("a role");
    let url = database.url().replacen("//postgres@", &format!("//{role}@"), 1);
    let pipeline = Pipeline::new(&format!(
        "name: doctor\n{}sinks: {{ rows: {{ timescale: {{ url: \"{url}\", {ROWS} }} }} }}\nretention: {{ dead_letters_days: 1 }}\n",
        source(&brokers, &input, "earliest"),
    ));
    let printed = pipeline.start_with(&["validate", "pipeline.yaml", "--sql"], b"").wait(PATIENCE);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    for time in ["once", "again"] {
        database.psql(&printed.stdout).unwrap_or_else(|error| panic!("an owner cannot run it {time}: {error:#}"));
    }

    let cluster = Cluster::at(&brokers).expect("a client");
    let records =
        [Record::of("{\"id\":\"a\",\"n\":1}"), Record::of("no JSON"), Record::of("{\"id\":\"b\",\"n\":\"x\"}")];
    cluster.produce(&input, 0, records).expect("they are written");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(database.psql("SELECT id FROM rows").expect("rows"), "a");
    assert_eq!(database.psql("SELECT count(*) FROM wasmill_dead_letters").expect("letters"), "2");
    let (ran, findings) = doctor(&pipeline);
    assert_eq!(ran.code, Some(0), "{findings:#?}");

    assert_eq!(replay(&pipeline, &["--all"]), [0, 2, 0, 0], "the rights suffice for that too");
    assert_eq!(dlq(&pipeline, "discard", &["--all", "--reason", "a test"]).code, Some(0));

    // As a wasmill left it that knew no replays yet.
    database
        .psql("DROP TABLE wasmill_letter_states, wasmill_replayed; UPDATE wasmill_schema SET version = version - 1")
        .expect("an older version");
    let (_, findings) = doctor(&pipeline);
    assert_finding(&findings, "sink rows", "wrong", "what `wasmill validate` prints with `--sql`");
    database.psql(&printed.stdout).expect("it brings the tables up to date");
    let (ran, findings) = doctor(&pipeline);
    assert_eq!(ran.code, Some(0), "{findings:#?}");

    let rights: Vec<&str> =
        printed.stdout.lines().filter(|line| line.starts_with("GRANT") && !line.contains("SCHEMA")).collect();
    assert!(rights.len() > 6, "{rights:?}");
    for right in rights {
        let (privileges, rest) = right["GRANT ".len()..].split_once(" ON ").expect("a statement");
        let (table, _) = rest.split_once(" TO ").expect("a statement");
        // The others make chunks ahead, which a table can do without.
        let needed = if table == "\"rows\"" { "INSERT" } else { privileges };
        for privilege in needed.split(", ") {
            database.psql(&format!("REVOKE {privilege} ON {table} FROM {role}")).expect("it is revoked");
            let (ran, findings) = doctor(&pipeline);
            assert_eq!(ran.code, Some(1), "without {privilege} on {table}");
            assert_finding(&findings, "sink rows", "wrong", table.trim_matches('"'));
            database.psql(&format!("GRANT {privilege} ON {table} TO {role}")).expect("it is given");
        }
    }
    database.psql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).expect("the role goes");
}
