//! `wasmill test`: fixtures go through a pipeline whose Kafka and TimescaleDB are not there.

use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran};

const PIPELINE: &str = "\
name: logins
source:
  kafka: { brokers: \"localhost:1\", topics: [raw], group: g }
plugins: plugins.d
sinks:
  rows:
    timescale:
      url: postgres://nobody@localhost:1/none
      table: logs.events
      time: at
      columns: { id: id, at: { from: timestamp, type: timestamptz }, n: { from: n, type: integer }, env: env, body: $payload }
  alerts: { from: alerts, http: { url: \"https://localhost:1/hook\" } }
";

const FIXTURE: &str = "\
events:
  - { id: a, timestamp: \"2026-01-01T00:00:00Z\", n: 7, text: login failed }
  - { id: b, timestamp: \"2026-01-01T00:00:01Z\", n: 8, text: request served }
  - { id: c, n: 9 }
  - no json
expect:
  rows:
    - { id: a, n: 7, env: test, body: { text: login failed } }
    - { id: b, n: 8 }
  alerts:
    - { rule: failed, key: a, summary: login failed, at: \"2026-01-01T00:00:00Z\" }
  dead_letters:
    - { event: 2, stage: validate, plugin: validate-event, code: missing_field }
    - { event: 3, code: not_json }
";

fn pipeline(fixture: &str) -> Pipeline {
    let rules = "config: { rules: [{ name: failed, when: text.contains(\"failed\"), key: id, severity: info, summary: \"{text}\" }] }";
    let pipeline = Pipeline::new(PIPELINE)
        .plugin(10, "validate-event", "config: { fields: { text: { required: true } } }")
        .plugin(20, "enrich-env", "config: { env: test }")
        .plugin(30, "alert-rules", rules);
    std::fs::create_dir(pipeline.path("tests")).expect("a folder");
    std::fs::write(pipeline.path("tests/logins.yaml"), fixture).expect("a file");
    pipeline
}

fn test(pipeline: &Pipeline, more: &[&str]) -> Ran {
    pipeline.start_with(&[&["test", "pipeline.yaml"], more].concat(), b"").wait(PATIENCE)
}

#[test]
fn fixture_is_held_against_rows_alerts_and_dead_letters() {
    let ran = test(&pipeline(FIXTURE), &[]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout, "ok       tests/logins.yaml\n");
}

#[test]
fn what_is_other_than_expected_is_told_by_its_place() {
    let other = FIXTURE.replace("id: b, n: 8 }", "id: b, n: 81 }").replace("    - { event: 3, code: not_json }\n", "");
    let pipeline = pipeline(&other);
    let ran = test(&pipeline, &["--junit", "report.xml"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    for told in [
        "FAILED ",
        "rows[1].n: expected 81, and 8 came",
        "dead_letters: 1 expected, and 2 came",
        "dead_letters: not expected {\"code\":\"not_json\",\"event\":3",
    ] {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
    let report = std::fs::read_to_string(pipeline.path("report.xml")).expect("the report");
    assert!(report.contains("<testsuite name=\"logins\" tests=\"1\" failures=\"1\">"), "{report}");
    assert!(report.contains("rows[1].n: expected 81, and 8 came"), "{report}");
}

#[test]
fn update_writes_what_passes_afterwards() {
    let events = FIXTURE.split("expect:").next().expect("the events").to_owned();
    let pipeline = pipeline(&format!("# why it is there\n{events}"));
    assert_eq!(test(&pipeline, &["--update"]).code, Some(0));
    let written = std::fs::read_to_string(pipeline.path("tests/logins.yaml")).expect("the fixture");
    assert!(
        written.starts_with("# why it is there\nevents:\n") && written.contains("\"rule\":\"failed\""),
        "{written}"
    );
    assert!(written.contains("\"id\":\"a\"") && !written.contains("\"origin\""), "{written}");
    let ran = test(&pipeline, &[]);
    assert_eq!(ran.code, Some(0), "{}{}\n{written}", ran.stdout, ran.stderr);
    // Once more, and nothing changes.
    assert_eq!(test(&pipeline, &["tests/logins.yaml", "--update"]).code, Some(0));
    assert_eq!(std::fs::read_to_string(pipeline.path("tests/logins.yaml")).expect("the fixture"), written);
}

#[test]
fn mistakes_of_fixtures_are_told_with_what_to_do() {
    for (fixture, told) in [
        ("evnts: []\n", "evnts"),
        ("events: []\nexpect: { row: [] }\n", "there is no sink \"row\""),
        ("events: [\n", "tests/logins.yaml:"),
    ] {
        let ran = test(&pipeline(fixture), &[]);
        assert_eq!(ran.code, Some(78), "{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    let none = Pipeline::new(PIPELINE);
    let ran = test(&none, &[]);
    assert_eq!(ran.code, Some(78), "{}", ran.stdout);
    assert!(ran.stderr.contains("there is no fixture in tests: write one"), "{}", ran.stderr);
}
