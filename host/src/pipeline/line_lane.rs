//! The one lane of standard input or a file.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use wasmill_core::RawBatch;

use super::{Built, RunEnd, SetupError};
use crate::config::{Config, SourceConfig};
use crate::lane::{LaneEnd, LaneParts, Pause, Reader, lane};
use crate::lines::{LineSource, LineSourceError};
use crate::sinks::Leases;

struct LineReader(mpsc::Receiver<Result<RawBatch, LineSourceError>>);

impl Reader for LineReader {
    async fn next(&mut self) -> Result<RawBatch, LaneEnd> {
        match self.0.recv().await {
            Some(Ok(batch)) => Ok(batch),
            Some(Err(error)) => Err(LaneEnd::Paused(Pause { reason: error.to_string(), again: false })),
            None => Err(LaneEnd::Finished),
        }
    }
}

/// Reads to the end of the input, or until `stop` becomes true.
pub(super) async fn run(config: &Config, built: Built, mut stop: watch::Receiver<bool>) -> Result<RunEnd, SetupError> {
    let wrong = |error: LineSourceError| SetupError::Wrong(error.to_string());
    let source = match &config.source {
        SourceConfig::File { path } => LineSource::file(path).map_err(wrong)?,
        SourceConfig::Stdin | SourceConfig::Kafka(_) => LineSource::stdin(),
    };
    let partition = Arc::clone(source.partition());
    let leases: Leases = built.sinks.acquire(&partition, 0).await?;
    let start = built.sinks.position(&leases).unwrap_or(0);
    let processor = built.serving.now();
    let memory = built.sinks.remember(&partition, &processor.generation).await?;
    let progress = source.progress();
    built.status.committed(&partition, start);
    built.status.set_progress(progress);
    let reader = LineReader(source.start(start, config.batch).map_err(wrong)?);
    built.status.health.green("source");

    let committed = {
        let (status, partition) = (Arc::clone(&built.status), Arc::clone(&partition));
        Box::new(move |offset| status.committed(&partition, offset))
    };
    let Built { serving, engine, sinks, status, .. } = built;
    let (taken_up, breakers) = (Arc::default(), Arc::clone(&status.breakers));
    let parts =
        LaneParts { serving, processor, taken_up, partition, engine, sinks, breakers, leases, memory, committed };
    let (asker, lane) = lane(parts, reader);
    tokio::pin!(lane);
    let end = tokio::select! {
        end = &mut lane => end,
        _ = stop.wait_for(|stop| *stop) => {
            asker.stop();
            match tokio::time::timeout(config.shutdown_timeout, lane).await {
                Ok(end) => end,
                Err(_) => return Ok(RunEnd::Abandoned),
            }
        }
    };
    Ok(match end {
        LaneEnd::Finished | LaneEnd::Stopped => RunEnd::Clean,
        LaneEnd::Paused(pause) => RunEnd::Stuck(pause.reason),
        LaneEnd::Fenced(reason) => RunEnd::Stuck(reason),
    })
}
