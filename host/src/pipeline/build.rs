//! Config → build: plugins loaded, databases connected and checked, everything bound to one projection.

use std::sync::Arc;

use tokio::sync::Semaphore;
use wasmill_core::{EventTime, PluginRef, Projection, ProjectionBuilder};
use wasmill_engine::Generation;

use super::SetupError;
use super::plugins::{LoadedFile, load_plugins};
use super::stores::{self, OpenStore};
use crate::breaker::Breaker;
use crate::condition::Condition;
use crate::config::{
    Config, From, KafkaOutput, LifeConfig, Provenance, RetryConfig, SinkConfig, SinkKind, StdoutFormat,
};
use crate::encode::{Format, SinkEncoder};
use crate::engine_threads::EngineThreads;
use crate::guarantee;
use crate::health::Health;
use crate::http::{DocumentEncoder, HttpSink};
use crate::kafka::sink::{KafkaSink, MessageEncoder};
use crate::life::Life;
use crate::lines::LineSink;
use crate::lookups::ReverseDns;
use crate::output::Output;
use crate::process::{EngineWorker, Lookups, Processor};
use crate::relay::Relay;
use crate::report::Tally;
use crate::sinks::{SinkOutput, Sinks, StoreSinks};
use crate::states;
use crate::status::Status;
use crate::terminal::TextLines;

/// Most bytes of one alert as an event: the limits of what a plugin may say are far below.
const ALERT_BYTES_MAX: usize = 64 << 20;

/// A pipeline that is ready to receive.
pub struct Built {
    /// What every batch goes through.
    pub processor: Arc<Processor>,
    /// Where plugins run.
    pub engine: EngineThreads<EngineWorker>,
    /// Where everything goes.
    pub sinks: Arc<Sinks>,
    /// What the run shows of itself.
    pub status: Arc<Status>,
}

/// Builds everything but the source. A database that is away is waited for; what is set up wrongly is an error.
pub(super) async fn build(config: &Config) -> Result<Built, SetupError> {
    let plugins = load_plugins(config).await?;
    let stores = stores::open(config).await?;
    if config.provenance != Provenance::Off {
        archive(&stores, &plugins).await?;
    }

    let mut events = ProjectionBuilder::new(config.event_time.clone(), config.batch.event_bytes_max);
    events.format(config.format);
    let mut alerts = ProjectionBuilder::new(EventTime::Record, ALERT_BYTES_MAX);
    let generation = Generation::new(plugins.iter().map(|(plugin, _)| Arc::clone(plugin)).collect(), &mut events);
    if let Some(home) = stores.iter().find(|store| store.is_home) {
        states::prepare(&home.store, &generation).await?;
    }
    let outputs = outputs(config).await?;
    let Encoders { encoders, of_lives } = encoders(config, &stores, &outputs, &mut events, &mut alerts)?;
    let alerts = alerts.build();
    let plugin_refs: Vec<&PluginRef> = plugins.iter().map(|(plugin, _)| &**plugin.reference()).collect();
    let tally = Arc::new(Tally::new(config.name.clone(), guarantee::names(config), &plugin_refs));
    let health = Arc::new(Health::default());
    for sink in &config.sinks {
        health.green(&format!("sink {}", sink.name));
    }
    let new_life = |(index, life, encoder): (usize, LifeConfig, SinkEncoder)| {
        (index, Arc::new(Life::new(life, config.retry, encoder, Arc::clone(&alerts), generation.id())))
    };
    let lives: Vec<(usize, Arc<Life>)> = of_lives.into_iter().map(new_life).collect();
    let all_lives = lives.iter().map(|(_, life)| Arc::clone(life)).collect();
    let sinks = sinks(config, stores, outputs, lives, Arc::clone(&health), Arc::clone(&tally)).await?;
    let events = events.build();
    let lookups = lookups(config, &events, &health)?;
    let names = lookups.as_ref().map(|lookups| Arc::clone(&lookups.reverse_dns));
    let processor = Processor { events, alerts, generation, lookups, encoders };
    let engine = EngineThreads::start(config.engine.threads, EngineWorker::default)
        .map_err(|error| SetupError::Wrong(format!("cannot start the engine's threads: {error}")))?;
    Ok(Built {
        processor: Arc::new(processor),
        engine,
        sinks: Arc::new(sinks),
        status: Arc::new(Status::new(crate::config::redacted(config), tally, health, names, all_lives)),
    })
}

/// What is looked up for plugins; `None` where none asks.
fn lookups(config: &Config, events: &Projection, health: &Arc<Health>) -> Result<Option<Lookups>, SetupError> {
    let columns = events.lookups();
    if columns.is_empty() {
        return Ok(None);
    }
    let reverse_dns = ReverseDns::new(&config.reverse_dns, Arc::clone(health)).map_err(SetupError::Wrong)?;
    let recorded = config.provenance == Provenance::Full;
    Ok(Some(Lookups { columns, reverse_dns: Arc::new(reverse_dns), recorded }))
}

/// Keeps the files of the plugins in home, so that any row can be derived again.
async fn archive(stores: &[OpenStore], plugins: &[LoadedFile]) -> Result<(), SetupError> {
    let Some(home) = stores.iter().find(|store| store.is_home) else { return Ok(()) };
    for (plugin, file) in plugins {
        let reference = plugin.reference();
        home.store.archive_plugin(&reference.digest, &reference.name, &reference.version, file).await?;
    }
    Ok(())
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

/// By sink index: what encodes its rows; and what encodes what is sent of alerts that live.
struct Encoders {
    encoders: Vec<SinkEncoder>,
    of_lives: Vec<(usize, LifeConfig, SinkEncoder)>,
}

fn encoders(
    config: &Config,
    stores: &[OpenStore],
    outputs: &[(usize, Output)],
    events: &mut ProjectionBuilder,
    alerts: &mut ProjectionBuilder,
) -> Result<Encoders, SetupError> {
    let mut encoders = Vec::with_capacity(config.sinks.len());
    let mut of_lives = Vec::new();
    for (index, sink) in config.sinks.iter().enumerate() {
        let projection = match sink.from {
            From::Alerts => &mut *alerts,
            From::Events => &mut *events,
            From::DeadLetters => {
                encoders.push(SinkEncoder::of_letters(&sink.name));
                continue;
            }
        };
        let wrong = |error: &dyn std::fmt::Display| SetupError::Wrong(format!("sink {}: {error}", sink.name));
        let when = sink.when.as_deref().map(|source| Condition::bind(source, projection)).transpose();
        let when = when.map_err(|error| wrong(&error))?;
        let format = match &sink.kind {
            SinkKind::Postgres { .. } | SinkKind::Sqlite { .. } => {
                let format = stores.iter().find_map(|store| store.format(index, projection));
                format.expect("every sink of a database has a store").map_err(|error| wrong(&error))?
            }
            SinkKind::Kafka(settings) => {
                let limits = outputs.iter().find_map(|(sink, output)| match output {
                    Output::Kafka(kafka) if *sink == index => Some(kafka.limits()),
                    _ => None,
                });
                let limits = limits.expect("every sink of Kafka is connected");
                Format::Messages(MessageEncoder::bind(settings, sink.from, limits, projection))
            }
            SinkKind::Http(settings) => {
                Format::Documents(DocumentEncoder::bind(settings.bytes_max, sink.from, projection))
            }
            SinkKind::Stdout { format: StdoutFormat::Text } => Format::Text(TextLines::of_stdout()),
            SinkKind::File { .. } | SinkKind::Stdout { .. } => Format::Lines,
            SinkKind::Discard => Format::Nothing,
        };
        let encoder = SinkEncoder { name: sink.name.as_str().into(), from: sink.from, when, format };
        encoders.push(match sink.life {
            None => encoder,
            Some(life) => {
                let wanted = SinkEncoder::of_lives(&sink.name, encoder.when);
                of_lives.push((index, life, SinkEncoder { when: None, ..encoder }));
                wanted
            }
        });
    }
    Ok(Encoders { encoders, of_lives })
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
