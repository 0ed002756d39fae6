//! What goes wrong with a webhook while it runs: the lanes wait, health says why, nothing secret is told, and once it is mended
//! everything has arrived.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmill_tests::admin::Admin;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::receiver::{Receiver, Reply};
use wasmill_tests::services::{self, unique};

const SECRET: &str = "hunter2-of-the-receiver";
const ROWS: &str = "rows: { sqlite: { path: out.db, table: events, columns: { n: { from: n, type: bigint } } } }";

/// Standard input to a table and a webhook, running, with standard input open.
fn yaml(url: &str) -> String {
    format!(
        "name: hooks\nsource: {{ stdin: {{}} }}\nretry: {{ initial: 10ms, max: 50ms }}\nadmin: 127.0.0.1:0\nsinks:\n  {ROWS}\n  \
         hook: {{ http: {{ url: \"{url}\", headers: {{ Authorization: \"Bearer {SECRET}\" }}, secret: \"{SECRET}\" }} }}\n"
    )
}

#[test]
fn receiver_that_is_set_up_wrongly_is_waited_for_with_what_to_do_and_without_secrets() {
    let step = Arc::new(AtomicUsize::new(0));
    let at = Arc::clone(&step);
    let receiver = Receiver::start(move |_| match at.load(Ordering::SeqCst) {
        0 => Reply::Answer(401, format!("the token {SECRET} of /{SECRET}-path is unknown")),
        1 => Reply::status(403),
        2 => Reply::status(404),
        3 => Reply::status(405),
        4 => Reply::With(308, vec![("location", format!("https://elsewhere.example/{SECRET}-path?q"))], String::new()),
        _ => Reply::status(200),
    });
    let pipeline = Pipeline::new(&yaml(&format!("{}/{SECRET}-path?key={SECRET}", receiver.url())));
    let (mut running, input) = pipeline.start_open(&["run", "pipeline.yaml", "--format", "json"]);
    let admin = Admin::of(&mut running);
    std::io::Write::write_all(&mut &input, b"{\"n\":1}\n").expect("the binary reads");
    let told = [
        "does not let us in (401): correct `headers` or `secret`: the token *** of *** is unknown",
        "does not let us in (403)",
        "has nothing at this address (404): correct `url`",
        "takes no POST at this address (405)",
        "answers 308 and names another address, https://elsewhere.example***: redirects are not followed",
    ];
    for (number, words) in told.iter().enumerate() {
        let reason = admin.wait_until_red("sink hook", words);
        assert!(reason.contains(&receiver.host()) && reason.contains("nothing is lost"), "{reason}");
        assert_eq!(admin.received(), 0);
        step.store(number + 1, Ordering::SeqCst);
    }
    admin.wait_until_received(1);
    admin.wait_until_ready();
    let shown = format!("{}{}", admin.get("/config").1, admin.get("/stats").1);
    drop(input);
    let ran = running.wait(wasmill_tests::pipeline::PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(!ran.stderr.contains(SECRET) && !shown.contains(SECRET), "{}\n{shown}", ran.stderr);
    assert_eq!((receiver.taken().len(), pipeline.count("out.db", "SELECT count(*) FROM events")), (1, 1));
    let validated = pipeline.start_with(&["validate", "pipeline.yaml"], b"").wait(wasmill_tests::pipeline::PATIENCE);
    assert!(validated.stdout.contains("at least once") || validated.stdout.contains("none"), "{}", validated.stdout);
    assert!(!validated.stdout.contains(SECRET), "{}", validated.stdout);
}

#[test]
fn event_that_is_not_taken_in_as_many_attempts_as_there_may_be_is_a_dead_letter_and_the_next_goes_on() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let receiver =
        Receiver::start(move |_| Reply::status(if count.fetch_add(1, Ordering::SeqCst) < 3 { 503 } else { 200 }));
    let limited = yaml(&receiver.url()).replace("http: { ", "http: { attempts: 3, ");
    let pipeline = Pipeline::new(&limited);
    let ran = pipeline.run(b"{\"n\":1}\n{\"n\":2}\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows", "hook"]);
    assert_eq!(
        (&report["delivered"]["hook"], &report["rejections"]["undelivered"]),
        (&1.into(), &1.into()),
        "{report}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    let letters = pipeline.sqlite("out.db", "SELECT sink, payload, reason FROM wasmill_dead_letters");
    assert_eq!((letters.len(), &letters[0][..2]), (1, &["hook".to_owned(), "{\"n\":1}".to_owned()][..]));
    assert!(letters[0][2].contains("not taken in 3 attempts") && letters[0][2].contains("503"), "{letters:?}");
}

#[test]
fn sink_is_written_while_the_one_before_it_waits() {
    let second = Arc::new(Receiver::willing());
    let asked = Arc::clone(&second);
    // The first one takes nothing before the second one has something.
    let first = Receiver::start(move |_| Reply::status(if asked.taken().is_empty() { 503 } else { 200 }));
    let more = format!("  next: {{ http: {{ url: \"{}\" }} }}\n", second.url());
    let ran = Pipeline::new(&format!("{}{more}", yaml(&first.url()))).run(b"{\"n\":1}\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.assert_sums(&["rows", "hook", "next"]);
    assert_eq!((first.taken().len(), second.taken().len()), (1, 1));
}

#[test]
fn tls_to_a_plain_port_and_a_port_without_a_listener_are_told() {
    let receiver = Receiver::willing();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let closed = format!("http://{}", free.local_addr().expect("a bound address"));
    drop(free);
    for (url, words) in [
        (receiver.url().replace("http://", "https://"), "see that `url` names its TLS port"),
        (closed, "nobody listens at"),
        ("http://no-such-host.invalid/".to_owned(), "cannot be reached"),
    ] {
        let pipeline = Pipeline::new(&yaml(&url));
        let (mut running, input) = pipeline.start_open(&["run", "pipeline.yaml", "--format", "json"]);
        let admin = Admin::of(&mut running);
        std::io::Write::write_all(&mut &input, b"{\"n\":1}\n").expect("the binary reads");
        admin.wait_until_red("sink hook", words);
        running.kill();
    }
}

#[test]
fn receiver_that_is_away_under_load_and_kills_lose_nothing_and_double_nothing_in_the_table() {
    const EVENTS: usize = 3_000;
    let Some(brokers) = services::kafka() else { return };
    let cluster = Cluster::at(&brokers).expect("a client");
    let topic = unique("hooks");
    wait(cluster.create(&topic, 2, &[])).expect("a topic");
    let room = Arc::new(AtomicUsize::new(0));
    let left = Arc::clone(&room);
    let takes = move || left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let receiver = Receiver::start(move |_| Reply::status(if takes() { 200 } else { 503 }));
    let pipeline = Pipeline::new(&format!(
        "name: hooks\n{}batch: {{ events_max: 50 }}\nsinks:\n  {ROWS}\n  hook: {{ http: {{ url: \"{}\" }} }}\n",
        source(&brokers, &topic, "earliest"),
        receiver.url()
    ));
    for partition in 0..2 {
        let numbers = (0..EVENTS).filter(|n| n % 2 == partition as usize);
        let records = numbers.map(|n| Record::of(format!("{{\"n\":{n}}}")));
        cluster.produce(&topic, partition, records).expect("they are written");
    }
    let mut running = pipeline.start();
    for _ in 0..3 {
        room.store(300, Ordering::SeqCst);
        eventually("they are taken", || room.load(Ordering::SeqCst) == 0);
        Admin::of(&mut running).wait_until_red("sink hook", "cannot take events now (503)");
        running.kill();
        running = pipeline.start();
    }
    room.store(usize::MAX, Ordering::SeqCst);
    let stored = || pipeline.sqlite("out.db", "SELECT count(*), count(DISTINCT n) FROM events");
    eventually("every event is stored", || stored()[0][0] == EVENTS.to_string());
    assert_eq!(running.stop().code, Some(0));
    assert_eq!(stored(), [[EVENTS.to_string(), EVENTS.to_string()]], "nothing twice");
    let taken = receiver.taken();
    let pairs: BTreeSet<_> =
        taken.iter().map(|one| (one.json()["n"].to_string(), one.header("webhook-id").to_owned())).collect();
    let numbers: BTreeSet<_> = pairs.iter().map(|(n, _)| n.clone()).collect();
    let ids: BTreeSet<_> = pairs.iter().map(|(_, id)| id.clone()).collect();
    assert_eq!(
        (numbers.len(), ids.len(), pairs.len()),
        (EVENTS, EVENTS, EVENTS),
        "one id per event, whatever came again"
    );
}
