//! The life of alerts through the whole program: one `firing`, a count, one `resolved`; over restarts and kills; and on the terminal.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use wasmill_tests::admin::Admin;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, eventually};
use wasmill_tests::receiver::{Receiver, Reply, Request};
use wasmill_tests::services::{self, Database, unique};

const RUN: [&str; 4] = ["run", "pipeline.yaml", "--format", "json"];
const RULES: &str = "config: { rules: [{ name: bad, when: 'severity == \"ERROR\"', severity: error, key: host, summary: '{host}: {text}' }] }";
const ROWS: &str = "rows: { sqlite: { path: out.db, table: events, columns: { host: host } } }";

fn pipeline(input: &str, sinks: &str) -> Pipeline {
    let yaml = format!("name: life\n{input}plugins: plugins.d\nsinks:\n  {ROWS}\n{sinks}");
    Pipeline::new(&yaml).plugin(30, "alert-rules", RULES)
}

fn bad(host: &str) -> String {
    format!("{{\"host\":\"{host}\",\"severity\":\"ERROR\",\"text\":\"it broke\"}}")
}

/// Key, state and count of each.
fn told(requests: &[Request]) -> Vec<(String, String, u64)> {
    let one = |request: &Request| {
        let (json, text) = (request.json(), |value: &Value| value.as_str().unwrap_or_default().to_owned());
        (text(&json["key"]), text(&json["life"]["state"]), json["life"]["count"].as_u64().unwrap_or_default())
    };
    requests.iter().map(one).collect()
}

fn of(key: &str, state: &str, count: u64) -> (String, String, u64) {
    (key.to_owned(), state.to_owned(), count)
}

#[test]
fn first_alert_fires_further_ones_are_counted_and_silence_resolves_also_after_a_restart() {
    const INPUT: &str = "source: { stdin: {} }\nadmin: 127.0.0.1:0\n";
    let receiver = Receiver::willing();
    let hook = |silence: &str| {
        let life = format!("life: {{ resolved_after: {silence} }}");
        format!("  hook: {{ from: alerts, {life}, http: {{ url: \"{}\" }} }}\n", receiver.url())
    };
    let pipeline = pipeline(INPUT, &hook("1h"));
    let (mut running, mut input) = pipeline.start_open(&RUN);
    let admin = Admin::of(&mut running);
    for host in ["a", "a", "b", "a"] {
        writeln!(input, "{}", bad(host)).expect("the binary reads");
    }
    admin.wait_until_received(4);
    assert_eq!(told(&receiver.taken()), [of("a", "firing", 1), of("b", "firing", 1)]);
    let (_, stats) = admin.json("/stats");
    assert_eq!(
        (&stats["alerts"]["hook"]["open"], &stats["report"]["delivered"]["hook"]),
        (&2.into(), &4.into()),
        "{stats}"
    );
    let shown = stats["alerts"]["hook"]["alerts"].as_array().expect("a list").clone();
    assert!(shown.iter().any(|one| one["key"] == "a" && one["count"] == 3), "{shown:?}");
    assert!(admin.get("/metrics").1.contains("wasmill_open_alerts{sink=\"hook\"} 2"), "the metric");
    drop(input);
    assert_eq!(running.wait(PATIENCE).code, Some(0));

    let yaml = std::fs::read_to_string(pipeline.path("pipeline.yaml")).expect("the file");
    std::fs::write(pipeline.path("pipeline.yaml"), yaml.replace("resolved_after: 1h", "resolved_after: 1s"))
        .expect("a file");
    let (running, mut input) = pipeline.start_open(&RUN);
    eventually("both are resolved", || receiver.taken().len() == 4);
    let taken = receiver.taken();
    let resolved: BTreeSet<_> = told(&taken[2..]).into_iter().collect();
    assert_eq!(resolved, BTreeSet::from([of("a", "resolved", 3), of("b", "resolved", 1)]));
    let ids: BTreeSet<_> = taken.iter().map(|one| one.header("wasmill-alert-id").to_owned()).collect();
    assert_eq!(ids.len(), 4, "each has an id of its own: {ids:?}");
    assert_eq!(
        taken.iter().find(|one| one.json()["life"]["count"] == 3).map(|one| one.json()["life"]["alert"].clone()),
        Some(taken[0].json()["id"].clone()),
        "and says which alert it is about"
    );
    writeln!(input, "{}", bad("a")).expect("the binary reads");
    eventually("it fires again", || told(&receiver.taken()).last() == Some(&of("a", "firing", 1)));
    drop(input);
    assert_eq!(running.wait(PATIENCE).code, Some(0));
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), 5);
}

#[test]
fn what_is_open_is_kept_in_postgresql_too_until_it_is_resolved() {
    let Some(database) = Database::create() else { return };
    let receiver = Receiver::willing();
    let yaml = format!(
        "name: life\nsource: {{ stdin: {{}} }}\nplugins: plugins.d\nsinks:\n  rows: {{ postgres: {{ url: \"${{DATABASE_URL}}\", \
         table: events, create: true, columns: {{ host: host }} }} }}\n  hook: {{ from: alerts, life: {{ resolved_after: \"${{SILENCE}}\" }}, \
         http: {{ url: \"{}\" }} }}\n",
        receiver.url()
    );
    let pipeline = |silence: &str| {
        Pipeline::new(&yaml)
            .plugin(30, "alert-rules", RULES)
            .env("DATABASE_URL", database.url())
            .env("SILENCE", silence)
    };
    let lasting = pipeline("1h");
    for _ in 0..2 {
        assert_eq!(lasting.run(format!("{}\n{}\n", bad("a"), bad("a")).as_bytes()).code, Some(0));
    }
    let open = || database.psql("select count, sink from wasmill_open_alerts").expect("the table");
    assert_eq!((told(&receiver.taken()), open()), (vec![of("a", "firing", 1)], "4|hook".to_owned()));
    let short = pipeline("1s");
    let (running, input) = short.start_open(&RUN);
    eventually("it is resolved, and forgotten", || receiver.taken().len() == 2 && open().is_empty());
    assert_eq!(told(&receiver.taken())[1], of("a", "resolved", 4));
    drop(input);
    assert_eq!(running.wait(PATIENCE).code, Some(0));
}

#[test]
fn firing_is_not_lost_while_the_receiver_is_away_and_the_process_is_killed() {
    let Some(brokers) = services::kafka() else { return };
    let topic = unique("life");
    let cluster = Cluster::at(&brokers).expect("a client");
    wait(cluster.create(&topic, 1, &[])).expect("a topic");
    cluster
        .produce(&topic, 0, (0..100).map(|n| Record::of(bad(if n == 50 { "b" } else { "a" }))))
        .expect("they are written");
    let status = Arc::new(AtomicU16::new(503));
    let answered = Arc::clone(&status);
    let receiver = Receiver::start(move |_| Reply::status(answered.load(Ordering::SeqCst)));
    let hook = format!(
        "  hook: {{ from: alerts, life: {{ resolved_after: 1h }}, http: {{ url: \"{}\" }} }}\n",
        receiver.url()
    );
    let pipeline = pipeline(&source(&brokers, &topic, "earliest"), &hook);
    let mut running = pipeline.start();
    Admin::of(&mut running).wait_until_red("sink hook", "cannot take events now (503)");
    running.kill();
    status.store(200, Ordering::SeqCst);
    let mut running = pipeline.start();
    Admin::of(&mut running).wait_until_received(100);
    assert_eq!(running.stop().code, Some(0));
    assert_eq!(told(&receiver.taken()), [of("a", "firing", 1), of("b", "firing", 1)]);
    let first: BTreeSet<_> = receiver
        .requests()
        .iter()
        .filter(|one| one.json()["key"] == "a")
        .map(|one| one.header("webhook-id").to_owned())
        .collect();
    assert_eq!(first.len(), 1, "what comes again has the same id");
    let counts = pipeline.sqlite("out.db", "SELECT sum(count), count(*) FROM wasmill_open_alerts");
    assert_eq!(counts, [["100", "2"]]);
}

#[test]
fn alert_on_the_terminal_is_a_line_without_control_characters() {
    let sinks = "  seen: { from: alerts, stdout: { format: text } }\n  gone: { from: dead_letters, stdout: { format: text } }\n";
    let pipeline = pipeline("source: { stdin: {}, event_time: at }\n", sinks);
    let event = "{\"at\":\"2026-01-01T00:00:00Z\",\"host\":\"h\\u001b[2J\",\"severity\":\"ERROR\",\"text\":\"a\\nb\u{9b}31m\"}\n";
    let ran = pipeline.run(format!("{event}no JSON \u{1b}[2J\n").as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let [alert, letter, _report] = lines[..] else { panic!("{lines:?}") };
    assert_eq!(alert, "2026-01-01T00:00:00Z  error     bad [h [2J]  h [2J: a b 31m");
    assert!(letter.contains("  rejected  not_json by host  stdin[0] at 88: the payload is not JSON"), "{letter}");
    let raw = |c: char| c.is_control() && c != '\n';
    assert!(!ran.stdout.contains(raw), "{:?}", ran.stdout);
}
