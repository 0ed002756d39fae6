//! What may be written in a pipeline's YAML file. From these types come the JSON Schema, the checks and the reference in
//! `docs/configuration.md`; what the words mean together is decided in `resolve`.

mod admin;
mod http;
mod lookups;
mod sinks;
mod source;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use wasmill_engine::{Ceilings, CompileLimits};

use super::Provenance;
use super::read::Ordered;

pub(super) use admin::{RawAdmin, RawTap, RawTapSettings};
pub(super) use http::RawHttp;
pub(super) use lookups::{RawLookups, RawReverseDns};
pub(super) use sinks::{RawKafkaLetters, RawKafkaSink, RawLife, RawSink, RawTable};
pub(super) use source::{RawKafka, RawSource};

/// A wasmill pipeline: where events come from, which plugins they pass, where they go. Inside values `${NAME}` and
/// `${NAME:-default}` are filled in from the environment, `${file:PATH}` from a file; `$$` is a dollar sign.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wasmill pipeline")]
pub(super) struct RawPipeline {
    /// The pipeline's name, 1 to 40 of `a-z`, `0-9`, `_` and `-`. It is part of every ledger key: another name begins anew.
    pub(super) name: String,
    /// Where events come from.
    pub(super) source: RawSource,
    /// The plugin directory: files `NN-name.wasm` with `NN-name.yaml` beside them. Without it events pass through. A relative
    /// path, here and everywhere, begins at the file's own folder.
    #[serde(default)]
    pub(super) plugins: Option<String>,
    /// Names of plugins, as they call themselves, without which nothing begins, and a changed directory does not serve.
    #[serde(default)]
    pub(super) required_plugins: Vec<String>,
    /// How batches are cut: at whichever limit is reached first. A batch is never held back to be filled.
    #[serde(default)]
    pub(super) batch: RawBatch,
    /// Where events and alerts go, by name: 1 to 40 of `a-z`, `0-9`, `_` and `-`. The first one with a SQL database is home.
    #[schemars(extend("minProperties" = 1))]
    pub(super) sinks: Ordered<RawSink>,
    /// The one place that decides how far the pipeline is: the name of a SQL sink (the first one by default), or an SQLite
    /// database of its own where no sink is SQL. Without a home delivery is at least once.
    #[serde(default)]
    pub(super) home: Option<RawHome>,
    /// Where rejected events go besides home's table `wasmill_dead_letters`.
    #[serde(default)]
    pub(super) dead_letters: Option<RawDeadLetters>,
    /// How long home keeps what nothing depends on.
    #[serde(default)]
    pub(super) retention: RawRetention,
    /// When `/health/ready` answers 503 though everything can be reached.
    #[serde(default)]
    pub(super) health: RawHealth,
    /// How plugins are loaded and run.
    #[serde(default)]
    pub(super) engine: RawEngine,
    /// What the host finds out for plugins before they run.
    #[serde(default)]
    pub(super) lookups: RawLookups,
    /// How a failing sink is tried again: for ever, with jittered exponential backoff.
    #[serde(default)]
    pub(super) retry: RawRetry,
    /// The address of the HTTP pages `/health`, `/stats`, `/metrics`, `/config` and `/tap`, or `false` for none.
    #[serde(default)]
    #[schemars(extend("default" = super::ADMIN_DEFAULT))]
    pub(super) admin: Option<RawAdmin>,
    /// What each commit records in a SQL home, so that stored rows can be proved.
    #[serde(default)]
    #[schemars(extend("default" = "digest"))]
    pub(super) provenance: Provenance,
    /// How long a stop may take before work in flight is abandoned; it is done again after the next start. At most 10m.
    #[serde(default = "shutdown_timeout")]
    #[schemars(schema_with = "duration_schema", extend("default" = "30s"))]
    pub(super) shutdown_timeout: String,
}

/// How batches are cut.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawBatch {
    /// Most events of a batch.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) events_max: u64,
    /// Most bytes of a batch's keys and payloads, 1KiB to 64MiB; one larger event makes a batch of its own.
    #[serde(deserialize_with = "scalar_text")]
    #[schemars(schema_with = "size_schema")]
    pub(super) bytes_max: String,
    /// Most bytes of an event's payload, 1KiB to 16MiB; a larger one is rejected with the code `too_large`.
    #[serde(deserialize_with = "scalar_text")]
    #[schemars(schema_with = "size_schema")]
    pub(super) event_bytes_max: String,
    /// How long events of a Kafka partition wait until `events_max` of them are there, at most 1m. By default a batch takes what is
    /// there: a quiet stream is stored at once, and a busy one fills its batches anyway.
    #[schemars(schema_with = "duration_schema")]
    pub(super) linger: String,
}

impl Default for RawBatch {
    fn default() -> Self {
        Self {
            events_max: 2_000,
            bytes_max: "4MiB".to_owned(),
            event_bytes_max: "1MiB".to_owned(),
            linger: "0ms".to_owned(),
        }
    }
}

/// A home: a sink's name or a database of its own.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum RawHome {
    /// The name of a SQL sink.
    Sink(String),
    /// A database of its own.
    Own(RawOwnHome),
}

/// A home that is no sink.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOwnHome {
    /// An SQLite database.
    pub(super) sqlite: RawFile,
}

/// Where rejected events go: a file, a topic, or both.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct RawDeadLetters {
    /// JSON lines appended to a file.
    pub(super) file: Option<RawFile>,
    /// Messages with the original key, value and headers, and behind them headers that say what happened.
    pub(super) kafka: Option<RawKafkaLetters>,
}

/// How long home keeps what nothing depends on. It is deleted hourly, in small parts beside the data.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRetention {
    /// Days that dead letters stay in `wasmill_dead_letters`. Those that a destination of `dead_letters` does not have yet stay longer.
    #[schemars(range(min = 1, max = 36_500))]
    pub(super) dead_letters_days: u64,
    /// Days that `wasmill_commits` says which code made which rows, counted from the last row. Rows that are older than that
    /// can no longer be proved.
    #[schemars(range(min = 1, max = 36_500))]
    pub(super) commits_days: u64,
}

impl Default for RawRetention {
    fn default() -> Self {
        Self { dead_letters_days: 30, commits_days: 400 }
    }
}

/// When `/health/ready` answers 503 though everything can be reached.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawHealth {
    /// The most dead letters for each event of the last minute, 0 to 1, once there were 100 events; such as `0.05`.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) error_rate_max: Option<f64>,
    /// The most events that may wait in the source's partitions.
    pub(super) lag_max: Option<u64>,
}

/// A file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFile {
    /// Its path.
    pub(super) path: String,
}

/// Nothing to set.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawNothing {}

/// How plugins are loaded and run.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawEngine {
    /// Threads that run plugins; by default one per processor.
    #[schemars(range(min = 1, max = 256))]
    pub(super) threads: Option<u64>,
    /// Where compiled plugins are kept; by default `wasmill/compiled` in the user's cache folder. What is there is trusted code:
    /// nobody else may be able to write to it. It holds 4 GiB and 1024 plugins at most: what was used longest ago goes.
    pub(super) cache_dir: Option<String>,
    /// What compiling one plugin may use. It is compiled in a process of its own.
    pub(super) compile: CompileLimits,
    /// The most that the file beside a plugin may set each of its `limits` to. A default that is higher is lowered to it.
    pub(super) ceilings: Ceilings,
}

/// How a failing sink is tried again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawRetry {
    /// The first wait, 10ms to 1m.
    #[schemars(schema_with = "duration_schema")]
    pub(super) initial: String,
    /// The longest wait, at most 1h.
    #[schemars(schema_with = "duration_schema")]
    pub(super) max: String,
}

impl Default for RawRetry {
    fn default() -> Self {
        Self { initial: "250ms".to_owned(), max: "30s".to_owned() }
    }
}

/// A librdkafka setting: any scalar, kept as text, and never shown.
#[derive(Deserialize, Serialize)]
pub(super) struct Passthrough(#[serde(deserialize_with = "scalar_text")] pub(super) String);

impl JsonSchema for Passthrough {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": ["string", "integer", "number", "boolean"], "writeOnly": true })
    }
}

fn shutdown_timeout() -> String {
    "30s".to_owned()
}

/// A duration with its unit.
pub(super) fn duration_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": "string", "pattern": "^\\s*[0-9]+\\s*(ms|s|m|h)\\s*$" })
}

/// A number of bytes, or text with a unit.
pub(super) fn size_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({
        "type": ["integer", "string"], "minimum": 0, "pattern": "^\\s*[0-9]+\\s*(B|KiB|MiB|GiB)?\\s*$"
    })
}

/// Text, or a number or truth value as text.
pub(super) fn scalar_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Any {
        Bool(bool),
        Integer(i64),
        Float(f64),
        Text(String),
    }
    Ok(match Any::deserialize(deserializer)? {
        Any::Bool(value) => value.to_string(),
        Any::Integer(value) => value.to_string(),
        Any::Float(value) => value.to_string(),
        Any::Text(text) => text,
    })
}
