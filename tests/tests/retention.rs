//! Home forgets dead letters and commit records after their time, whatever their number, and nothing before it.

use wasmill_tests::pipeline::{PATIENCE, Pipeline, eventually};

const YAML: &str = r"
name: forgetful
source: { stdin: {} }
retention: { dead_letters_days: 7, commits_days: 90 }
sinks:
  rows: { sqlite: { path: out.db, table: events, create: true, columns: { id: id } } }
";

/// Days ago, and how many dead letters and commit records of that age are there; more than are deleted at a time.
const AGES: [(u32, u32); 4] = [(6, 3), (8, 1_234), (89, 2), (91, 1_111)];

/// A database with a dead letter and a commit record of today, and copies of them of each age.
fn aged(yaml: &str) -> Pipeline {
    let pipeline = Pipeline::new(yaml);
    let ran = pipeline.run(b"{\"id\":\"1\"}\nnot JSON\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for (days, copies) in AGES {
        let numbers = format!("WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {copies})");
        pipeline.sqlite("out.db", &format!(
            "{numbers} INSERT INTO wasmill_dead_letters (pipeline, source, cluster, topic, topic_id, partition, \"offset\", \
             timestamp_ns, stage, code, reason, rejected_at_us, payload, headers) \
             SELECT pipeline, source, cluster, topic, topic_id, partition, n, timestamp_ns, stage, code, reason, \
             rejected_at_us - {days} * 86400000000, payload, headers FROM n, (SELECT * FROM wasmill_dead_letters WHERE id = 1)"
        ));
        pipeline.sqlite("out.db", &format!(
            "{numbers} INSERT INTO wasmill_commits (pipeline, source, cluster, topic, topic_id, partition, first_offset, \
             next_offset, generation, config, engine, committed_at) SELECT pipeline, source, cluster, topic, topic_id, partition, \
             n, n + 1, generation, config, engine, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-{days} days') \
             FROM n, (SELECT * FROM wasmill_commits WHERE id = 1)"
        ));
    }
    pipeline
}

/// How many dead letters and commit records there are.
fn kept(pipeline: &Pipeline) -> (i64, i64) {
    let count = |table: &str| pipeline.count("out.db", &format!("SELECT count(*) FROM {table}"));
    (count("wasmill_dead_letters"), count("wasmill_commits"))
}

/// Rows of at most so many days, with the one of today.
fn younger_than(days: u32) -> i64 {
    1 + AGES.iter().filter(|(age, _)| *age < days).map(|(_, copies)| i64::from(*copies)).sum::<i64>()
}

#[test]
fn what_is_older_than_it_is_kept_is_deleted_and_nothing_else() {
    let pipeline = aged(YAML);
    let other = "INSERT INTO wasmill_commits SELECT 100000, 'another', source, cluster, topic, topic_id, partition, \
                 first_offset, next_offset, generation, config, engine, '2001-01-01T00:00:00.000Z' FROM wasmill_commits WHERE id = 1";
    pipeline.sqlite("out.db", other);
    pipeline.sqlite(
        "out.db",
        "INSERT INTO wasmill_letter_states (letter, state, attempts) SELECT id, 'waiting', 2 FROM wasmill_dead_letters",
    );
    let marks = "INSERT INTO wasmill_replayed SELECT 'forgetful', age, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', age) \
                 FROM (SELECT '-7 days' AS age UNION SELECT '-9 days')";
    pipeline.sqlite("out.db", marks);
    let (mut running, input) = pipeline.start_open(&["run", "pipeline.yaml", "--format", "json"]);
    let expected = (younger_than(7), younger_than(90) + 1);
    eventually("the old ones are deleted", || kept(&pipeline) == expected);
    // Only after the last part is deleted.
    running.wait_for_log("retention");
    drop(input);
    let ran = running.wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(kept(&pipeline), expected, "those of another pipeline and the younger ones stay");
    assert_eq!(
        pipeline.count("out.db", "SELECT count(*) FROM wasmill_letter_states"),
        expected.0,
        "they go with their letters"
    );
    assert_eq!(pipeline.sqlite("out.db", "SELECT identity FROM wasmill_replayed"), [["-7 days"]]);
}

#[test]
fn dead_letters_that_are_yet_to_be_relayed_are_kept_until_they_are() {
    let pipeline = aged(YAML);
    let all = kept(&pipeline).0;
    // From now on there is a file, which has none of them.
    let yaml = std::fs::read_to_string(pipeline.path("pipeline.yaml")).expect("the file is there");
    let relaying = format!("{yaml}dead_letters: {{ file: {{ path: dead.jsonl }} }}\n");
    std::fs::write(pipeline.path("pipeline.yaml"), relaying).expect("a file");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let dead = std::fs::read_to_string(pipeline.path("dead.jsonl")).expect("the file is made");
    assert_eq!(dead.lines().count() as i64, all);
}
