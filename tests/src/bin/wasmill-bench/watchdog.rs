//! What it costs to look from outside whether a plugin has a batch for too long: a batch's visit to an engine thread with the watchdog
//! and without. The batch does nothing there, so that all of the difference is the watchdog's.

use anyhow::Context;
use tokio::sync::oneshot;
use wasmill::engine_threads::EngineThreads;
use wasmill::process::EngineWorker;
use wasmill::report::process_cpu_seconds;
use wasmill::watchdog;
use wasmill_core::{EventTime, ProjectionBuilder};
use wasmill_engine::Generation;

use super::measure::Measurement;

const BATCHES: usize = 2_000;
const ROUNDS: usize = 101;

pub(crate) fn run() -> anyhow::Result<Vec<Measurement>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let engine = EngineThreads::start(1, EngineWorker::default)?;
    let generation = Generation::new(Vec::new(), &mut ProjectionBuilder::new(EventTime::Record, 1 << 20));
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let watched = cpu_ns_per_batch(&runtime, async || watched(&engine, &generation).await)?;
        let control = cpu_ns_per_batch(&runtime, async || engine.run(|_| ()).await.context("a visit"))?;
        rounds.push((watched, control));
    }
    Ok(vec![Measurement::new("watchdog", "ns/batch", &rounds)])
}

/// As a lane has a batch processed.
async fn watched(engine: &EngineThreads<EngineWorker>, generation: &Generation) -> anyhow::Result<()> {
    let (begun, begins) = oneshot::channel();
    let visit = engine.run(move |worker| {
        // Fails only when nobody waits for the batch any more.
        let _ = begun.send(worker.plugins.watch());
    });
    tokio::select! {
        biased;
        visited = visit => visited.context("a visit"),
        stuck = watchdog::stuck(generation, begins) => Err(stuck.into()),
    }
}

/// Processor time of all threads.
fn cpu_ns_per_batch(
    runtime: &tokio::runtime::Runtime,
    visit: impl AsyncFn() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let before = process_cpu_seconds();
    runtime.block_on(async {
        for _ in 0..BATCHES {
            visit().await?;
        }
        anyhow::Ok(())
    })?;
    Ok((process_cpu_seconds() - before) * 1e9 / BATCHES as f64)
}
