//! What may be written under `source`.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{Passthrough, RawFile, RawNothing, scalar_text, size_schema};
use crate::config::read::Ordered;

/// Where events come from: exactly one of `kafka`, `stdin` and `file`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["kafka"]}, {"required": ["stdin"]}, {"required": ["file"]}]))]
pub(in crate::config) struct RawSource {
    /// Topics of a Kafka cluster, as a member of a consumer group.
    pub(in crate::config) kafka: Option<RawKafka>,
    /// Lines on standard input: `stdin: {}`. They cannot be read again.
    pub(in crate::config) stdin: Option<RawNothing>,
    /// Lines of a file, which may be compressed by gzip or Zstandard.
    pub(in crate::config) file: Option<RawFile>,
    /// What an event is: `json` (an object), or `text`: a line of text becomes the object `{"message": "the line"}`, and
    /// `$raw` and dead letters keep the line.
    #[serde(default = "json")]
    pub(in crate::config) format: String,
    /// The field that holds an event's time, as RFC 3339 text or an integer of milliseconds since 1970. By default, and where
    /// the field has neither, it is the record's own time, and for `stdin` and `file` the time of arrival.
    pub(in crate::config) event_time: Option<String>,
}

/// A Kafka source.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawKafka {
    /// Brokers to begin with: `host:port`, joined by commas.
    pub(in crate::config) brokers: String,
    /// Topics to read, 1 to 100. One that begins with `^` is a pattern, such as `^logs-[a-z]+$`: a regular expression over topics'
    /// names, also of those that are made later.
    #[schemars(extend("minItems" = 1))]
    pub(in crate::config) topics: Vec<String>,
    /// The consumer group: processes of one group share the partitions.
    pub(in crate::config) group: String,
    /// Static membership: a process that comes back with the same id takes its partitions up without a rebalance.
    pub(in crate::config) group_instance_id: Option<String>,
    /// Where to begin a partition that the ledger does not know: `earliest`, `latest`, `committed` (the group's committed
    /// offset, else the earliest), or a time: RFC 3339 text or milliseconds since 1970.
    #[serde(default = "earliest", deserialize_with = "scalar_text")]
    #[schemars(schema_with = "start_schema", extend("default" = "earliest"))]
    pub(in crate::config) from: String,
    /// Bytes fetched ahead over all partitions, 1MiB to 1GiB.
    #[serde(default = "fetch_bytes_max", deserialize_with = "scalar_text")]
    #[schemars(schema_with = "size_schema", extend("default" = "32MiB"))]
    pub(in crate::config) fetch_bytes_max: String,
    /// Further librdkafka settings by their own names, such as `security.protocol`, `sasl.username` or `ssl.ca.location`.
    /// Their values are never shown.
    #[serde(default)]
    pub(in crate::config) options: Ordered<Passthrough>,
}

fn json() -> String {
    "json".to_owned()
}

fn earliest() -> String {
    "earliest".to_owned()
}

fn fetch_bytes_max() -> String {
    "32MiB".to_owned()
}

fn start_schema(_: &mut SchemaGenerator) -> Schema {
    schemars::json_schema!({ "type": ["string", "integer"] })
}
