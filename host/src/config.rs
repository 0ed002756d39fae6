//! What a pipeline is, once its YAML file has been parsed, checked and resolved. Nothing here is connected yet.

mod admin;
mod check;
mod compiled;
mod environment;
mod fixture;
mod identifier;
mod load;
mod mistake;
mod place;
pub mod plugins;
mod producer;
mod raw;
mod read;
mod redact;
mod reference;
mod resolve;
mod reverse_dns;
mod scalar;
mod schema;
mod secret;
mod table;
mod topics;
mod tree;
mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmill_core::{EventTime, Format, Path};
use wasmill_engine::{Ceilings, CompileLimits};

use crate::http::SigningKey;

pub use admin::{ADMIN_DEFAULT, AdminConfig, TapConfig};
pub use compiled::compiled_folder;
pub use environment::{Environment, FILLED_BYTES_MAX};
pub use fixture::Fixture;
pub use identifier::{Identifier, IdentifierError, TableName, quoted_name};
pub(crate) use mistake::nearest;
pub use mistake::{MISTAKES_MAX, Mistake, Mistakes};
pub use producer::{Mechanism, Partitioner, Pem, ProducerConfig, SaslConfig, TlsConfig, WrongOption};
pub use redact::redacted;
pub use reference::reference;
pub use resolve::{COLUMNS_MAX, SINKS_MAX, TOPICS_MAX};
pub use reverse_dns::{AddressRange, PrivateAddresses, ReverseDnsConfig};
pub use schema::json_schema;
pub use secret::Secret;
pub use table::{ColumnConfig, ColumnType, OnDuplicate, TableConfig, ValueFrom};
pub use topics::{TopicPattern, Topics};
pub use tree::{DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX};
pub(crate) use units::{duration as parse_duration, duration_text};

/// A whole pipeline.
#[derive(Clone, Debug)]
pub struct Config {
    /// The pipeline's name: the first part of every ledger key.
    pub name: String,
    /// Where events come from.
    pub source: SourceConfig,
    /// What its events are.
    pub format: Format,
    /// How an event's time is found.
    pub event_time: EventTime,
    /// The plugin directory; `None`: events pass through.
    pub plugins: Option<PathBuf>,
    /// Names of plugins without which the others do not serve.
    pub required_plugins: Vec<String>,
    /// How batches are cut.
    pub batch: BatchConfig,
    /// Where events and alerts go, in the file's order; at least one.
    pub sinks: Vec<SinkConfig>,
    /// The one place that decides where a lane is.
    pub home: HomeConfig,
    /// Where dead letters go besides home.
    pub dead_letters: DeadLetterConfig,
    /// How long home keeps what nothing depends on.
    pub retention: RetentionConfig,
    /// When the pipeline counts as ill.
    pub health: HealthConfig,
    /// How plugins are loaded and run.
    pub engine: EngineConfig,
    /// Where names of addresses come from, for plugins that are granted `reverse-dns`.
    pub reverse_dns: ReverseDnsConfig,
    /// How often and how long a failing sink is tried again.
    pub retry: RetryConfig,
    /// The admin pages; `None`: no HTTP.
    pub admin: Option<AdminConfig>,
    /// What each commit records.
    pub provenance: Provenance,
    /// How long a stop may take before work in flight is abandoned (it is done again after the next start).
    pub shutdown_timeout: Duration,
    /// SHA-256 of the file after the environment was filled in, without secrets: part of each commit's facts.
    pub digest: wasmill_core::Digest,
}

impl Config {
    /// Whether dead letters go anywhere but home.
    pub fn relays_letters(&self) -> bool {
        !self.dead_letters.is_none() || self.sinks.iter().any(|sink| sink.from == From::DeadLetters)
    }
}

/// Where events come from.
#[derive(Clone, Debug)]
pub enum SourceConfig {
    /// Topics of a Kafka cluster, as a member of a consumer group.
    Kafka(KafkaConfig),
    /// Lines on standard input.
    Stdin,
    /// Lines of a file.
    File {
        /// Its path.
        path: PathBuf,
    },
}

/// A Kafka source.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// `host:port`, joined by commas.
    pub brokers: String,
    /// Topics to read; at least one.
    pub topics: Topics,
    /// The consumer group.
    pub group: String,
    /// Static membership: the same id comes back without a rebalance.
    pub group_instance_id: Option<String>,
    /// Where to begin a partition that the ledger does not know.
    pub from: Start,
    /// Prefetched bytes over all partitions.
    pub fetch_bytes_max: usize,
    /// Further librdkafka settings (TLS, SASL, timeouts), passed through. Values may be secrets.
    pub options: BTreeMap<String, Secret>,
}

/// Where to begin a partition that the ledger does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the oldest event that is still there.
    Earliest,
    /// With what comes from now on.
    Latest,
    /// At the group's committed offset; the earliest where there is none.
    Committed,
    /// At the first event not before this time, milliseconds since 1970.
    Timestamp(i64),
}

/// How batches are cut: at whichever limit is reached first. A batch is held back to be filled only for `linger`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchConfig {
    /// Most events of a batch.
    pub events_max: usize,
    /// Most bytes of a batch (one larger event makes a batch of its own).
    pub bytes_max: usize,
    /// Most bytes of an event's payload; a larger one is rejected (`too_large`).
    pub event_bytes_max: usize,
    /// How long a Kafka partition's events wait for more.
    pub linger: Duration,
}

/// What a sink gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The events that passed.
    #[default]
    Events,
    /// The alerts, each as a JSON object.
    Alerts,
    /// The dead letters, relayed from home.
    DeadLetters,
}

/// One sink.
#[derive(Clone, Debug)]
pub struct SinkConfig {
    /// Its key in the file.
    pub name: String,
    /// What it gets.
    pub from: From,
    /// Only what this expression is true for.
    pub when: Option<String>,
    /// How its alerts live; `None`: each is sent.
    pub life: Option<LifeConfig>,
    /// What it is.
    pub kind: SinkKind,
}

/// How alerts live at a sink, by processing time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifeConfig {
    /// Silence after which an alert is resolved.
    pub resolved_after: Duration,
    /// How often one that goes on is told again.
    pub repeat_every: Option<Duration>,
    /// Most that are open.
    pub open_max: usize,
}

/// What a sink is.
#[derive(Clone, Debug)]
pub enum SinkKind {
    /// A table of TimescaleDB (`hypertable`) or plain PostgreSQL.
    Postgres {
        /// The database's address, with its password.
        url: Secret,
        /// Whether `create` makes a hypertable.
        hypertable: bool,
        /// The table.
        table: TableConfig,
        /// Connections that write at the same time.
        writers: usize,
    },
    /// A table of an SQLite database.
    Sqlite {
        /// The database's file.
        path: PathBuf,
        /// The table.
        table: TableConfig,
    },
    /// Topics of a Kafka cluster.
    Kafka(KafkaSinkConfig),
    /// A webhook.
    Http(HttpConfig),
    /// JSON lines appended to a file.
    File {
        /// Its path.
        path: PathBuf,
    },
    /// Lines on standard output.
    Stdout {
        /// How they are written.
        format: StdoutFormat,
    },
    /// Nowhere: for measurements.
    Discard,
}

/// Where and how messages are written to Kafka.
#[derive(Clone, Debug)]
pub struct KafkaOutput {
    /// `host:port`, joined by commas.
    pub brokers: String,
    /// The topics that may be written to; at least one.
    pub topics: Vec<String>,
    /// How batches are compressed.
    pub compression: Compression,
    /// Further settings (TLS, SASL, ...), by librdkafka's names. Values may be secrets.
    pub options: BTreeMap<String, Secret>,
    /// What all that is to the producer.
    pub producer: Arc<ProducerConfig>,
}

impl KafkaOutput {
    /// An output whose topics are known to be sound.
    ///
    /// # Errors
    /// A setting that the producer does not take.
    pub fn new(
        brokers: String,
        topics: Vec<String>,
        compression: Compression,
        options: BTreeMap<String, Secret>,
    ) -> Result<Self, WrongOption> {
        let producer = Arc::new(ProducerConfig::new(&brokers, compression, &options)?);
        Ok(Self { brokers, topics, compression, options, producer })
    }
}

/// A Kafka sink.
#[derive(Clone, Debug)]
pub struct KafkaSinkConfig {
    /// Where it writes.
    pub output: KafkaOutput,
    /// Which of its topics an event goes to.
    pub topic: TopicConfig,
    /// The messages' key: a field; `None`: the event's own.
    pub key: Option<Path>,
}

/// How an event's topic is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicConfig {
    /// There is one.
    Fixed,
    /// Parts that are joined; what comes of it must be one of the topics.
    Template(Vec<TopicPart>),
}

/// A part of a topic's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicPart {
    /// As it is written.
    Text(String),
    /// The value of a field: text or a number.
    Field(Path),
}

/// How batches of messages are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "Kafka's own names")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    #[default]
    Lz4,
    Zstd,
}

impl Compression {
    /// As librdkafka calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// A webhook.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where requests go; path and query may be secrets.
    pub url: Secret,
    /// Further headers of each request. Values may be secrets.
    pub headers: Vec<(String, Secret)>,
    /// What requests are signed with.
    pub secret: Option<SigningKey>,
    /// How long a receiver may take to answer.
    pub timeout: Duration,
    /// How events become bodies.
    pub format: HttpFormat,
    /// Most events of a request.
    pub events_max: usize,
    /// Most bytes of a body, and of an event.
    pub bytes_max: usize,
    /// Most attempts of a request; `None`: for ever.
    pub attempts_max: Option<u32>,
}

/// How lines are written on standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StdoutFormat {
    /// As JSON, for programs.
    #[default]
    Json,
    /// For people: alerts and dead letters, in colour on a terminal unless `NO_COLOR` is set.
    Text,
}

/// How events become the bodies of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HttpFormat {
    /// One event per request, as a JSON object.
    #[default]
    Single,
    /// A JSON array.
    Array,
    /// JSON lines.
    Lines,
}

/// The one place that decides where a lane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HomeConfig {
    /// The database of this sink (its index).
    Sink(usize),
    /// An SQLite database of its own.
    Sqlite(PathBuf),
    /// None: the group's committed offset is the position, and delivery is at least once.
    None,
}

/// Where dead letters go besides home's table `wasmill_dead_letters`.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterConfig {
    /// JSON lines appended to this file, relayed from home.
    pub file: Option<PathBuf>,
    /// Messages to a topic, relayed from home.
    pub kafka: Option<KafkaOutput>,
}

impl DeadLetterConfig {
    /// Whether they go nowhere but home.
    pub fn is_none(&self) -> bool {
        self.file.is_none() && self.kafka.is_none()
    }
}

/// When the pipeline counts as ill.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HealthConfig {
    /// The most dead letters for each event of the last minute.
    pub error_rate_max: Option<f64>,
    /// The most events between what was read and the end of the partitions.
    pub lag_max: Option<u64>,
}

/// How long home keeps what nothing depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionConfig {
    /// Days that dead letters stay.
    pub dead_letters_days: u16,
    /// Days that commit records stay.
    pub commits_days: u16,
}

/// How plugins are loaded and run.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Threads that run plugins; by default one per processor.
    pub threads: usize,
    /// Where compiled plugins are kept.
    pub cache_dir: PathBuf,
    /// What compiling one plugin may use.
    pub compile: CompileLimits,
    /// The most that limits of plugins may be.
    pub ceilings: Ceilings,
}

/// How often and how long a failing sink is tried again: for ever, with jittered exponential backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// The first wait.
    pub initial: Duration,
    /// The longest wait.
    pub max: Duration,
}

/// What each commit records in a SQL home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Nothing.
    Off,
    /// Offsets, generation, config digest, engine version; plugin files by digest.
    #[default]
    Digest,
    /// That and look-up answers.
    Full,
}
