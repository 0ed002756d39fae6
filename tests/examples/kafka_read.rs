//! What reading costs: CPU nanoseconds per event of the whole process, for the source's readers and for a bare consumer
//! of the client library on the same topic, in turn.
//!
//! `cargo run --release -p wasmill-tests --example kafka_read -- [EVENTS] [ROUNDS] [both|bare|readers|fill] [TOPIC]`,
//! with `KAFKA_BROKERS` set. A topic that is given is kept, and filled only by `fill`: for profiles of one side alone.
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use wasmill::config::{BatchConfig, KafkaConfig, Start, Topics};
use wasmill::demo::events::Events;
use wasmill::kafka::{Begin, KafkaEvent, KafkaSource, Read};
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::services::unique;

/// As in the `wasmill` binary, for both sides.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PARTITIONS: i32 = 4;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let events: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let rounds: u32 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let brokers = std::env::var("KAFKA_BROKERS").context("KAFKA_BROKERS is not set")?;
    let side = arguments.next().unwrap_or_else(|| "both".to_owned());
    let given = arguments.next();
    let topic = given.clone().unwrap_or_else(|| unique("read"));
    if given.is_none() || side == "fill" {
        fill(&brokers, &topic, events).await?;
    }
    for round in 0..rounds {
        for (name, bare) in
            [("bare", true), ("readers", false)].into_iter().filter(|one| side == "both" || side == one.0)
        {
            let (cpu, begun) = (cpu_time(), Instant::now());
            let bytes = match bare {
                true => {
                    let (brokers, topic) = (brokers.clone(), topic.clone());
                    tokio::task::spawn_blocking(move || poll(&brokers, &topic, events)).await??
                }
                false => read(&brokers, &topic, events).await?,
            };
            let (cpu, wall) = (cpu_time() - cpu, begun.elapsed());
            println!(
                "round {round}: {name:8} {:6.0} ns CPU/event {:6.0} ns wall/event {:5.0} bytes/event, peak RSS {} MB",
                cpu.as_nanos() as f64 / events as f64,
                wall.as_nanos() as f64 / events as f64,
                bytes as f64 / events as f64,
                peak_rss_mb()
            );
        }
    }
    match given {
        None => Cluster::at(&brokers)?.delete(&topic).await,
        Some(_) => Ok(()),
    }
}

async fn fill(brokers: &str, topic: &str, count: u64) -> Result<()> {
    let cluster = Cluster::with(brokers, &[("compression.type", "lz4"), ("linger.ms", "50")])?;
    // The events' times are fixed, and older than a broker keeps by default.
    cluster.create(topic, PARTITIONS, &[("retention.ms", "-1")]).await?;
    let (events, begun) = (Events::new(7, 0.0), Instant::now());
    for index in 0..count {
        let event = events.event(index);
        let record =
            Record { key: Some(event.key), value: event.payload, time_ms: Some(event.time_ms), headers: vec![] };
        cluster.send(topic, (index % PARTITIONS as u64) as i32, &record)?;
    }
    cluster.flush()?;
    println!("{count} events written in {:?}", begun.elapsed());
    Ok(())
}

fn poll(brokers: &str, topic: &str, events: u64) -> Result<u64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", unique("bare"))
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "2")
        .create()?;
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&list)?;
    let (mut seen, mut bytes, end) = (0, 0, Instant::now() + PATIENCE);
    while seen < events {
        if let Some(message) = consumer.poll(Duration::from_secs(1)) {
            bytes += message?.payload().map_or(0, <[u8]>::len) as u64;
            seen += 1;
        } else if Instant::now() > end {
            bail!("{seen} of {events} events came");
        }
    }
    Ok(bytes)
}

async fn read(brokers: &str, topic: &str, events: u64) -> Result<u64> {
    let config = KafkaConfig {
        brokers: brokers.to_owned(),
        topics: Topics::named([topic.to_owned()]),
        group: unique("readers"),
        group_instance_id: None,
        from: Start::Earliest,
        fetch_bytes_max: 32 << 20,
        options: std::collections::BTreeMap::new(),
    };
    let mut source = KafkaSource::connect(&config).await?;
    let partitions = loop {
        match source.next().await {
            KafkaEvent::Assigned(partitions) => break partitions,
            KafkaEvent::Notice(_) => {}
            other => bail!("{other:?}"),
        }
    };
    let mut starts = Vec::new();
    for partition in source.identify(&partitions).await? {
        let until = Some(source.end_offset(&partition).await?);
        starts.push(Begin { partition, offset: 0, until });
    }
    let lanes: Vec<_> = source
        .begin(starts)
        .await?
        .into_iter()
        .map(|mut reader| {
            tokio::spawn(async move {
                let limits = BatchConfig {
                    events_max: 2_000,
                    bytes_max: 4 << 20,
                    event_bytes_max: 1 << 20,
                    linger: Duration::ZERO,
                };
                let (mut seen, mut bytes) = (0, 0);
                while let Read::Batch(batch) = reader.next(&limits).await? {
                    seen += batch.len() as u64;
                    bytes += batch.bytes() as u64;
                }
                Ok::<_, anyhow::Error>((seen, bytes))
            })
        })
        .collect();
    let (mut seen, mut bytes) = (0, 0);
    for lane in lanes {
        let (more, size) = lane.await??;
        seen += more;
        bytes += size;
    }
    source.close().await;
    if seen != events {
        bail!("{seen} of {events} events came");
    }
    Ok(bytes)
}

#[allow(unsafe_code, reason = "getrusage fills a plain struct")]
fn usage() -> libc::rusage {
    // SAFETY: an all-zero `rusage` is valid, and the call only writes to it.
    unsafe {
        let mut usage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    }
}

fn cpu_time() -> Duration {
    let usage = usage();
    let of = |time: libc::timeval| Duration::from_micros(time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64);
    of(usage.ru_utime) + of(usage.ru_stime)
}

fn peak_rss_mb() -> i64 {
    usage().ru_maxrss / 1_024
}
