//! Config → build: plugins loaded, databases connected and checked, everything bound to one projection.

use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmill_engine::Generation;

use super::SetupError;
use super::bind::{Binder, Bound};
use super::plugins::{LoadedFile, Loader};
use super::stores::{self, OpenStore};
use super::swap::Swap;
use crate::breaker::Breaker;
use crate::config::{Config, From, KafkaOutput, Provenance, RetryConfig, SinkConfig, SinkKind, StdoutFormat};
use crate::encode::SinkEncoder;
use crate::engine_threads::EngineThreads;
use crate::guarantee;
use crate::health::Health;
use crate::history::ServedPlugin;
use crate::http::HttpSink;
use crate::kafka::sink::KafkaSink;
use crate::life::Life;
use crate::lines::LineSink;
use crate::lookups::Names;
use crate::output::Output;
use crate::process::{EngineWorker, Processor};
use crate::relay::Relay;
use crate::report::Tally;
use crate::serving::Serving;
use crate::sinks::{SinkOutput, Sinks, StoreSinks};
use crate::states;
use crate::status::Status;
use crate::store::{Store, StoreError};
use crate::tap::Taps;
use crate::terminal::TextLines;

/// A pipeline that is ready to receive.
pub struct Built {
    /// What every batch goes through.
    pub serving: Arc<Serving>,
    /// Where plugins run.
    pub engine: EngineThreads<EngineWorker>,
    /// Where everything goes.
    pub sinks: Arc<Sinks>,
    /// What the run shows of itself.
    pub status: Arc<Status>,
    /// What follows the plugin directory, where there is one.
    pub(super) swap: Option<Swap>,
}

/// Builds everything but the source. A database that is away is waited for; what is set up wrongly is an error.
pub(super) async fn build(config: &Config) -> Result<Built, SetupError> {
    let health = Arc::new(Health::default());
    let loaded = match Loader::new(config)? {
        Some(loader) => Some(loader.begin(&health).await?),
        None => None,
    };
    let files: &[LoadedFile] = loaded.as_ref().map_or(&[], |(_, loaded)| &loaded.files);
    let Assembled { processor, binder, names, lives, sinks, tally, taps } = assemble(config, files, &health).await?;
    if let Some(home) = sinks.home() {
        states::prepare(home, &processor.generation, &[]).await?;
        note(home, &processor.generation).await?;
    }
    if let Some((loader, loaded)) = &loaded {
        loaded.refused.iter().for_each(|refusal| tally.refuse(&refusal.causes));
        loader.keep_good(&loaded.files).await;
    }
    for sink in &config.sinks {
        health.green(&format!("sink {}", sink.name));
    }
    let engine = start_engine(config.engine.threads)?;
    let serving = Arc::new(Serving::new(Arc::new(processor)));
    let status = Status::new(crate::config::redacted(config), tally, health, names, Arc::clone(&serving), lives, taps);
    let swap = loaded.map(|(loader, loaded)| Swap {
        loader,
        binder,
        serving: Arc::clone(&serving),
        sinks: Arc::clone(&sinks),
        breakers: Arc::clone(&status.breakers),
        archived: loaded.files.iter().map(|file| file.plugin.reference().digest).collect(),
        archives: config.provenance != Provenance::Off,
        retry: config.retry,
        loaded,
    });
    Ok(Built { serving, engine, sinks, status: Arc::new(status), swap })
}

/// Starts the threads that run plugins.
pub(super) fn start_engine(threads: usize) -> Result<EngineThreads<EngineWorker>, SetupError> {
    let started = EngineThreads::start(threads, EngineWorker::default);
    started.map_err(|error| SetupError::Wrong(format!("cannot start the engine's threads: {error}")))
}

/// Plugins bound, and sinks connected.
pub(super) struct Assembled {
    pub(super) processor: Processor,
    pub(super) binder: Binder,
    pub(super) names: Arc<Names>,
    pub(super) lives: Vec<Arc<Life>>,
    pub(super) sinks: Arc<Sinks>,
    pub(super) tally: Arc<Tally>,
    pub(super) taps: Arc<Taps>,
}

/// Opens the databases and connects everything else that is written to, for these plugins, whose files home keeps.
pub(super) async fn assemble(
    config: &Config,
    files: &[LoadedFile],
    health: &Arc<Health>,
) -> Result<Assembled, SetupError> {
    let stores = stores::open(config).await?;
    if config.provenance != Provenance::Off
        && let Some(home) = stores.iter().find(|store| store.is_home)
    {
        archive(&home.store, files.iter()).await?;
    }
    let outputs = outputs(config).await?;
    let names = Arc::new(Names::new(config.reverse_dns.clone(), Arc::clone(health)));
    let tap = config.admin.as_ref().and_then(|pages| pages.tap.clone());
    let taps = Arc::new(Taps::new(tap, config.format, config.batch.event_bytes_max));
    let binder = Binder::new(config, &stores, &outputs, Arc::clone(&names), Arc::clone(&taps));
    let plugins = files.iter().map(|file| Arc::clone(&file.plugin)).collect();
    let Bound { processor, of_lives } = binder.bind(plugins).map_err(SetupError::Wrong)?;
    let tally = Arc::new(Tally::new(config.name.clone(), guarantee::names(config)));
    tally.serve(processor.generation.plugins());
    let generation = processor.generation.id();
    let new_life = |(index, encoder): (usize, SinkEncoder)| {
        let life = config.sinks[index].life?;
        Some((index, Arc::new(Life::new(life, config.retry, encoder, Arc::clone(&processor.alerts), generation))))
    };
    let of_sinks: Vec<(usize, Arc<Life>)> = of_lives.into_iter().filter_map(new_life).collect();
    let lives = of_sinks.iter().map(|(_, life)| Arc::clone(life)).collect();
    let sinks = sinks(config, stores, outputs, of_sinks, Arc::clone(health), Arc::clone(&tally)).await?;
    Ok(Assembled { processor, binder, names, lives, sinks: Arc::new(sinks), tally, taps })
}

/// Keeps the files of plugins in home, so that any row can be derived again.
pub(super) async fn archive(home: &Store, plugins: impl Iterator<Item = &LoadedFile>) -> Result<(), StoreError> {
    for LoadedFile { plugin, bytes, .. } in plugins {
        let reference = plugin.reference();
        home.archive_plugin(&reference.digest, &reference.name, &reference.version, bytes).await?;
    }
    Ok(())
}

/// Notes in home which plugins serve from now on.
pub(super) async fn note(home: &Store, generation: &Generation) -> Result<(), StoreError> {
    let plugins: Vec<ServedPlugin> = generation.plugins().iter().map(|plugin| ServedPlugin::of(plugin)).collect();
    home.note_generation(&generation.id(), &plugins).await
}

/// Opens what is no database, by sink index.
async fn outputs(config: &Config) -> Result<Vec<(usize, Output)>, SetupError> {
    let mut outputs = Vec::new();
    for (index, sink) in config.sinks.iter().enumerate() {
        let opened = output(config, sink).await;
        let opened = opened.map_err(|reason| SetupError::Wrong(format!("sink {}: {reason}", sink.name)))?;
        outputs.extend(opened.map(|output| (index, output)));
    }
    Ok(outputs)
}

async fn output(config: &Config, sink: &SinkConfig) -> Result<Option<Output>, String> {
    let retry = config.retry;
    Ok(Some(match &sink.kind {
        SinkKind::Kafka(kafka) => Output::Kafka(connected(&kafka.output, retry).await?),
        SinkKind::Http(http) => {
            let made = HttpSink::new(&sink.name, sink.from, http, retry);
            Output::Http(Box::new(made.map_err(|error| error.to_string())?))
        }
        SinkKind::File { path } => Output::lines(LineSink::file(path).await?, retry),
        SinkKind::Stdout { format: StdoutFormat::Json } => Output::lines(LineSink::stdout(), retry),
        SinkKind::Stdout { format: StdoutFormat::Text } => Output::text(TextLines::of_stdout(), retry),
        SinkKind::Postgres { .. } | SinkKind::Sqlite { .. } | SinkKind::Discard => return Ok(None),
    }))
}

async fn connected(output: &KafkaOutput, retry: RetryConfig) -> Result<KafkaSink, String> {
    KafkaSink::connect(output, retry).await.map_err(|error| error.to_string())
}

async fn sinks(
    config: &Config,
    stores: Vec<OpenStore>,
    outputs: Vec<(usize, Output)>,
    lives: Vec<(usize, Arc<Life>)>,
    health: Arc<Health>,
    tally: Arc<Tally>,
) -> Result<Sinks, SetupError> {
    let home = stores.iter().position(|store| store.is_home);
    let (of_letters, outputs): (Vec<_>, Vec<_>) =
        outputs.into_iter().partition(|(index, _)| config.sinks[*index].from == From::DeadLetters);
    let mut relays = relays(config).await?;
    for (index, output) in of_letters {
        relays.push(Arc::new(Relay::sink(index, &config.sinks[index], output, Arc::clone(&tally))?));
    }
    let store_sinks = |OpenStore { store, sinks, .. }| StoreSinks { store, sinks, breaker: Breaker::new(config.retry) };
    let writers = stores.iter().map(|store| store.writers).min().unwrap_or(config.engine.threads.max(1));
    if let Some(home) = home {
        for (_, life) in &lives {
            life.restore(&stores[home].store).await?;
        }
    }
    let sink_output = |(sink, to): (usize, Output)| {
        let life = lives.iter().find(|(of, _)| *of == sink).map(|(_, life)| Arc::clone(life));
        SinkOutput { sink, to, life }
    };
    Ok(Sinks {
        names: config.sinks.iter().map(|sink| Arc::from(sink.name.as_str())).collect(),
        stores: stores.into_iter().map(store_sinks).collect(),
        home,
        outputs: outputs.into_iter().map(sink_output).collect(),
        relays,
        writers: Semaphore::new(writers),
        health,
        tally,
    })
}

async fn relays(config: &Config) -> Result<Vec<Arc<Relay>>, SetupError> {
    let wrong = |reason: String| SetupError::Wrong(format!("dead letters: {reason}"));
    let mut relays = Vec::new();
    if let Some(path) = &config.dead_letters.file {
        let file = LineSink::file(path).await.map_err(wrong)?;
        relays.push(Arc::new(Relay::new("file", Output::lines(file, config.retry))));
    }
    if let Some(output) = &config.dead_letters.kafka {
        let connected = connected(output, config.retry).await.map_err(wrong)?;
        relays.push(Arc::new(Relay::new("kafka", Output::Kafka(connected))));
    }
    Ok(relays)
}
