//! What a partition whose events make a plugin loop costs the others: three good ones, alone and beside such a one.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use wasmill_tests::admin::Admin;
use wasmill_tests::pipeline::Pipeline;
use wasmill_tests::services;

use super::kafka::filled_topic_of;
use super::measure::Measurement;

const PARTITIONS: u64 = 4;
const EVENTS: u64 = 1_600_000;
/// One in so many events of the bad partition loops until its fuel is burned: the plugin is not to blame yet.
const GUILTY_ONE_IN: u64 = 50;
const ROUNDS: usize = 3;
const ROUND_MAX: Duration = Duration::from_secs(300);

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let brokers = services::kafka().context("this benchmark needs a real Kafka")?;
    // Events are spread by their numbers: the first partition has those that the number of partitions divides.
    let loops = |n: u64| n.is_multiple_of(PARTITIONS) && (n / PARTITIONS).is_multiple_of(GUILTY_ONE_IN);
    let topic = |is_evil: bool| {
        let payload = move |n: u64| match is_evil && loops(n) {
            true => format!(
                r#"{{"id":"{n}","do":"loop","message":"an event of usual length, as others are, but for what it does"}}"#
            ),
            false => format!(
                r#"{{"id":"{n}","message":"an event of usual length, as others are, which does nothing at all to plugins"}}"#
            ),
        };
        filled_topic_of(&brokers, "bench-fairness", EVENTS, PARTITIONS as i32, payload)
    };
    let (evil, good) = (topic(true)?, topic(false)?);
    let rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| Ok((of_others(&brokers, &evil)?, of_others(&brokers, &good)?)))
        .collect::<anyhow::Result<_>>()?;
    Ok(vec![Measurement::new("fairness", "s, others", &rounds)])
}

/// Seconds until all partitions but the first are committed.
fn of_others(brokers: &str, topic: &str) -> anyhow::Result<f64> {
    let name = services::unique("bench-fairness");
    let yaml = format!(
        "name: {name}\nsource: {{ kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {name}, from: earliest }} }}\n\
         plugins: plugins.d\nadmin: 127.0.0.1:0\ndead_letters: {{ file: {{ path: dead.jsonl }} }}\nsinks:\n  none: {{ discard: {{}} }}\n"
    );
    let pipeline = Pipeline::new(&yaml).plugin(10, "adversary", "{}\n");
    let mut running = pipeline.start();
    let admin = Admin::of(&mut running);
    let done = |number: u64| {
        let (_, stats) = admin.json("/stats");
        let lanes = stats["lanes"].as_array().cloned().unwrap_or_default();
        let is_done =
            |lane: &serde_json::Value| lane["partition"] == number && lane["committed"] == EVENTS / PARTITIONS;
        lanes.iter().any(is_done)
    };
    while admin.json("/stats").1["lanes"].as_array().is_none_or(|lanes| lanes.len() != PARTITIONS as usize) {
        ensure!(running.is_running(), "it ended: {}", running.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    while !(1..PARTITIONS).all(done) {
        ensure!(running.is_running() && began.elapsed() < ROUND_MAX, "not done: {}", running.log());
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = began.elapsed().as_secs_f64();
    running.stop();
    Ok(seconds)
}
