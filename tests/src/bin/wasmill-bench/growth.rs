//! How cost grows with the size of events, with the fields that are read, with plugins and with partitions: what
//! docs/performance.md draws its tables from.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Context;
use wasmill_core::{EventTime, FieldKind, Path, ProjectionBuilder, RawBatch};
use wasmill_engine::{Generation, LaneMemory, Plugin, Worker};
use wasmill_tests::events::bench_event;
use wasmill_tests::services;

use super::boundary;
use super::kafka;
use super::load::{engine, spec};
use super::measure::{Measurement, cpu_ns_per_event};
use super::project::{self, empty_batch, raw_batch};

const EVENTS: usize = 2_000;
const ROUNDS: usize = 21;
/// Bytes of text put into an event's message, on top of its 330 bytes.
const PADDING_BYTES: [usize; 4] = [0, 700, 3_700, 15_700];
/// The fields of an event, of which the first so many are read.
const FIELDS: [&str; 10] =
    ["id", "timestamp", "severity", "service", "host", "source_ip", "user", "message", "status", "count"];
const FIELD_COUNTS: [usize; 4] = [0, 2, 5, 10];
const KAFKA_EVENTS: u64 = 500_000;
const PARTITIONS: [i32; 3] = [1, 4, 16];

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let mut all = Vec::new();
    for padding in PADDING_BYTES {
        let raw = padded_batch(padding);
        let name = format!("growth.bytes_{}", raw.bytes() / EVENTS);
        all.push(scan(&name, &raw, 5)?);
    }
    let raw = raw_batch(EVENTS);
    for count in FIELD_COUNTS {
        all.push(scan(&format!("growth.fields_{count}"), &raw, count)?);
    }
    let plugins: Vec<Arc<Plugin>> = boundary::shipped()
        .into_iter()
        .map(|(name, config)| Ok(engine(None)?.load(&spec(name, config)?)?))
        .collect::<anyhow::Result<_>>()?;
    for count in 0..=plugins.len() {
        all.push(through(&format!("growth.plugins_{count}"), &plugins[..count], &raw));
    }
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    for partitions in PARTITIONS {
        let topic = kafka::filled_topic(&brokers, "growth", KAFKA_EVENTS, partitions)?;
        let ours = kafka::discard(&brokers, &topic, KAFKA_EVENTS)?.0;
        let bare = kafka::bare(&brokers, &topic, KAFKA_EVENTS)?;
        all.push(Measurement::new(&format!("growth.partitions_{partitions}"), "CPU ns/event", &[(ours, bare)]));
    }
    Ok(all)
}

fn padded_batch(padding: usize) -> RawBatch {
    let mut raw = empty_batch();
    for n in 0..EVENTS {
        let text = "lorem ipsum ".repeat(padding.div_ceil(12));
        let event = bench_event(n as u64).replacen("request to", &format!("{}request to", &text[..padding]), 1);
        raw.push(n as i64, 0, None, Some(event.as_bytes()), []);
    }
    raw
}

/// The scanner, asked for the first `count` fields.
fn scan(name: &str, raw: &RawBatch, count: usize) -> anyhow::Result<Measurement> {
    let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
    for path in &FIELDS[..count] {
        builder.column(Some(&path.parse::<Path>()?), FieldKind::Text);
    }
    Ok(project::scan(name, ROUNDS, &builder.build(), raw))
}

/// Scanner and plugins: all that an engine thread does before the sinks' rows.
fn through(name: &str, plugins: &[Arc<Plugin>], raw: &RawBatch) -> Measurement {
    let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
    let generation = Generation::new(plugins.to_vec(), &mut builder);
    let projection = builder.build();
    let (mut worker, mut memory) = (Worker::new(), LaneMemory::new());
    let round = |_| {
        let copy = raw.clone();
        let ours = cpu_ns_per_event(EVENTS, || {
            let (mut batch, _) = projection.extract(copy);
            black_box(generation.run(&mut batch, &mut memory, &mut worker).ok());
        });
        (ours, 0.0)
    };
    Measurement::new(name, "ns/event", &(0..ROUNDS).map(round).collect::<Vec<_>>())
}
