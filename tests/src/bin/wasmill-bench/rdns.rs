//! Real Kafka → `enrich-rdns` → discard with 10 000 addresses in a million events: against the same without the plugin, with names that are
//! made up instead of asked for, and with a DNS server that says nothing.

use anyhow::{Context, bail};
use wasmill_tests::dns::{DnsServer, Reaction};
use wasmill_tests::events::bench_event;
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::services;

use super::kafka::filled_topic_of;
use super::measure::Measurement;

const EVENTS: u64 = 1_000_000;
const ADDRESSES: u64 = 10_000;
const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;

/// CPU nanoseconds per event, and events per second.
type Run = (f64, f64);

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let topic = filled_topic_of(&brokers, "rdns", EVENTS, PARTITIONS, event)?;
    let (mut asked, mut fake, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let without = discard(&brokers, &topic, None)?;
        let server = DnsServer::start(|_| Reaction::Names(vec!["a-host.of.some.network.example.net"]));
        let live = discard(&brokers, &topic, Some(&format!("resolvers: [\"{}\"]", server.address())))?;
        let queries = server.asked().len() as u64;
        if queries > ADDRESSES {
            bail!("{queries} queries were sent for {ADDRESSES} addresses");
        }
        server.behave(|_| Reaction::Silence);
        let silent = discard(&brokers, &topic, Some(&format!("resolvers: [\"{}\"]", server.address())))?;
        let made_up = discard(&brokers, &topic, Some("fake: true"))?;
        asked.push((live.0, without.0));
        fake.push((made_up.0, without.0));
        dead.push((silent.1, made_up.1));
    }
    Ok(vec![
        Measurement::new("rdns", "CPU ns/event", &asked),
        added("rdns.added", &asked),
        added("rdns.added_fake", &fake),
        Measurement::new("rdns.dead", "events/s", &dead),
    ])
}

/// What each round cost more than its control.
fn added(name: &str, rounds: &[(f64, f64)]) -> Measurement {
    let more: Vec<(f64, f64)> = rounds.iter().map(|(with, without)| (with - without, 0.0)).collect();
    Measurement::new(name, "CPU ns/event", &more)
}

/// Event `n`, with one of the addresses, in an order without a pattern.
fn event(n: u64) -> String {
    let address = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let address = address % ADDRESSES;
    bench_event(n).replacen(
        "\"source_ip\":\"10.",
        &format!("\"ip\":\"198.18.{}.{}\",\"source_ip\":\"10.", address / 250, address % 250),
        1,
    )
}

fn discard(brokers: &str, topic: &str, lookups: Option<&str>) -> anyhow::Result<Run> {
    let name = services::unique("bench");
    let mut yaml = format!(
        "name: {name}\nsource: {{ kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {name}, from: earliest }} }}\n\
         admin: false\ndead_letters: {{ file: {{ path: dead.jsonl }} }}\nsinks:\n  none: {{ discard: {{}} }}\n"
    );
    if let Some(settings) = lookups {
        yaml += &format!("plugins: plugins.d\nlookups: {{ reverse_dns: {{ {settings} }} }}\n");
    }
    let mut pipeline = Pipeline::new(&yaml);
    if lookups.is_some() {
        pipeline = pipeline.plugin(10, "enrich-rdns", "grants: [reverse-dns]\nconfig: { fields: { ip: host } }\n");
    }
    let ran = pipeline.run(b"");
    let report = ran.report();
    if report["received"] != EVENTS {
        bail!("{} of {EVENTS} events were received:\n{}", report["received"], ran.stderr);
    }
    let number = |key: &str| report[key].as_f64().with_context(|| format!("the report has {key}"));
    Ok((number("cpu_seconds")? * 1e9 / EVENTS as f64, EVENTS as f64 / number("seconds")?))
}
