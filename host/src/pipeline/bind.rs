//! Binding: a set of plugins and what sinks write, bound to one projection. At the start, and again for every set that is to serve.

use std::sync::Arc;

use wasmill_core::{EventTime, Projection, ProjectionBuilder};
use wasmill_engine::{Generation, Plugin};

use super::stores::{OpenStore, Rowed};
use crate::condition::Condition;
use crate::config::{Config, From, KafkaSinkConfig, Provenance, SinkKind, StdoutFormat};
use crate::encode::{Format, SinkEncoder};
use crate::http::DocumentEncoder;
use crate::kafka::sink::MessageEncoder;
use crate::lookups::Names;
use crate::output::Output;
use crate::process::{Lookups, Processor};
use crate::tap::Taps;
use crate::terminal::TextLines;

/// Most bytes of one alert as an event: the limits of what a plugin may say are far below.
const ALERT_BYTES_MAX: usize = 64 << 20;

/// What is bound with the plugins, the same for every set of them.
pub(super) struct Binder {
    event_time: EventTime,
    event_bytes_max: usize,
    format: wasmill_core::Format,
    /// Whether answers of look-ups are kept with the commit.
    records: bool,
    names: Arc<Names>,
    taps: Arc<Taps>,
    sinks: Vec<BoundSink>,
}

/// A sink as it is bound.
struct BoundSink {
    name: String,
    from: From,
    when: Option<String>,
    has_life: bool,
    writes: Writes,
}

/// What a sink writes.
enum Writes {
    Rows(Rowed),
    Messages { config: Box<KafkaSinkConfig>, limits: Vec<usize> },
    Documents { bytes_max: usize },
    Text,
    Lines,
    Nothing,
}

/// A set of plugins, bound.
pub(super) struct Bound {
    pub(super) processor: Processor,
    /// By sink index: what encodes what is sent of alerts that live.
    pub(super) of_lives: Vec<(usize, SinkEncoder)>,
}

impl Binder {
    /// For the sinks of `config`, whose databases are `stores` and whose other destinations `outputs`.
    pub(super) fn new(
        config: &Config,
        stores: &[OpenStore],
        outputs: &[(usize, Output)],
        names: Arc<Names>,
        taps: Arc<Taps>,
    ) -> Self {
        let sinks = config.sinks.iter().enumerate().map(|(index, sink)| BoundSink {
            name: sink.name.clone(),
            from: sink.from,
            when: sink.when.clone(),
            has_life: sink.life.is_some(),
            writes: match &sink.kind {
                SinkKind::Postgres { .. } | SinkKind::Sqlite { .. } => {
                    let rows = stores.iter().find_map(|store| store.rows(index));
                    Writes::Rows(rows.expect("every sink of a database has a store"))
                }
                SinkKind::Kafka(kafka) => {
                    let limits = outputs.iter().find_map(|(sink, output)| match output {
                        Output::Kafka(kafka) if *sink == index => Some(kafka.limits().to_vec()),
                        _ => None,
                    });
                    let limits = limits.expect("every sink of Kafka is connected");
                    Writes::Messages { config: Box::new(kafka.clone()), limits }
                }
                SinkKind::Http(http) => Writes::Documents { bytes_max: http.bytes_max },
                SinkKind::Stdout { format: StdoutFormat::Text } => Writes::Text,
                SinkKind::File { .. } | SinkKind::Stdout { .. } => Writes::Lines,
                SinkKind::Discard => Writes::Nothing,
            },
        });
        Self {
            event_time: config.event_time.clone(),
            event_bytes_max: config.batch.event_bytes_max,
            format: config.format,
            records: config.provenance == Provenance::Full,
            names,
            taps,
            sinks: sinks.collect(),
        }
    }

    /// What batches go through with these plugins, which are in their order. Called within the async runtime.
    ///
    /// # Errors
    /// A sentence: what is to be written does not suit where it is from, or nobody knows who answers look-ups.
    pub(super) fn bind(&self, plugins: Vec<Arc<Plugin>>) -> Result<Bound, String> {
        let mut events = ProjectionBuilder::new(self.event_time.clone(), self.event_bytes_max);
        events.format(self.format);
        let mut alerts = ProjectionBuilder::new(EventTime::Record, ALERT_BYTES_MAX);
        let generation = Generation::new(plugins, &mut events);
        let (mut encoders, mut of_lives) = (Vec::with_capacity(self.sinks.len()), Vec::new());
        for (index, sink) in self.sinks.iter().enumerate() {
            let projection = match sink.from {
                From::Alerts => &mut alerts,
                From::Events => &mut events,
                From::DeadLetters => {
                    encoders.push(SinkEncoder::of_letters(&sink.name));
                    continue;
                }
            };
            let encoder = sink.bind(projection).map_err(|reason| format!("sink {}: {reason}", sink.name))?;
            encoders.push(if sink.has_life {
                let wanted = SinkEncoder::of_lives(&sink.name, encoder.when);
                of_lives.push((index, SinkEncoder { when: None, ..encoder }));
                wanted
            } else {
                encoder
            });
        }
        let (events, alerts) = (events.build(), alerts.build());
        let lookups = self.lookups(&events)?;
        let taps = Arc::clone(&self.taps);
        Ok(Bound { processor: Processor { events, alerts, generation, lookups, encoders, taps }, of_lives })
    }

    /// What is looked up for plugins; `None` where none asks.
    fn lookups(&self, events: &Projection) -> Result<Option<Lookups>, String> {
        let columns = events.lookups();
        if columns.is_empty() {
            return Ok(None);
        }
        Ok(Some(Lookups { columns, reverse_dns: self.names.service()?, recorded: self.records }))
    }
}

impl BoundSink {
    fn bind(&self, projection: &mut ProjectionBuilder) -> Result<SinkEncoder, String> {
        let when = self.when.as_deref().map(|source| Condition::bind(source, projection)).transpose();
        let when = when.map_err(|error| error.to_string())?;
        let format = match &self.writes {
            Writes::Rows(rows) => rows.bind(projection).map_err(|error| error.to_string())?,
            Writes::Messages { config, limits } => {
                Format::Messages(MessageEncoder::bind(config, self.from, limits, projection))
            }
            Writes::Documents { bytes_max } => {
                Format::Documents(DocumentEncoder::bind(*bytes_max, self.from, projection))
            }
            Writes::Text => Format::Text(TextLines::of_stdout()),
            Writes::Lines => Format::Lines,
            Writes::Nothing => Format::Nothing,
        };
        Ok(SinkEncoder { name: self.name.as_str().into(), from: self.from, when, format })
    }
}
