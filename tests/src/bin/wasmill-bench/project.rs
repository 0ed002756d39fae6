//! The scanner: five fields of flat events, the whole document checked, against `serde_json::Value`.

use std::hint::black_box;
use std::sync::Arc;

use wasmill_core::{EventTime, FieldKind, PartitionId, Path, Projection, ProjectionBuilder, RawBatch};
use wasmill_tests::events::bench_event;

use super::measure::{Measurement, cpu_ns_per_event};

const EVENTS: usize = 2_000;
const ROUNDS: usize = 41;
/// Records are a millisecond apart; Kafka keeps no finer time.
const NS_PER_MS: i64 = 1_000_000;

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let raw = raw_batch(EVENTS);
    let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
    let fields = [
        ("severity", FieldKind::Text),
        ("service", FieldKind::Text),
        ("source_ip", FieldKind::Text),
        ("status", FieldKind::Integer),
        ("latency_ms", FieldKind::Float),
    ];
    for (path, kind) in fields {
        builder.column(Some(&path.parse::<Path>()?), kind);
    }
    let projection = builder.build();
    Ok(vec![scan("project", ROUNDS, &projection, &raw)])
}

/// The scanner over a batch, against `serde_json::Value`.
pub(crate) fn scan(name: &str, rounds: usize, projection: &Arc<Projection>, raw: &RawBatch) -> Measurement {
    let round = |_| {
        let copy = raw.clone();
        let ours = cpu_ns_per_event(raw.len(), || {
            black_box(projection.extract(copy));
        });
        let control = cpu_ns_per_event(raw.len(), || {
            for event in 0..raw.len() {
                let payload = raw.payload(event).unwrap_or_default();
                black_box(serde_json::from_slice::<serde_json::Value>(payload).ok());
            }
        });
        (ours, control)
    };
    Measurement::new(name, "ns/event", &(0..rounds).map(round).collect::<Vec<_>>())
}

/// A batch of benchmark events.
pub(crate) fn raw_batch(events: usize) -> RawBatch {
    let mut raw = empty_batch();
    for n in 0..events {
        raw.push(
            n as i64,
            1_768_435_200_000_000_000 + n as i64 * NS_PER_MS,
            None,
            Some(bench_event(n as u64).as_bytes()),
            [],
        );
    }
    raw
}

/// A batch without events.
pub(crate) fn empty_batch() -> RawBatch {
    let partition = PartitionId {
        source: "kafka".to_owned(),
        cluster: "bench".to_owned(),
        topic: "bench".to_owned(),
        topic_id: String::new(),
        partition: 0,
    };
    RawBatch::new(Arc::new(partition), 0)
}
