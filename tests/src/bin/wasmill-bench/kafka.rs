//! Real Kafka → three plugins → discard, against a bare librdkafka consumer of the same topic.

use std::io::BufRead;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use wasmill_tests::events::bench_event;
use wasmill_tests::pipeline::{Pipeline, Running};
use wasmill_tests::services;

use super::boundary::with_shipped_plugins;
use super::measure::Measurement;

const EVENTS: u64 = 2_000_000;
const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;
const FLUSH_MAX: Duration = Duration::from_secs(60);
/// A round takes some seconds; a stalled machine may need many times that.
const ROUND_MAX: Duration = Duration::from_secs(300);

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let topic = filled_topic(&brokers, "bench", EVENTS, PARTITIONS)?;
    let mut cpu = Vec::new();
    let mut rss = Vec::new();
    for _ in 0..ROUNDS {
        let (ours, peak_mb) = discard(&brokers, &topic, EVENTS)?;
        cpu.push((ours, bare(&brokers, &topic, EVENTS)?));
        rss.push((peak_mb, 0.0));
    }
    Ok(vec![Measurement::new("kafka_discard", "CPU ns/event", &cpu), Measurement::new("memory", "MB peak RSS", &rss)])
}

/// CPU nanoseconds per event of a whole run, and its peak memory in MB.
pub(crate) fn discard(brokers: &str, topic: &str, events: u64) -> anyhow::Result<(f64, f64)> {
    let name = services::unique("bench");
    let yaml = format!(
        "name: {name}\nsource: {{ kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {name}, from: earliest }} }}\n\
         plugins: plugins.d\nadmin: false\ndead_letters: {{ file: {{ path: dead.jsonl }} }}\nsinks:\n  none: {{ discard: {{}} }}\n"
    );
    let pipeline = with_shipped_plugins(Pipeline::new(&yaml));
    let mut running = pipeline.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], b"");
    let peak_mb = watch_memory(&mut running);
    let ran = running.wait(ROUND_MAX);
    let report = ran.report();
    if report["received"] != events {
        bail!("{} of {events} events were received:\n{}", report["received"], ran.stderr);
    }
    let cpu = report["cpu_seconds"].as_f64().context("the report has cpu_seconds")?;
    Ok((cpu * 1e9 / events as f64, peak_mb))
}

/// The peak resident memory until the process ends, MB.
fn watch_memory(running: &mut Running) -> f64 {
    let mut peak_kb: f64 = 0.0;
    let file = format!("/proc/{}/status", running.id());
    while running.is_running() {
        let status = std::fs::read_to_string(&file).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kb = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok());
        peak_kb = peak_kb.max(kb.unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(20));
    }
    peak_kb / 1024.0
}

/// CPU nanoseconds per event of a process that only consumes and counts.
pub(crate) fn bare(brokers: &str, topic: &str, events: u64) -> anyhow::Result<f64> {
    control(&["consume", brokers, topic], events)
}

/// CPU nanoseconds per event of a control: this program with these arguments and the number of events.
pub(crate) fn control(arguments: &[&str], events: u64) -> anyhow::Result<f64> {
    let mut control = Command::new(std::env::current_exe()?);
    let output = control.args(arguments).arg(events.to_string()).stdout(Stdio::piped()).output()?;
    let line = output.stdout.lines().next().context("the control printed nothing")??;
    let seconds: f64 = line.parse().context("the control prints its CPU seconds")?;
    Ok(seconds * 1e9 / events as f64)
}

/// The consumer of controls.
pub(crate) fn bare_consumer(brokers: &str, topic: &str) -> anyhow::Result<BaseConsumer> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", services::unique("bare"))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "5")
        .set("queued.max.messages.kbytes", "16384")
        .create()?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

/// The control's process: prints its CPU seconds.
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn consume(brokers: &str, topic: &str, events: u64) -> anyhow::Result<()> {
    let consumer = bare_consumer(brokers, topic)?;
    let mut seen = 0;
    while seen < events {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            message?;
            seen += 1;
        }
    }
    println!("{}", wasmill::report::process_cpu_seconds());
    Ok(())
}

/// A new topic with `events` benchmark events, lz4, spread over its partitions.
pub(crate) fn filled_topic(brokers: &str, prefix: &str, events: u64, partitions: i32) -> anyhow::Result<String> {
    filled_topic_of(brokers, prefix, events, partitions, bench_event)
}

/// The same with other events, by their numbers.
pub(crate) fn filled_topic_of(
    brokers: &str,
    prefix: &str,
    events: u64,
    partitions: i32,
    event: impl Fn(u64) -> String,
) -> anyhow::Result<String> {
    let topic = new_topic(brokers, prefix, partitions)?;
    let producer = producer(brokers)?;
    for n in 0..events {
        let payload = event(n);
        let record = || BaseRecord::<(), str>::to(&topic).payload(&payload).partition((n % partitions as u64) as i32);
        while producer.send(record()).is_err() {
            producer.poll(Duration::from_millis(10));
        }
        if n % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(FLUSH_MAX)?;
    Ok(topic)
}

/// A producer that compresses with lz4.
pub(crate) fn producer(brokers: &str) -> anyhow::Result<BaseProducer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("queue.buffering.max.messages", "200000")
        .create()?)
}

/// A new topic.
pub(crate) fn new_topic(brokers: &str, prefix: &str, partitions: i32) -> anyhow::Result<String> {
    let topic = services::unique(prefix);
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    let created = runtime.block_on(admin.create_topics([&new], &AdminOptions::new()))?;
    for outcome in created {
        outcome.map_err(|(topic, code)| anyhow::anyhow!("cannot create the topic {topic}: {code}"))?;
    }
    Ok(topic)
}
