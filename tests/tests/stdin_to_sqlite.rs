//! The smallest pipeline: standard input → SQLite, with every kind of hostile event.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use wasmill_tests::pipeline::Pipeline;

const YAML: &str = r"
name: small
source: { stdin: {} }
batch: { event_bytes_max: 100KiB }
sinks:
  rows:
    sqlite:
      path: out.db
      table: events
      create: true
      columns:
        id: id
        n: { from: n, type: bigint }
        at: { from: at, type: timestamptz }
        body: $payload
        place: $offset
";

/// The payload of a line that is hostile, and the code of its dead letter.
fn hostile() -> Vec<(Vec<u8>, &'static str)> {
    let mut deep = b"{\"a\":".to_vec();
    deep.extend(b"[".repeat(50_000));
    deep.extend(b"]".repeat(50_000));
    deep.push(b'}');
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (text("this is not JSON"), "not_json"),
        (text(r#"{"id":"1"} trailing"#), "not_json"),
        (text(r#"{"id":"1","n":"#), "truncated"),
        (text(r#"["an","array"]"#), "not_an_object"),
        (text("17"), "not_an_object"),
        (b"{\"id\":\"\xff\xfe\"}".to_vec(), "bad_utf8"),
        (text(r#"{"id":"\ud800"}"#), "lone_surrogate"),
        (deep, "too_deep"),
        (format!("{{\"id\":\"{}\"}}", "x".repeat(100 << 10)).into_bytes(), "too_large"),
        (text(r#"{"id":"a\u0000b"}"#), "nul_in_text"),
        (text(r#"{"id":"1","n":99999999999999999999}"#), "out_of_range"),
        (text(r#"{"id":"1","n":1.5}"#), "wrong_type"),
        (text(r#"{"id":"1","n":"1"}"#), "wrong_type"),
        (text(r#"{"id":"1","at":"10000-01-01T00:00:00Z"}"#), "bad_timestamp"),
        (text(r#"{"id":"1","at":"yesterday"}"#), "bad_timestamp"),
    ]
}

#[test]
fn hostile_events_are_dead_letters_with_their_code_and_their_bytes_and_the_others_are_rows() {
    let pipeline = Pipeline::new(YAML);
    let mut input = Vec::new();
    for (payload, _) in hostile() {
        input.extend(payload);
        input.extend(b"\n{\"id\":\"good\",\"n\":1,\"at\":\"1969-12-31T23:59:59.5+05:45\"}\n");
    }
    input.extend(b"{\"id\":\"first\",\"id\":\"last duplicate wins\"}\n");
    let ran = pipeline.run(&input);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows"]);
    let count = hostile().len();
    assert_eq!(report["received"], 2 * count + 1);
    assert_eq!(report["dead_letters"], count);

    let letters = pipeline.sqlite("out.db", "SELECT code, hex(payload) FROM wasmill_dead_letters ORDER BY \"offset\"");
    for ((payload, code), letter) in hostile().iter().zip(&letters) {
        assert_eq!(letter[0], *code, "{}", String::from_utf8_lossy(&payload[..payload.len().min(60)]));
        if *code != "too_large" {
            let hex: String = payload.iter().map(|byte| format!("{byte:02X}")).collect();
            assert_eq!(letter[1], hex, "the original bytes are kept");
        }
    }
    let rows = pipeline.sqlite("out.db", "SELECT DISTINCT id, n, at, body FROM events ORDER BY id");
    assert_eq!(rows[0][..3], ["good", "1", "1969-12-31T18:14:59.500000Z"]);
    assert_eq!(rows[1][0], "last duplicate wins");
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events") as usize, count + 1);
}

#[test]
fn empty_plugin_directory_passes_events_through_with_a_warning() {
    let pipeline = Pipeline::new(&format!("{YAML}plugins: plugins.d\n"));
    let ran = pipeline.run(b"{\"id\":\"1\"}\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("pass through"), "{}", ran.stderr);
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), 1);
}

#[test]
fn row_that_only_the_database_refuses_is_a_dead_letter_and_its_batch_goes_on() {
    let pipeline = Pipeline::new(&YAML.replace("create: true", "create: false"));
    let table = "CREATE TABLE events (id TEXT UNIQUE, n INTEGER CHECK (n < 100), at TEXT, body TEXT, place INTEGER)";
    create(&pipeline, table);
    let trigger =
        "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN new.n = 17 BEGIN SELECT RAISE(ABORT, 'not this one'); END";
    create(&pipeline, trigger);
    let rows = [("a", 1), ("a", 2), ("b", 100), ("c", 3), ("d", 17)];
    let input: String = rows.iter().map(|(id, n)| format!("{{\"id\":\"{id}\",\"n\":{n}}}\n")).collect();
    let ran = pipeline.run(input.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows"]);
    assert_eq!(report["refused"]["rows"], 3);
    assert_eq!(pipeline.sqlite("out.db", "SELECT id FROM events ORDER BY id"), [["a"], ["c"]]);
    let letters = pipeline.sqlite("out.db", "SELECT code, sink, stage FROM wasmill_dead_letters");
    assert_eq!(letters, vec![["refused_by_database", "rows", "sink"]; 3]);
    let reasons = pipeline.sqlite("out.db", "SELECT reason FROM wasmill_dead_letters ORDER BY \"offset\"");
    for (reason, word) in reasons.iter().zip(["UNIQUE", "CHECK", "not this one"]) {
        assert!(reason[0].contains(word), "{reason:?}");
    }
}

#[test]
fn file_is_resumed_where_the_ledger_says_and_nothing_is_doubled() {
    let pipeline = Pipeline::new(&YAML.replace("stdin: {}", "file: { path: in.jsonl }"));
    let line = |n: usize| format!("{{\"id\":\"{n}\",\"n\":{n}}}\n");
    let first: String = (0..1000).map(line).collect();
    std::fs::write(pipeline.path("in.jsonl"), &first).unwrap();
    assert_eq!(pipeline.run(b"").report()["received"], 1000);
    assert_eq!(pipeline.run(b"").report()["received"], 0);
    let more: String = (1000..1500).map(line).collect();
    std::fs::write(pipeline.path("in.jsonl"), format!("{first}{more}")).unwrap();
    assert_eq!(pipeline.run(b"").report()["received"], 500);
    assert_eq!(pipeline.count("out.db", "SELECT count(DISTINCT n) FROM events"), 1500);
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), 1500);
}

#[test]
fn missing_table_and_column_are_told_with_the_statement_that_mends_them() {
    let pipeline = Pipeline::new(&YAML.replace("create: true", "create: false"));
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(78));
    assert!(ran.stderr.contains("CREATE TABLE"), "{}", ran.stderr);
    create(&pipeline, "CREATE TABLE events (id TEXT, n INTEGER, at TEXT, body TEXT)");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(78));
    assert!(ran.stderr.contains("ALTER TABLE \"events\" ADD COLUMN \"place\" INTEGER"), "{}", ran.stderr);
    create(&pipeline, "ALTER TABLE events ADD COLUMN place INTEGER");
    assert_eq!(pipeline.run(b"").code, Some(0));
}

#[test]
fn column_that_must_have_a_value_and_gets_none_is_told() {
    let pipeline = Pipeline::new(&YAML.replace("create: true", "create: false"));
    create(
        &pipeline,
        "CREATE TABLE events (id TEXT, n INTEGER, at TEXT, body TEXT, place INTEGER, must TEXT NOT NULL)",
    );
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(78));
    assert!(ran.stderr.contains("the column \"must\", which is NOT NULL without a default"), "{}", ran.stderr);
}

#[test]
fn several_sinks_each_get_everything() {
    let yaml = r#"
name: several
source: { stdin: {} }
sinks:
  rows: { sqlite: { path: out.db, table: events, create: true, columns: { id: id } } }
  copy: { file: { path: copy.jsonl } }
  none: { discard: {} }
  some: { file: { path: some.jsonl }, when: id != "2" }
dead_letters: { file: { path: dead.jsonl } }
"#;
    let pipeline = Pipeline::new(yaml);
    let ran = pipeline.run(b"{\"id\":\"1\"}\n{\"id\":\"2\"}\nnot json\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows", "copy", "none", "some"]);
    assert_eq!(report["filtered"]["some"], 1);
    assert_eq!(std::fs::read_to_string(pipeline.path("copy.jsonl")).unwrap(), "{\"id\":\"1\"}\n{\"id\":\"2\"}\n");
    assert_eq!(std::fs::read_to_string(pipeline.path("some.jsonl")).unwrap(), "{\"id\":\"1\"}\n");
    let dead = std::fs::read_to_string(pipeline.path("dead.jsonl")).unwrap();
    let letter: serde_json::Value = serde_json::from_str(dead.trim()).unwrap();
    assert_eq!((&letter["code"], &letter["payload"]), (&"not_json".into(), &"not json".into()));
    assert_eq!(letter["origin"]["offset"], 22);
}

/// Runs a statement in the database that the sink will find.
fn create(pipeline: &Pipeline, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{ConnectOptions, Connection};
        let options =
            sqlx::sqlite::SqliteConnectOptions::new().filename(pipeline.path("out.db")).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}
