//! Real Kafka → three plugins → enriched JSON to Kafka, with alerts and dead letters in topics of their own, against a bare librdkafka
//! consumer that hands each payload to a bare producer.

use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer};
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::services;

use super::boundary::with_shipped_plugins;
use super::kafka::{bare_consumer, control, filled_topic, new_topic, producer};
use super::measure::Measurement;

const EVENTS: u64 = 1_000_000;
const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;
const ROUND_MAX: Duration = Duration::from_secs(300);

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    let topic = filled_topic(&brokers, "bench", EVENTS, PARTITIONS)?;
    let mut cpu = Vec::new();
    for _ in 0..ROUNDS {
        cpu.push((relayed(&brokers, &topic)?, bare(&brokers, &topic)?));
    }
    delete(&brokers, &[&topic])?;
    Ok(vec![Measurement::new("kafka_kafka", "CPU ns/event", &cpu)])
}

/// CPU nanoseconds per event of a whole run.
fn relayed(brokers: &str, topic: &str) -> anyhow::Result<f64> {
    let out = new_topic(brokers, "bench-out", PARTITIONS)?;
    let (alerts, dead) = (new_topic(brokers, "bench-alerts", 1)?, new_topic(brokers, "bench-dead", 1)?);
    let yaml = format!(
        "name: {out}\nsource: {{ kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {out}, from: earliest }} }}\n\
         plugins: plugins.d\nadmin: false\ndead_letters: {{ kafka: {{ brokers: \"{brokers}\", topic: {dead} }} }}\nsinks:\n  \
         out: {{ kafka: {{ brokers: \"{brokers}\", topic: {out}, compression: lz4 }} }}\n  \
         alerts: {{ from: alerts, kafka: {{ brokers: \"{brokers}\", topic: {alerts} }} }}\n"
    );
    let pipeline = with_shipped_plugins(Pipeline::new(&yaml));
    let running = pipeline.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], b"");
    let ran = running.wait(ROUND_MAX);
    let report = ran.report();
    ensure!(report["received"] == EVENTS, "{} of {EVENTS} events were received:\n{}", report["received"], ran.stderr);
    let cpu = report["cpu_seconds"].as_f64().context("the report has cpu_seconds")?;
    delete(brokers, &[&out, &alerts, &dead])?;
    Ok(cpu * 1e9 / EVENTS as f64)
}

/// CPU nanoseconds per event of a process that only hands events on.
fn bare(brokers: &str, topic: &str) -> anyhow::Result<f64> {
    let out = new_topic(brokers, "bench-bare", PARTITIONS)?;
    let cpu = control(&["relay", brokers, topic, &out], EVENTS)?;
    delete(brokers, &[&out])?;
    Ok(cpu)
}

/// The control's process: prints its CPU seconds.
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn relay(brokers: &str, from: &str, to: &str, events: u64) -> anyhow::Result<()> {
    let consumer = bare_consumer(brokers, from)?;
    let producer = producer(brokers)?;
    let mut seen = 0;
    while seen < events {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let payload = message.payload().unwrap_or_default();
        while let Err((error, _)) = producer.send(BaseRecord::<(), [u8]>::to(to).payload(payload)) {
            ensure!(error == KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), "{error}");
            producer.poll(Duration::from_millis(5));
        }
        seen += 1;
        if seen % 1_000 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    producer.flush(ROUND_MAX)?;
    println!("{}", wasmill::report::process_cpu_seconds());
    Ok(())
}

fn delete(brokers: &str, topics: &[&str]) -> anyhow::Result<()> {
    let admin: AdminClient<_> = ClientConfig::new().set("bootstrap.servers", brokers).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(admin.delete_topics(topics, &AdminOptions::new()))?;
    Ok(())
}
