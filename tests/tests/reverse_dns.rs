//! Reverse DNS through the whole program, against a server that does what the test wants.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;

use serde_json::Value;
use wasmill_tests::admin::Admin;
use wasmill_tests::dns::{DnsServer, Reaction, Way};
use wasmill_tests::kafka::Record;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::services;

const GRANTED: &str = "grants: [reverse-dns]\n";
const PART: &str = "look-up reverse_dns";

/// Standard input → enrich-rdns → SQLite, with these settings of `lookups.reverse_dns` and further keys.
fn pipeline(settings: &str, more: &str) -> Pipeline {
    let yaml = format!(
        "name: names\nsource: {{ stdin: {{}} }}\nplugins: plugins.d\nlookups: {{ reverse_dns: {{ {settings} }} }}\n\
         sinks: {{ rows: {{ sqlite: {{ path: out.db, table: events, create: true, columns: {{ ip: ip, host: host }} }} }} }}\n{more}"
    );
    Pipeline::new(&yaml).plugin(10, "enrich-rdns", &format!("{GRANTED}config: {{ fields: {{ ip: host }} }}\n"))
}

fn asking(server: &DnsServer, settings: &str) -> String {
    format!("resolvers: [\"{}\"], private: resolve, {settings}", server.address())
}

fn event(address: &str) -> String {
    format!("{{\"ip\":\"{address}\"}}\n")
}

/// Host by address, as stored; `NULL` for none.
fn hosts(pipeline: &Pipeline) -> BTreeMap<String, String> {
    let rows = pipeline.sqlite("out.db", "SELECT DISTINCT ip, host FROM events");
    rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
}

/// What is asked about, what the server does, and the name that comes of it.
fn cases() -> Vec<(&'static str, Reaction, &'static str)> {
    let label = |label: &[u8]| Reaction::Labels(vec![label.to_vec(), b"example".to_vec()]);
    let long = |last: usize| Reaction::Labels([63, 63, 63, last].map(|length| vec![b'x'; length]).to_vec());
    vec![
        ("192.0.2.1", Reaction::Names(vec!["Web-1.Example.COM"]), "web-1.example.com"),
        ("2001:db8::1f", Reaction::Names(vec!["six.example"]), "six.example"),
        ("192.0.2.2", Reaction::Names(vec!["c.example", "B.example", "d.example"]), "b.example"),
        ("192.0.2.3", Reaction::Cname("delegated.example"), "delegated.example"),
        ("192.0.2.4", Reaction::Truncated("by-tcp.example"), "by-tcp.example"),
        ("192.0.2.10", Reaction::NxDomain, "NULL"),
        ("192.0.2.11", Reaction::NoData, "NULL"),
        ("192.0.2.12", Reaction::ServerFailure, "NULL"),
        ("192.0.2.13", Reaction::Silence, "NULL"),
        ("192.0.2.14", Reaction::Garbage, "NULL"),
        ("192.0.2.20", Reaction::WrongId("evil.example"), "NULL"),
        ("192.0.2.21", Reaction::OtherQuestion("evil.example"), "NULL"),
        ("192.0.2.22", Reaction::OtherOwner("evil.example"), "NULL"),
        ("192.0.2.30", label(b"\x1b[2J"), "NULL"),
        ("192.0.2.31", label(b"a\nb"), "NULL"),
        ("192.0.2.32", label("caf\u{e9}".as_bytes()), "NULL"),
        ("192.0.2.33", label(b"\xff\xfe"), "NULL"),
        ("192.0.2.34", label(b"<script>"), "NULL"),
        ("192.0.2.35", label(b"a.b"), "NULL"),
        ("192.0.2.36", Reaction::Labels(Vec::new()), "NULL"),
        ("192.0.2.37", long(61), LONGEST),
        ("192.0.2.38", Reaction::Names(vec!["_dmarc.x-1.example"]), "_dmarc.x-1.example"),
    ]
}

/// 253 bytes.
const LONGEST: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
                       xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
                       xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.\
                       xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[test]
fn good_answers_are_names_and_slow_lying_silent_or_hostile_ones_are_none() {
    let reactions: BTreeMap<IpAddr, Reaction> =
        cases().into_iter().map(|(address, reaction, _)| (address.parse().unwrap(), reaction)).collect();
    let server = DnsServer::start(move |address| reactions.get(&address).cloned().unwrap_or(Reaction::NxDomain));
    // Lies and silence end with the query's time, which is before the batch's.
    let pipeline = pipeline(&asking(&server, "deadline: 10s, timeout: 500ms"), "");
    let others = ["", "999.0.2.1", "not an address", "192.0.2.1 "].map(event).concat();
    let input: String = cases().iter().map(|(address, ..)| event(address)).collect();
    let ran = pipeline.run(format!("{input}{others}{{\"ip\":7}}\n{{}}\n{input}").as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.assert_sums(&["rows"]);
    assert_eq!(report["delivered"]["rows"], 2 * cases().len() + 6, "{report}");
    let hosts = hosts(&pipeline);
    for (address, reaction, expected) in cases() {
        assert_eq!(hosts[address], expected, "{address}: {reaction:?}");
    }
    assert!(!ran.stderr.contains("evil"), "what liars say is not logged: {}", ran.stderr);
    let asked = server.asked();
    let ways = |address: &str| -> Vec<Way> {
        let address: IpAddr = address.parse().unwrap();
        asked.iter().filter(|(of, _)| *of == address).map(|(_, way)| *way).collect()
    };
    assert_eq!(ways("192.0.2.1"), [Way::Udp], "one query serves all events of an address");
    assert_eq!(ways("192.0.2.10"), [Way::Udp], "that there is no name is remembered");
    assert_eq!(ways("192.0.2.4"), [Way::Udp, Way::Tcp]);
    let known: Vec<IpAddr> = cases().iter().map(|(address, ..)| address.parse().unwrap()).collect();
    assert!(asked.iter().all(|(address, _)| known.contains(address)), "only addresses are asked for: {asked:?}");
}

#[test]
fn private_addresses_are_asked_for_only_where_the_pipeline_says_so() {
    let server = DnsServer::start(|_| Reaction::Names(vec!["inside.example"]));
    let addresses = ["10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.0.1", "100.64.0.1", "fd00::1", "fe80::1"];
    let input = addresses.map(event).concat();
    let run = |settings: &str| {
        let pipeline = pipeline(&format!("resolvers: [\"{}\"], deadline: 10s{settings}", server.address()), "");
        assert_eq!(pipeline.run(input.as_bytes()).code, Some(0));
        let hosts = hosts(&pipeline);
        addresses.iter().filter(|address| hosts[**address] != "NULL").count()
    };
    assert_eq!((run(""), server.asked()), (0, Vec::new()));
    assert_eq!(run(", private_ranges: [10.0.0.0/8]"), addresses.len() - 1);
    assert_eq!(run(", private: resolve"), addresses.len());
}

/// A run whose input goes on.
struct Open {
    pipeline: Pipeline,
    running: wasmill_tests::pipeline::Running,
    input: std::process::ChildStdin,
    admin: Admin,
    sent: u64,
}

impl Open {
    fn start(pipeline: Pipeline) -> Self {
        let (mut running, input) = pipeline.start_open(&["run", "pipeline.yaml", "--format", "json"]);
        let admin = Admin::of(&mut running);
        Self { pipeline, running, input, admin, sent: 0 }
    }

    /// Sends an event and waits until it is stored: it is a batch of its own.
    fn send(&mut self, address: &str) {
        self.input.write_all(event(address).as_bytes()).expect("it reads");
        self.sent += 1;
        self.admin.wait_until_received(self.sent);
    }

    fn stats(&self) -> Value {
        self.admin.json("/stats").1["lookups"]["reverse_dns"].clone()
    }

    fn end(self) -> Pipeline {
        drop(self.input);
        let ran = self.running.wait(wasmill_tests::pipeline::PATIENCE);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        self.pipeline
    }
}

#[test]
fn answer_after_the_deadline_is_left_out_of_its_batch_and_known_to_the_next() {
    let server = DnsServer::start(|_| Reaction::Held("late.example"));
    let mut open = Open::start(pipeline(&asking(&server, "deadline: 20ms, timeout: 1m"), "admin: 127.0.0.1:0\n"));
    open.send("192.0.2.1");
    eventually("the query is sent", || !server.asked().is_empty());
    server.release();
    eventually("the answer is there", || open.stats()["names"] == 1);
    let queries = server.asked().len();
    open.send("192.0.2.1");
    let stats = open.stats();
    assert_eq!((&stats["left_out"], &stats["hits"], &stats["timeouts"]), (&1.into(), &1.into(), &0.into()), "{stats}");
    assert_eq!(server.asked().len(), queries, "it is not asked again");
    let pipeline = open.end();
    assert_eq!(pipeline.sqlite("out.db", "SELECT host FROM events ORDER BY rowid"), [["NULL"], ["late.example"]]);
}

#[test]
fn nobody_waits_for_a_dead_server_and_health_says_so_until_it_is_back() {
    let server = DnsServer::start(|_| Reaction::Silence);
    let settings = asking(&server, "deadline: 50ms, timeout: 200ms, negative_ttl: 1s");
    let mut open = Open::start(pipeline(&settings, "admin: 127.0.0.1:0\n"));
    assert_eq!(open.admin.json("/health/ready").1["parts"][PART]["state"], "green");
    let mut n = 0;
    let mut send_until = |open: &mut Open, waits: bool| {
        eventually("it notices", || {
            n += 1;
            open.send(&format!("192.0.2.{}", n % 256));
            open.stats()["waits"] == waits
        });
    };
    send_until(&mut open, false);
    let (code, ready) = open.admin.json("/health/ready");
    assert_eq!((code, &ready["parts"][PART]["state"]), (200, &"yellow".into()), "{ready}");
    let reason = ready["parts"][PART]["reason"].as_str().unwrap();
    assert!(reason.contains(&server.address()) && reason.contains("lookups.reverse_dns.resolvers"), "{reason}");
    let metrics = open.admin.get("/metrics").1;
    assert!(metrics.contains("wasmill_lookup_waits{lookup=\"reverse_dns\"} 0"), "{metrics}");

    server.behave(|_| Reaction::Names(vec!["back.example"]));
    send_until(&mut open, true);
    assert_eq!(open.admin.json("/health/ready").1["parts"][PART]["state"], "green");
    open.send("203.0.113.1");
    let pipeline = open.end();
    assert_eq!(hosts(&pipeline)["203.0.113.1"], "back.example");
}

#[test]
fn one_query_is_sent_per_address_however_many_lanes_want_it() {
    const PARTITIONS: i32 = 4;
    const ADDRESSES: usize = 50;
    let Some(brokers) = services::kafka() else { return };
    let server = DnsServer::start(|_| Reaction::Names(vec!["one.example"]));
    let mut rows = KafkaPipeline::at(&brokers);
    let lookups = format!(
        "lookups: {{ reverse_dns: {{ {} }} }}\nbatch: {{ events_max: 100 }}\nsinks:",
        asking(&server, "deadline: 10s")
    );
    rows.replace("sinks:", &lookups);
    rows.pipeline =
        rows.pipeline.plugin(10, "enrich-rdns", &format!("{GRANTED}config: {{ fields: {{ ip: host }} }}\n"));
    rows.create(PARTITIONS);
    for partition in 0..PARTITIONS {
        let events = (0..500).map(|n| Record::of(event(&format!("198.51.100.{}", n % ADDRESSES)).trim()));
        rows.cluster.produce(&rows.topic, partition, events).expect("they are written");
    }
    let ran = rows.pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.report()["received"], 500 * PARTITIONS);
    assert_eq!(server.asked().len(), ADDRESSES);
}

#[test]
fn plugin_that_is_not_granted_it_is_refused_and_nothing_is_asked() {
    let server = DnsServer::start(|_| Reaction::NxDomain);
    let pipeline = pipeline(&asking(&server, "deadline: 1s"), "");
    std::fs::write(pipeline.path("plugins.d/10-enrich-rdns.yaml"), "config: { fields: { ip: host } }\n").unwrap();
    for arguments in [&["validate", "pipeline.yaml"][..], &["run", "pipeline.yaml"]] {
        let ran = pipeline.start_with(arguments, event("192.0.2.1").as_bytes()).wait(wasmill_tests::pipeline::PATIENCE);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, Some(78), "{said}");
        assert!(said.contains("grants: [reverse-dns]"), "{said}");
    }
    assert_eq!(server.asked(), []);
}

#[test]
fn validate_says_who_is_asked_for_names_and_asks_nobody() {
    let server = DnsServer::start(|_| Reaction::NxDomain);
    let validate = |settings: &str| {
        let ran = pipeline(settings, "")
            .start_with(&["validate", "pipeline.yaml"], b"")
            .wait(wasmill_tests::pipeline::PATIENCE);
        assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    let asked = validate(&asking(&server, "deadline: 70ms"));
    let server_and_wait = format!("asked of {}; private addresses are", server.address());
    assert!(asked.contains(&server_and_wait) && asked.contains("a batch waits up to 70 ms"), "{asked}");
    let fake = validate("fake: true");
    assert!(fake.contains("names that are made up of the addresses"), "{fake}");
    assert_eq!(server.asked(), []);
}

#[test]
fn fake_names_need_no_server_and_are_the_same_each_time() {
    let pipeline = pipeline("fake: true, resolvers: [\"127.0.0.1:9\"]", "");
    let input = ["192.0.2.7", "10.0.0.255", "2001:db8::1F", "eu.web-1", "not a host"].map(event).concat();
    assert_eq!(pipeline.run(input.as_bytes()).code, Some(0));
    let expected = [
        ("10.0.0.255", "host-255.local"),
        ("192.0.2.7", "host-7.local"),
        ("2001:db8::1F", "host-1f.local"),
        ("eu.web-1", "host-web-1.local"),
        ("not a host", "NULL"),
    ];
    let expected = expected.map(|(address, host)| (address.to_owned(), host.to_owned()));
    assert_eq!(hosts(&pipeline), BTreeMap::from(expected));
}

#[test]
fn answers_that_rows_depend_on_are_kept_where_provenance_is_full_once_per_change() {
    let server = DnsServer::start(|_| Reaction::Names(vec!["first.example"]));
    let settings = asking(&server, "deadline: 10s, ttl_min: 0ms, ttl_max: 0ms");
    let mut open = Open::start(pipeline(&settings, "admin: 127.0.0.1:0\nprovenance: full\n"));
    for address in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "not an address"] {
        open.send(address);
    }
    server.behave(|_| Reaction::Names(vec!["second.example"]));
    open.send("192.0.2.1");
    server.behave(|_| Reaction::NxDomain);
    open.send("192.0.2.1");
    open.send("192.0.2.9");
    let pipeline = open.end();
    let kept =
        pipeline.sqlite("out.db", "SELECT lookup, address, answer, first_offset FROM wasmill_answers ORDER BY id");
    let answers: Vec<[&str; 3]> = kept.iter().map(|row| [&*row[0], &*row[1], &*row[2]]).collect();
    let of = |answer| ["reverse_dns", "192.0.2.1", answer];
    assert_eq!(answers, [of("first.example"), of("second.example"), of("NULL")]);
    // What was kept says of every row which name it was given.
    let derived = "SELECT e.host IS (SELECT answer FROM wasmill_answers a WHERE a.first_offset <= e.place ORDER BY a.id DESC LIMIT 1)
                   FROM (SELECT host, (SELECT sum(length(ip) + 10) FROM events b WHERE b.rowid < events.rowid) AS place FROM events
                         WHERE ip = '192.0.2.1') e WHERE e.place IS NOT NULL";
    let derived = pipeline.sqlite("out.db", derived);
    assert_eq!(derived, vec![["1"]; 3]);
}

#[test]
fn names_of_a_real_dns_server_are_found() {
    let Some(server) = services::own_dns() else { return };
    let settings = format!("resolvers: [\"{}\"], deadline: 10s, timeout: 10s", server.address());
    let pipeline = pipeline(&settings, "");
    let input = ["192.0.2.1", "192.0.2.7", "2001:db8::5", "192.0.2.99"].map(event).concat();
    assert_eq!(pipeline.run(input.as_bytes()).code, Some(0));
    let expected = [
        ("192.0.2.1", "router1.example.test"),
        ("192.0.2.7", "seven.example.test"),
        ("192.0.2.99", "NULL"),
        ("2001:db8::5", "web.example.test"),
    ];
    let expected = expected.map(|(address, host)| (address.to_owned(), host.to_owned()));
    assert_eq!(hosts(&pipeline), BTreeMap::from(expected));
}
