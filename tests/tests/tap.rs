//! What happens to events inside of a running pipeline is shown to who taps it, and to the pipeline that makes no difference.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fmt::Write as _;
use std::io::Write;
use std::process::ChildStdin;

use serde_json::{Value, json};
use wasmill_tests::admin::Admin;
use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran, Running, eventually};
use wasmill_tests::tap::{Tap, code};
use wasmill_tests::variants::Variants;

/// Settings of `validate-event`: a token that is not the one is told in the reason.
const VALIDATOR: &str = "config: { fields: { id: { required: true }, api_token: { one_of: [good] } }, drop: [{ field: id, equals: noise }] }\n";
/// Settings of `enrich-env`.
const ENRICHER: &str = "config: { env: test, constants: { password: made-here } }\n";

/// A pipeline that runs, and waits for lines.
struct Tapped {
    pipeline: Pipeline,
    running: Running,
    input: ChildStdin,
    admin: Admin,
}

fn pipeline(admin: &str) -> Pipeline {
    Pipeline::new(&format!(
        "name: tapped\nsource: {{ stdin: {{}} }}\nplugins: plugins.d\nadmin: {admin}\nsinks:\n  \
         rows: {{ sqlite: {{ path: out.db, table: events, create: true, columns: {{ id: id, env: env }} }} }}\n"
    ))
}

fn chain() -> Pipeline {
    pipeline("127.0.0.1:0").plugin(10, "validate-event", VALIDATOR).plugin(20, "adversary", "{}").plugin(
        30,
        "enrich-env",
        ENRICHER,
    )
}

impl Tapped {
    fn start(pipeline: Pipeline) -> Self {
        let (mut running, input) = pipeline.start_open(&["run", "pipeline.yaml", "--format", "json"]);
        let admin = Admin::of(&mut running);
        Self { pipeline, running, input, admin }
    }

    fn address(&self) -> &str {
        self.admin.address()
    }

    fn open(&self, request: &Value) -> Tap {
        Tap::open(self.address(), request)
    }

    /// Starts `wasmill tap`.
    fn command(&self, arguments: &[&str]) -> Running {
        let all: Vec<&str> = ["tap", "--admin", self.address()].iter().chain(arguments).copied().collect();
        self.pipeline.start_with(&all, b"")
    }

    fn feed(&mut self, lines: &str) {
        self.input.write_all(lines.as_bytes()).unwrap();
    }

    /// Ends the input.
    fn end(self) -> (Pipeline, Ran) {
        drop(self.input);
        let ran = self.running.wait(PATIENCE);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (self.pipeline, ran)
    }
}

/// `plugin: verdict` of each line.
fn verdicts(lines: &[Value]) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("host").to_owned();
    lines.iter().map(|line| format!("{}: {}", word(&line["plugin"]), word(&line["verdict"]))).collect()
}

#[test]
fn each_event_is_shown_before_and_after_each_plugin_with_what_became_of_it() {
    let mut tapped = Tapped::start(chain());
    let tap = tapped.open(&json!({ "rate": 1000, "limit": 5 }));
    tapped.feed("{\"id\":\"a\"}\nno JSON\n{\"n\":1}\n{\"id\":\"noise\"}\n{\"id\":\"b\",\"do\":\"trap:now\"}\n");
    let lines = tap.rest();
    let expected = [
        "validate-event: passed",
        "adversary: passed",
        "enrich-env: changed",
        "host: rejected",
        "validate-event: rejected",
        "validate-event: dropped",
        "validate-event: passed",
        "adversary: trapped",
    ];
    assert_eq!(verdicts(&lines), expected);
    let [first, _, enriched, unreadable, missing, .., trapped] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!((&first["before"], &first["after"]), (&json!({ "id": "a" }), &json!({ "id": "a" })));
    assert_eq!(
        (&first["topic"], &first["offset"], &first["step"], &first["steps"]),
        (&json!("stdin"), &json!(0), &json!(1), &json!(3))
    );
    assert!(first["digest"].as_str().is_some_and(|digest| digest.len() == 64), "{first}");
    assert!(first["fuel"].as_u64().is_some_and(|fuel| fuel > 0), "{first}");
    assert_eq!(enriched["before"], json!({ "id": "a" }));
    assert_eq!((&enriched["after"]["env"], &enriched["step"]), (&json!("test"), &json!(3)));
    assert_eq!(enriched["changed"], json!(["env", "metadata", "password"]));
    assert_eq!(
        (&unreadable["code"], &unreadable["step"], &unreadable["before"]),
        (&json!("not_json"), &json!(0), &Value::Null)
    );
    assert_eq!(missing["code"], "missing_field");
    assert_eq!((&trapped["code"], &trapped["after"]), (&json!("trap"), &Value::Null));
    assert!(trapped["reason"].as_str().is_some_and(|reason| reason.contains("the adversary traps: now")), "{trapped}");
    tapped.end().1.assert_sums(&["rows"]);
}

#[test]
fn filters_leave_what_was_asked_for() {
    let mut tapped = Tapped::start(chain());
    let open = |request: Value| {
        let mut all = json!({ "rate": 1000 });
        all.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
        tapped.open(&all)
    };
    let of_plugin = open(json!({ "plugins": ["enrich-env"], "limit": 2 }));
    let of_rejections = open(json!({ "rejected": true, "limit": 3 }));
    let of_some = open(json!({ "where": "n > 97", "limit": 2 }));
    let sampled = open(json!({ "sample": 10, "plugins": ["validate-event"], "limit": 5 }));
    let lines: String = (0..100).fold(String::new(), |mut lines, n| {
        let id = if n % 40 == 3 { "" } else { "\"id\":\"x\"," };
        writeln!(lines, "{{{id}\"n\":{n}}}").unwrap();
        lines
    });
    tapped.feed(&lines);
    let told = of_plugin.rest();
    assert_eq!(verdicts(&told), ["enrich-env: changed", "enrich-env: changed"]);
    let told = of_rejections.rest();
    let numbers: Vec<&Value> = told.iter().map(|line| &line["before"]["n"]).collect();
    assert_eq!(
        (verdicts(&told).concat(), numbers),
        ("validate-event: rejected".repeat(3), vec![&json!(3), &json!(43), &json!(83)])
    );
    let told = of_some.rest();
    let numbers: Vec<&Value> = told.iter().step_by(3).map(|line| &line["before"]["n"]).collect();
    assert_eq!((told.len(), numbers), (6, vec![&json!(98), &json!(99)]));
    let told = sampled.rest();
    let numbers: Vec<u64> = told.iter().map(|line| line["before"]["n"].as_u64().unwrap()).collect();
    assert!(numbers.len() == 5 && numbers.is_sorted() && numbers[4] > 4, "{numbers:?}");
    tapped.end();
}

#[test]
fn secret_never_leaves_the_host_wherever_it_stands() {
    const SECRETS: [&str; 5] = ["hunter2-hunter2", "tok-0123456789", "me@example.org", "made-here", "Baker Street"];
    let admin = "{ address: \"127.0.0.1:0\", tap: { redact: [email] } }";
    let chain = pipeline(admin).plugin(10, "validate-event", VALIDATOR).plugin(20, "adversary", "{}").plugin(
        30,
        "enrich-env",
        ENRICHER,
    );
    let mut tapped = Tapped::start(chain);
    let tap = tapped.open(&json!({ "rate": 1000, "limit": 3, "redact": ["user.street"] }));
    tapped.feed(
        "{\"id\":\"a\",\"dbPassword\":\"hunter2-hunter2\",\"user\":{\"email\":\"me@example.org\",\"street\":\"Baker Street\"},\
         \"message\":\"hunter2-hunter2 of me@example.org in Baker Street, password is made-here\"}\n\
         {\"id\":\"b\",\"api_token\":\"tok-0123456789\"}\n\
         {\"id\":\"c\",\"secret\":\"tok-0123456789\",\"do\":\"trap:tok-0123456789\"}\n",
    );
    let told = tap.rest();
    assert_eq!(verdicts(&told).len(), 6, "{told:?}");
    let text = json!(told).to_string();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    assert_eq!(told[2]["changed"], json!(["env", "metadata", "password"]), "that a secret came is told: {}", told[2]);
    assert_eq!(told[2]["after"]["password"], "[redacted]");
    let reason = told[3]["reason"].as_str().unwrap();
    assert!(told[3]["code"] == "not_allowed" && reason.contains("[redacted]"), "{reason}");
    tapped.end();
}

#[test]
fn slow_reader_loses_samples_and_the_pipeline_no_event() {
    const EVENTS: u64 = 3_000;
    let mut tapped = Tapped::start(chain());
    let mut tap = tapped.open(&json!({ "rate": 1000 }));
    let text = "x".repeat(30_000);
    for n in 0..EVENTS {
        tapped.feed(&format!("{{\"id\":\"{n}\",\"text\":\"{text}\"}}\n"));
    }
    tapped.admin.wait_until_received(EVENTS);
    let lost = loop {
        let line = tap.next().expect("what was lost is told");
        if line["kind"] == "lost" {
            break line["events"].as_u64().unwrap();
        }
    };
    assert!((1..=EVENTS).contains(&lost), "{lost}");
    let (pipeline, ran) = tapped.end();
    assert_eq!(ran.report()["delivered"]["rows"], EVENTS);
    assert_eq!(pipeline.count("out.db", "SELECT count(DISTINCT id) FROM events") as u64, EVENTS);
}

#[test]
fn swapped_plugin_is_told_with_its_new_digest() {
    let variants = Variants::new().unwrap();
    let chain = pipeline("127.0.0.1:0");
    let folder = chain.path("plugins.d");
    variants.put(&folder, 1).unwrap();
    let mut tapped = Tapped::start(chain);
    let mut tap = tapped.open(&json!({ "rate": 1000 }));
    tapped.feed("{\"id\":\"a\"}\n");
    let before = tap.next().unwrap();
    variants.put(&folder, 2).unwrap();
    tapped.running.wait_for_log("plugins serve: ");
    tapped.feed("{\"id\":\"b\"}\n");
    let after = tap.next().unwrap();
    assert_eq!((&before["plugin"], &after["plugin"]), (&json!("enrich-clean"), &json!("enrich-clean")));
    assert_ne!(before["digest"], after["digest"]);
    tapped.end();
}

#[test]
fn plugin_that_pauses_the_lane_is_told_with_the_offsets_that_wait() {
    let mut tapped = Tapped::start(pipeline("127.0.0.1:0").plugin(20, "adversary", "{}"));
    let mut tap = tapped.open(&json!({ "rejected": true }));
    tapped.feed(&"{\"id\":\"a\",\"do\":\"trap:always\"}\n".repeat(2_000));
    let broken = loop {
        let line = tap.next().expect("the lane pauses");
        if line["kind"] == "broken" {
            break line;
        }
    };
    assert!(
        broken["reason"].as_str().is_some_and(|reason| reason.contains("replace or remove the plugin")),
        "{broken}"
    );
    assert!(broken["first_offset"].as_i64() < broken["next_offset"].as_i64(), "{broken}");
}

#[test]
fn place_of_a_client_that_went_away_is_free_again() {
    let tapped = Tapped::start(pipeline("{ address: \"127.0.0.1:0\", tap: { connections_max: 1 } }"));
    let tap = tapped.open(&json!({}));
    let ran = tapped.command(&["--limit", "1"]).wait(PATIENCE);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("1 taps are connected") && ran.stderr.contains("connections_max"), "{}", ran.stderr);
    drop(tap);
    eventually("there is a place", || code(tapped.address(), tapped.address(), &json!({ "limit": 1 })) == 200);
    tapped.end();
}

#[test]
fn command_prints_lines_for_people_and_ends_at_its_limit() {
    let mut tapped = Tapped::start(chain());
    let mut command = tapped.command(&["--limit", "2", "--rate", "100/s"]);
    command.wait_for_log("tapping tapped: validate-event");
    tapped.feed("{\"id\":\"a\"}\n{\"id\":\"b\",\"api_token\":\"bad\"}\n");
    let ran = command.wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in [
        "stdin[0] at 0  ",
        "1/3  passed    validate-event ",
        "3/3  changed   enrich-env ",
        "\n     + env: \"test\"\n",
        "1/3  rejected  validate-event ",
        "not_allowed: ",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in\n{}", ran.stdout);
    }
    tapped.end();
}

#[test]
fn what_cannot_be_tapped_is_told_with_what_to_do() {
    let tapped = Tapped::start(chain());
    let refused = |arguments: &[&str], words: &str| {
        let ran = tapped.command(arguments).wait(PATIENCE);
        assert_eq!(ran.code, Some(1), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    };
    refused(
        &["--plugin", "enrich-enf"],
        "did you mean \"enrich-env\"? The pipeline's plugins are: validate-event, adversary, enrich-env",
    );
    refused(&["--where", "n >"], "where: ");
    refused(&["--redact=--"], "neither a letter nor a digit");
    refused(&["--rate", "1001"], "rate must be at most 1000");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = tapped.pipeline.start_with(&["tap", "--admin", &free], b"").wait(PATIENCE);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("no pipeline answers") && ran.stderr.contains("wasmill run"), "{}", ran.stderr);
    let ran = tapped.pipeline.start_with(&["tap", "pipeline.yaml"], b"").wait(PATIENCE);
    assert!(ran.code == Some(1) && ran.stderr.contains("--admin IP:PORT"), "{}", ran.stderr);
    tapped.end();
}

#[test]
fn tap_answers_this_machine_alone_and_nobody_where_it_is_turned_off() {
    let tapped = Tapped::start(chain());
    let ask = |host: &str, request: Value| code(tapped.address(), host, &request);
    assert_eq!(ask("evil.example", json!({ "limit": 1 })), 403);
    assert_eq!(ask("localhost", json!({ "limit": 1 })), 200);
    assert_eq!(ask("localhost", json!({ "limits": 1 })), 400);
    assert_eq!(tapped.admin.get("/tap").0, 405, "no page of another site can ask for it");
    tapped.end();
    for off in ["{ address: \"127.0.0.1:0\", tap: false }", "0.0.0.0:0"] {
        let tapped = Tapped::start(pipeline(off));
        let port = tapped.address().rsplit(':').next().unwrap();
        let local = format!("127.0.0.1:{port}");
        assert_eq!(code(&local, &local, &json!({})), 403, "{off}");
        let ran = tapped.pipeline.start_with(&["tap", "--admin", &local], b"").wait(PATIENCE);
        assert!(ran.code == Some(1) && ran.stderr.contains("turned off"), "{off}: {}", ran.stderr);
        tapped.end();
    }
}
