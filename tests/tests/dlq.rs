//! Dead letters of a home: looked at, replayed into what an undisturbed run would have stored, parked and discarded.

use std::fs;
use std::ops::Range;

use serde_json::Value;
use wasmill_tests::kafka::Record;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::letters::{all, counts, dlq, listed, objects, replay};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, eventually};
use wasmill_tests::services::{self, Database};

const STRICT: &str = "config: { fields: { severity: { required: true, one_of: [INFO] } } }\n";
const FIXED: &str = "config: { fields: { severity: { required: true, one_of: [INFO, ODD] } } }\n";
const VALIDATOR: &str = "plugins.d/10-validate-event.yaml";
const ROWS: &str = "SELECT id, severity, place, body FROM events ORDER BY place, id";

/// A pipeline from a file, with its home.
struct Case {
    pipeline: Pipeline,
    database: Option<Database>,
}

impl Case {
    fn in_sqlite(plugin: &str) -> Self {
        let sink = "sqlite: { path: out.db, table: events, create: true, columns: { id: id, severity: severity, place: $offset, body: $raw } }";
        Self { pipeline: Self::pipeline(sink, plugin), database: None }
    }

    fn in_timescale(plugin: &str) -> Option<Self> {
        let database = Database::create()?;
        let sink = format!(
            "timescale: {{ url: \"{}\", table: events, create: true, time: at, columns: {{ id: id, severity: severity, \
             place: $offset, body: {{ from: $raw, type: text }}, at: {{ from: at, type: timestamptz }} }} }}",
            database.url()
        );
        Some(Self { pipeline: Self::pipeline(&sink, plugin), database: Some(database) })
    }

    fn pipeline(sink: &str, plugin: &str) -> Pipeline {
        let yaml = format!(
            "name: letters\nsource: {{ file: {{ path: in.jsonl }} }}\nplugins: plugins.d\nretry: {{ initial: 10ms, max: 50ms }}\n\
             sinks:\n  rows: {{ {sink} }}\n"
        );
        Pipeline::new(&yaml).plugin(10, "validate-event", plugin)
    }

    fn set_plugin(&self, yaml: &str) {
        fs::write(self.pipeline.path(VALIDATOR), yaml).expect("a file");
    }

    /// Runs over these lines.
    fn run(&self, lines: &str) {
        fs::write(self.pipeline.path("in.jsonl"), lines).expect("a file");
        let ran = self.pipeline.run(b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.assert_sums(&["rows"]);
    }

    /// The rows of a query, a line each.
    fn ask(&self, sql: &str) -> Vec<String> {
        match &self.database {
            Some(database) => database.psql(sql).expect("it is asked").lines().map(str::to_owned).collect(),
            None => self.pipeline.sqlite("out.db", sql).iter().map(|row| row.join("|")).collect(),
        }
    }

    fn count(&self) -> usize {
        self.ask("SELECT count(*) FROM events")[0].parse().expect("a number")
    }
}

/// Events of which each third is rejected until the plugin is fixed.
fn lines(count: usize) -> String {
    let at = now();
    let severity = |n: usize| if n.is_multiple_of(3) { "ODD" } else { "INFO" };
    (0..count).map(|n| format!("{{\"id\":\"e{n}\",\"severity\":\"{}\",\"at\":\"{at}\"}}\n", severity(n))).collect()
}

fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is after 1970");
    wasmill_expr::time::format_rfc3339(since.as_nanos() as i64).as_str().to_owned()
}

/// Letters of a bad plugin are replayed with the good one: then there is what would have been there without the bad one, once.
fn fixed_plugin_heals_the_past(case: &Case, undisturbed: &Case) {
    let input = format!("{}no JSON\n", lines(60));
    case.run(&input);
    undisturbed.run(&input);
    assert_eq!(case.count(), 40);
    let groups = objects(&case.pipeline, "list", &["--summary"]);
    let group = |group: &Value| (group["code"].clone(), group["letters"].as_u64(), group["state"].clone());
    let expected = [("bad_severity", 20), ("not_json", 1)];
    let expected = expected.map(|(code, count)| (Value::from(code), Some(count), Value::from("waiting")));
    assert_eq!(groups.iter().map(group).collect::<Vec<_>>(), expected);

    assert_eq!(replay(&case.pipeline, &["--all", "--dry-run"]), [0, 21, 0, 0], "the plugin is still bad");
    case.set_plugin(FIXED);
    assert_eq!(replay(&case.pipeline, &["--all", "--dry-run"]), [20, 1, 0, 0]);
    assert_eq!((case.count(), case.ask("SELECT count(*) FROM wasmill_letter_states")), (40, vec!["0".to_owned()]));

    assert_eq!(replay(&case.pipeline, &["--code", "bad_severity"]), [20, 0, 0, 0]);
    assert_eq!(case.ask(ROWS), undisturbed.ask(ROWS));
    assert_eq!(replay(&case.pipeline, &["--code", "bad_severity", "--state", "all"]), [0, 0, 0, 20]);
    assert_eq!(replay(&case.pipeline, &["--all"]), [0, 1, 0, 0]);
    assert_eq!(case.ask(ROWS), undisturbed.ask(ROWS), "replayed twice, stored once");
    assert_eq!(case.ask("SELECT count(*) FROM wasmill_replayed"), ["20"]);
    let replayed = listed(&case.pipeline, &["--state", "replayed", "--limit", "1"], &["attempts", "state", "code"]);
    assert_eq!(replayed, [["2", "replayed", "bad_severity"]]);
    // The lane goes on where it was.
    fs::write(case.pipeline.path("in.jsonl"), input + &lines(3)).expect("a file");
    assert_eq!(case.pipeline.run(b"").report()["received"], 3);
}

#[test]
fn fixed_plugin_heals_the_past_in_sqlite() {
    fixed_plugin_heals_the_past(&Case::in_sqlite(STRICT), &Case::in_sqlite(FIXED));
}

#[test]
fn fixed_plugin_heals_the_past_in_timescale() {
    let (Some(case), Some(undisturbed)) = (Case::in_timescale(STRICT), Case::in_timescale(FIXED)) else { return };
    fixed_plugin_heals_the_past(&case, &undisturbed);
}

/// A replay that is killed in the middle, and then two at the same time: every letter is stored once.
fn kills_and_company_store_each_letter_once(case: &Case) {
    const EVENTS: usize = 6_000;
    case.run(&lines(EVENTS));
    case.set_plugin(FIXED);
    let before = case.count();
    let arguments = all("replay", &["--all", "--format", "json"]);
    let mut running = case.pipeline.start_with(&arguments, b"");
    eventually("some letters are replayed", || case.count() > before + 50 || !running.is_running());
    running.kill();
    let after = case.count();
    assert!(after < EVENTS, "it was killed in the middle");
    let both = [(); 2].map(|()| case.pipeline.start_with(&arguments, b"")).map(|one| one.wait(PATIENCE));
    let counted = both.map(|ran| {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        counts(&ran)
    });
    assert_eq!(counted[0][0] + counted[1][0], (EVENTS - after) as u64, "{counted:?}");
    assert_eq!(case.ask("SELECT count(*), count(DISTINCT id) FROM events"), [format!("{EVENTS}|{EVENTS}")]);
    assert!(listed(&case.pipeline, &["--state", "waiting"], &["id"]).is_empty());
}

#[test]
fn kills_and_company_store_each_letter_once_in_sqlite() {
    kills_and_company_store_each_letter_once(&Case::in_sqlite(STRICT));
}

#[test]
fn kills_and_company_store_each_letter_once_in_timescale() {
    let Some(case) = Case::in_timescale(STRICT) else { return };
    kills_and_company_store_each_letter_once(&case);
}

/// Rejected again and again a letter is parked; discarded ones keep their reason; and filters find what they name.
fn letters_are_parked_discarded_and_filtered(case: &Case) {
    case.run(&format!("{}no JSON\n", lines(9)));
    let parked = ["--code", "bad_severity", "--max-attempts", "3"];
    assert_eq!(replay(&case.pipeline, &parked), [0, 3, 0, 0]);
    assert_eq!(replay(&case.pipeline, &parked), [0, 0, 3, 0]);
    assert_eq!(replay(&case.pipeline, &parked), [0; 4], "what is parked is left alone");
    let note = "SELECT DISTINCT state, attempts, note, code FROM wasmill_letter_states";
    assert_eq!(case.ask(note), ["parked|3|rejected 3 times|bad_severity"]);
    let found = |arguments: &[&str]| listed(&case.pipeline, arguments, &["id"]).len();
    let digest = &listed(&case.pipeline, &["--state", "parked"], &["digest"])[0][0];
    let file = case.pipeline.path("in.jsonl").display().to_string();
    for (arguments, expected) in [
        (&[][..], 4),
        (&["--plugin", "validate-event"], 3),
        (&["--plugin", "other"], 0),
        (&["--digest", &digest[..6]], 3),
        (&["--digest", "ffffffffffff"], 0),
        (&["--code", "not_json"], 1),
        (&["--since", "1h"], 4),
        (&["--until", "1h"], 0),
        (&["--since", "2000-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z"], 4),
        (&["--source", "elsewhere"], 0),
        (&["--state", "waiting"], 1),
        (&["--state", "parked"], 3),
        (&["--limit", "2"], 2),
    ] {
        assert_eq!(found(arguments), expected, "{arguments:?}");
    }
    let topic = case.ask("SELECT DISTINCT topic FROM wasmill_dead_letters").remove(0);
    assert!(file.ends_with(&topic) || topic.ends_with("in.jsonl"), "{topic}");
    assert_eq!((found(&["--source", &topic]), found(&["--source", &format!("{topic}/0")])), (4, 4));
    assert_eq!(found(&["--source", &format!("{topic}/1")]), 0);

    let id = &listed(&case.pipeline, &["--code", "not_json"], &["id"])[0][0];
    assert_eq!(dlq(&case.pipeline, "discard", &[id]).code, Some(2), "a reason is needed");
    let discarded = dlq(&case.pipeline, "discard", &[id, "--reason", "a test of the vendor"]);
    assert_eq!((discarded.code, discarded.stdout.as_str()), (Some(0), "1 discarded\n"));
    assert_eq!(found(&["--state", "waiting"]), 0);
    let shown = &objects(&case.pipeline, "list", &["--state", "discarded"])[0];
    assert_eq!((&shown["note"], shown["changed_at"].is_string()), (&"a test of the vendor".into(), true));
    assert_eq!(replay(&case.pipeline, &[id]), [0, 0, 0, 1], "what is discarded is not replayed");

    case.set_plugin(FIXED);
    assert_eq!(replay(&case.pipeline, &["--state", "parked"]), [3, 0, 0, 0]);
    assert_eq!(case.count(), 9);
}

#[test]
fn letters_are_parked_discarded_and_filtered_in_sqlite() {
    letters_are_parked_discarded_and_filtered(&Case::in_sqlite(STRICT));
}

#[test]
fn letters_are_parked_discarded_and_filtered_in_timescale() {
    let Some(case) = Case::in_timescale(STRICT) else { return };
    letters_are_parked_discarded_and_filtered(&case);
}

#[test]
fn letter_of_a_sink_goes_to_that_sink_alone() {
    let yaml = |from: &str| {
        format!(
            "name: letters\nsource: {{ file: {{ path: in.jsonl }} }}\nsinks:\n  \
             rows: {{ sqlite: {{ path: out.db, table: events, create: true, columns: {{ n: {{ from: {from}, type: bigint }} }} }} }}\n  \
             other: {{ sqlite: {{ path: other.db, table: events, create: true, columns: {{ m: m }} }} }}\n  \
             lines: {{ file: {{ path: out.jsonl }} }}\nadmin: false\n"
        )
    };
    let pipeline = Pipeline::new(&yaml("n"));
    fs::write(pipeline.path("in.jsonl"), "{\"n\":1,\"m\":1}\n{\"n\":\"two\",\"m\":2}\n").expect("a file");
    assert_eq!(pipeline.run(b"").code, Some(0));
    let written = || fs::read_to_string(pipeline.path("out.jsonl")).expect("the file").lines().count();
    let refused = listed(&pipeline, &[], &["code", "sink", "stage"]);
    assert_eq!((written(), refused), (2, vec![vec!["wrong_type".to_owned(), "rows".to_owned(), "sink".to_owned()]]));
    assert_eq!(replay(&pipeline, &["--all"]), [0, 1, 0, 0]);
    fs::write(pipeline.path("pipeline.yaml"), yaml("m")).expect("a file");
    assert_eq!(replay(&pipeline, &["--all"]), [1, 0, 0, 0]);
    assert_eq!(pipeline.sqlite("out.db", "SELECT n FROM events ORDER BY n"), [["1"], ["2"]]);
    assert_eq!((written(), pipeline.count("other.db", "SELECT count(*) FROM events")), (2, 2));
}

#[test]
fn event_that_a_plugin_rejected_reaches_every_database_once() {
    let yaml = "name: letters\nsource: { file: { path: in.jsonl } }\nplugins: plugins.d\nhome: rows\nsinks:\n  \
        other: { sqlite: { path: other.db, table: events, create: true, columns: { id: id } } }\n  \
        rows: { sqlite: { path: out.db, table: events, create: true, columns: { id: id, n: { from: n, type: bigint } } } }\n  \
        lines: { file: { path: out.jsonl } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "validate-event", STRICT);
    let input = "{\"id\":\"a\",\"severity\":\"ODD\",\"n\":1}\n{\"id\":\"b\",\"severity\":\"ODD\",\"n\":\"two\"}\n";
    fs::write(pipeline.path("in.jsonl"), input).expect("a file");
    assert_eq!(pipeline.run(b"").code, Some(0));
    fs::write(pipeline.path(VALIDATOR), FIXED).expect("a file");
    assert_eq!(replay(&pipeline, &["--all"]), [2, 0, 0, 0]);
    let counted = || ["out.db", "other.db"].map(|database| pipeline.count(database, "SELECT count(*) FROM events"));
    assert_eq!(counted(), [1, 2]);
    let new = listed(&pipeline, &[], &["code", "sink", "attempts", "state"]);
    assert_eq!(new, [["wrong_type", "rows", "1", "waiting"]], "what a sink refuses is a letter of its own");
    // As after a crash between the two databases.
    let forget = "DELETE FROM wasmill_letter_states; DELETE FROM wasmill_replayed; DELETE FROM events";
    pipeline.sqlite("out.db", forget);
    assert_eq!(replay(&pipeline, &["--code", "bad_severity"]), [2, 0, 0, 0]);
    assert_eq!(counted()[1], 2, "the mark keeps the rows from coming twice");
}

#[test]
fn hostile_letters_are_shown_safely_and_whole_on_request() {
    let case = Case::in_sqlite(STRICT);
    let large = format!("{{\"severity\":\"ODD\",\"text\":\"{}\"}}", "x".repeat(1_000_000));
    let input: Vec<&[u8]> = vec![
        b"{\"severity\":\"ODD\\u001b[2J\",\"a\":\"\xe2\x80\xae\",\"n\":1e400}",
        b"no JSON \x1b]0;owned\x07",
        b"\xff\xfe\x00bytes",
        large.as_bytes(),
    ];
    fs::write(case.pipeline.path("in.jsonl"), input.join(&b'\n')).expect("a file");
    assert_eq!(case.pipeline.run(b"").code, Some(0));
    let ids = listed(&case.pipeline, &["--limit", "100"], &["id"]);
    assert_eq!(ids.len(), 4);
    let table = dlq(&case.pipeline, "list", &[]).stdout;
    let is_plain = |text: &str| text.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}'));
    assert!(is_plain(&table), "{table:?}");
    for id in ids.iter().flatten() {
        let shown = dlq(&case.pipeline, "show", &[id]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(is_plain(&shown.stdout), "{:?}", shown.stdout);
        assert!(shown.stdout.len() < 100_000, "{} bytes", shown.stdout.len());
        let json = dlq(&case.pipeline, "show", &[id, "--format", "json"]).stdout;
        assert_eq!(serde_json::from_str::<Value>(&json).expect("an object")["attempts"], 1);
    }
    let newest = dlq(&case.pipeline, "show", &[&ids[0][0], "--payload"]);
    assert_eq!(newest.stdout.len(), large.len(), "byte by byte");
    let first = dlq(&case.pipeline, "show", &[&ids[1][0]]).stdout;
    assert!(first.contains("\n  \"n\": 1e400\n") && first.contains("\"a\": \"\\u{202e}\""), "{first}");
    let bytes = dlq(&case.pipeline, "show", &[&ids[2][0]]).stdout;
    assert!(bytes.contains("00000000  ff fe 00 62"), "{bytes}");
    let absent = dlq(&case.pipeline, "show", &["4711"]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.stderr.contains("there is no dead letter 4711"), "{}", absent.stderr);
}

#[test]
fn trap_is_shown_with_its_functions_and_heals_without_the_plugin() {
    let case = Case::in_sqlite(FIXED);
    let pipeline = case.pipeline.plugin(20, "adversary", "{}");
    fs::write(pipeline.path("in.jsonl"), "{\"id\":\"a\",\"severity\":\"INFO\",\"do\":\"trap:here\"}\n")
        .expect("a file");
    assert_eq!(pipeline.run(b"").code, Some(0));
    let shown = dlq(&pipeline, "show", &["1"]).stdout;
    assert!(shown.contains("\nbacktrace    adversary::"), "{shown}");
    let letter = &objects(&pipeline, "list", &[])[0];
    assert!(letter["frames"][0].as_str().expect("a frame").starts_with("adversary::"), "{letter}");
    assert_eq!(replay(&pipeline, &["1"]), [0, 1, 0, 0]);
    fs::remove_file(pipeline.path("plugins.d/20-adversary.wasm")).expect("it is removed");
    fs::remove_file(pipeline.path("plugins.d/20-adversary.yaml")).expect("it is removed");
    assert_eq!(replay(&pipeline, &["1"]), [1, 0, 0, 0]);
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), 1);
}

#[test]
fn running_pipeline_and_its_states_are_left_alone() {
    let Some(brokers) = services::kafka() else { return };
    let mut rows = KafkaPipeline::at(&brokers);
    rows.pipeline = rows
        .pipeline
        .plugin(10, "validate-event", "config: { fields: { id: { required: true, one_of: [0-0, 0-1, 0-3, 0-4] } } }\n")
        .plugin(20, "counter", "grants: [state]\nconfig: { every: 1 }\n");
    rows.create(1);
    let (running, admin) = rows.start();
    let produce = |numbers: Range<usize>| {
        let records = numbers.map(|n| Record::of(format!("{{\"id\":\"0-{n}\",\"key\":\"k\"}}")));
        rows.cluster.produce(&rows.topic, 0, records).expect("the events are written");
    };
    produce(0..3);
    admin.wait_until_received(3);
    fs::write(rows.pipeline.path(VALIDATOR), "config: { fields: { id: { required: true } } }\n").expect("a file");
    let state =
        || rows.pipeline.sqlite("out.db", "SELECT hex(key), hex(value), \"offset\" FROM wasmill_state ORDER BY 1");
    let (before, epoch) = (state(), "SELECT epoch, next_offset FROM wasmill_ledger");
    let lease = rows.pipeline.sqlite("out.db", epoch);
    assert_eq!(replay(&rows.pipeline, &["--all"]), [1, 0, 0, 0]);
    rows.assert_rows(0, 0..3);
    assert_eq!((state(), rows.pipeline.sqlite("out.db", epoch)), (before, lease));
    produce(3..5);
    admin.wait_until_received(5);
    assert_eq!(running.stop().code, Some(0));
    rows.assert_rows(0, 0..5);
}

#[test]
fn alert_that_a_sink_refused_goes_there_as_it_is() {
    let yaml = |from: &str| {
        format!(
            "name: letters\nsource: {{ file: {{ path: in.jsonl }} }}\nplugins: plugins.d\nsinks:\n  \
             rows: {{ sqlite: {{ path: out.db, table: events, create: true, columns: {{ key: key }} }} }}\n  \
             alerts: {{ from: alerts, sqlite: {{ path: out.db, table: alerts, create: true, columns: {{ id: id, n: {{ from: {from}, \
             type: bigint }} }} }} }}\nadmin: false\n"
        )
    };
    let pipeline = Pipeline::new(&yaml("key")).plugin(10, "counter", "grants: [state]\nconfig: { every: 1 }\n");
    fs::write(pipeline.path("in.jsonl"), "{\"key\":\"k\"}\n{\"key\":\"l\"}\n").expect("a file");
    assert_eq!(pipeline.run(b"").code, Some(0));
    assert_eq!(listed(&pipeline, &[], &["code", "sink"]), [["wrong_type", "alerts"]; 2]);
    let state = || pipeline.sqlite("out.db", "SELECT hex(value) FROM wasmill_state");
    let before = state();
    assert_eq!(replay(&pipeline, &["--all"]), [0, 2, 0, 0]);
    fs::write(pipeline.path("pipeline.yaml"), yaml("origin.offset")).expect("a file");
    assert_eq!(replay(&pipeline, &["--all"]), [2, 0, 0, 0]);
    assert_eq!(pipeline.sqlite("out.db", "SELECT n FROM alerts ORDER BY n"), [["0"], ["12"]]);
    assert_eq!((state(), pipeline.count("out.db", "SELECT count(*) FROM events")), (before, 2));
    fs::write(pipeline.path("pipeline.yaml"), yaml("key").replace("alerts:", "others:")).expect("a file");
    let gone = dlq(&pipeline, "replay", &["1", "--dry-run"]);
    assert!(gone.stdout.contains("stays as it is: it is replayed"), "{}", gone.stdout);
}

#[test]
fn what_cannot_be_done_is_a_sentence() {
    let case = Case::in_sqlite(STRICT);
    case.run(&lines(3));
    let failed = |command: &str, arguments: &[&str], said: &str| {
        let ran = dlq(&case.pipeline, command, arguments);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    };
    failed("replay", &[], "say which letters are meant");
    failed("replay", &["1", "--all"], "not by both");
    failed("replay", &["99"], "there is no dead letter 99");
    failed("discard", &["--reason", "why"], "say which letters are meant");
    failed("list", &["--from", "nowhere"], "--from takes home or one of the sinks rows");
    failed("list", &["--ledger", "x.db"], "leave --ledger out");
    case.set_plugin("config: 7\n");
    let ran = dlq(&case.pipeline, "replay", &["--all"]);
    assert_eq!(ran.code, Some(78), "what served last does not try letters: {}", ran.stderr);
    assert_eq!(listed(&case.pipeline, &[], &["attempts"]), [["1"]]);
}
