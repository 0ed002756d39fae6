//! A pipeline: config → build → run → drain.

mod bind;
mod build;
mod good;
mod kafka_lanes;
mod letters;
mod line_lane;
mod listing;
pub mod plugins;
mod refusal;
mod replay;
mod retention;
mod setup;
mod stores;
mod swap;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::{Config, SourceConfig};
use crate::report::Report;
use crate::sinks::Sinks;
use crate::status::Status;
use crate::thresholds;

pub use build::Built;
pub use letters::{LettersPlace, PlaceOptions, open_letters};
pub use replay::{Became, Replayer};
pub use setup::SetupError;
pub use stores::{Database, Place, databases, open_home};

/// How long the end of a run waits for clients of the tap to read what is left.
const TAPS_END: Duration = Duration::from_secs(1);

/// How far a run goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Stop where the source ended when the run began. Standard input and files always end.
    pub until_end: bool,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// The input ended, or a stop was asked for; everything received is committed.
    Clean,
    /// Work in flight was abandoned: the stop took longer than `shutdown_timeout`. It is done again after the next start.
    Abandoned,
    /// A lane cannot go on and the run cannot end without it.
    Stuck(String),
}

/// Runs a pipeline until its input ends or `stop` becomes true. `watch` is told the status once everything is connected.
///
/// # Errors
/// When something is set up wrongly before the first event.
pub async fn run(
    config: Config,
    options: RunOptions,
    stop: watch::Receiver<bool>,
    started: impl FnOnce(Arc<Status>),
) -> Result<(RunEnd, Report), SetupError> {
    let mut stopped = stop.clone();
    let mut built = tokio::select! {
        built = build::build(&config) => built?,
        // Waiting for a database or a broker that is away can be ended too.
        _ = stopped.wait_for(|stop| *stop) => return Err(SetupError::Interrupted),
    };
    if let Some(pages) = &config.admin {
        let bound = crate::admin::serve(pages.address, Arc::clone(&built.status)).await.map_err(SetupError::Wrong)?;
        tracing::info!("admin pages on http://{bound}");
    }
    started(Arc::clone(&built.status));
    let sinks = Arc::clone(&built.sinks);
    let relays = start_relays(&sinks);
    let resolving = start_resolving(&sinks);
    let forgetting = tokio::spawn(retention::keep(Arc::clone(&sinks), config.retention));
    let watching = tokio::spawn(thresholds::keep(Arc::clone(&built.status), config.health));
    let following = built.swap.take().map(|swap| tokio::spawn(swap.follow()));
    let (tally, taps) = (Arc::clone(&built.status.tally), Arc::clone(&built.status.taps));
    let end = match &config.source {
        SourceConfig::Stdin | SourceConfig::File { .. } => line_lane::run(&config, built, stop).await?,
        SourceConfig::Kafka(kafka) => kafka_lanes::run(&config, kafka, built, options, stop).await?,
    };
    following.iter().for_each(|following| following.abort());
    forgetting.abort();
    watching.abort();
    drop(resolving);
    // A round that is under way ends first, so that nothing of it comes twice.
    relay_the_rest(&sinks, config.shutdown_timeout).await;
    drop(relays);
    taps.close(TAPS_END).await;
    Ok((end, tally.report()))
}

/// Resolves alerts, until the answer is dropped.
fn start_resolving(sinks: &Arc<Sinks>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for index in 0..sinks.outputs.len() {
        let sinks = Arc::clone(sinks);
        running.spawn(async move { sinks.resolve(&sinks.outputs[index]).await });
    }
    running
}

/// Relays new dead letters to each destination, until the answer is dropped. One that is away holds up no other.
fn start_relays(sinks: &Arc<Sinks>) -> JoinSet<()> {
    let mut running = JoinSet::new();
    for relay in &sinks.relays {
        let (relay, sinks) = (Arc::clone(relay), Arc::clone(sinks));
        running.spawn(async move {
            if let Some(home) = sinks.home() {
                relay.run(home, &sinks.health).await;
            }
        });
    }
    running
}

/// What the last commits added; what cannot be relayed in time is relayed after the next start.
async fn relay_the_rest(sinks: &Sinks, time: Duration) {
    let Some(home) = sinks.home() else { return };
    for relay in &sinks.relays {
        let ended = tokio::time::timeout(time, relay.relay(home, &sinks.health)).await;
        if let Err(reason) = ended.unwrap_or_else(|_| Err(format!("there was no more time than {time:?}"))) {
            tracing::warn!("{}: they are in home, and not all there yet: {reason}", relay.part());
        }
    }
}
