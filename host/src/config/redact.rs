//! A pipeline as it may be shown: resolved, with its defaults, and without secrets.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use wasmill_core::{EventTime, Format};

use super::units::{duration_text, size_text};
use super::{
    AdminConfig, ColumnConfig, Config, DeadLetterConfig, HomeConfig, HttpConfig, KafkaConfig, KafkaOutput,
    KafkaSinkConfig, ReverseDnsConfig, Secret, SinkConfig, SinkKind, SourceConfig, Start, TableConfig, TableName,
    TapConfig, TopicConfig, TopicPart, ValueFrom,
};

/// `config` in the shape of its file. Passwords, librdkafka settings' values and variables inside addresses are not in it.
pub fn redacted(config: &Config) -> Json {
    let sinks: Map<String, Json> = config.sinks.iter().map(|sink| (sink.name.clone(), shown_sink(sink))).collect();
    let mut source = shown_source(&config.source);
    if let EventTime::Field(path) = &config.event_time {
        source["event_time"] = json!(path.to_string());
    }
    source["format"] = match config.format {
        Format::Json => json!("json"),
        Format::Text => json!("text"),
    };
    json!({
        "name": config.name,
        "digest": config.digest.to_string(),
        "source": source,
        "plugins": config.plugins,
        "required_plugins": config.required_plugins,
        "batch": {
            "events_max": config.batch.events_max,
            "bytes_max": size_text(config.batch.bytes_max as u64),
            "event_bytes_max": size_text(config.batch.event_bytes_max as u64),
            "linger": duration_text(config.batch.linger),
        },
        "sinks": sinks,
        "home": shown_home(config),
        "dead_letters": shown_dead_letters(&config.dead_letters),
        "health": { "error_rate_max": config.health.error_rate_max, "lag_max": config.health.lag_max },
        "retention": {
            "dead_letters_days": config.retention.dead_letters_days,
            "commits_days": config.retention.commits_days,
        },
        "engine": {
            "threads": config.engine.threads,
            "cache_dir": config.engine.cache_dir,
            "compile": config.engine.compile,
            "ceilings": config.engine.ceilings,
        },
        "lookups": { "reverse_dns": shown_reverse_dns(&config.reverse_dns) },
        "retry": { "initial": duration_text(config.retry.initial), "max": duration_text(config.retry.max) },
        "admin": config.admin.as_ref().map_or(json!(false), shown_admin),
        "provenance": config.provenance,
        "shutdown_timeout": duration_text(config.shutdown_timeout),
    })
}

fn shown_admin(AdminConfig { address, tap }: &AdminConfig) -> Json {
    let settings = |TapConfig { redact, connections_max, .. }: &TapConfig| {
        let redact: Vec<String> = redact.iter().map(ToString::to_string).collect();
        json!({ "redact": redact, "connections_max": connections_max })
    };
    json!({ "address": address.to_string(), "tap": tap.as_ref().map_or(json!(false), settings) })
}

fn shown_reverse_dns(dns: &ReverseDnsConfig) -> Json {
    json!({
        "resolvers": dns.resolvers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "deadline": duration_text(dns.deadline),
        "timeout": duration_text(dns.timeout),
        "concurrency": dns.concurrency,
        "cache_entries": dns.cache_entries,
        "ttl_min": duration_text(dns.ttl_min),
        "ttl_max": duration_text(dns.ttl_max),
        "negative_ttl": duration_text(dns.negative_ttl),
        "private": dns.private,
        "private_ranges": dns.private_ranges.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "fake": dns.fake,
    })
}

fn shown_source(source: &SourceConfig) -> Json {
    match source {
        SourceConfig::Kafka(kafka) => json!({ "kafka": shown_kafka(kafka) }),
        SourceConfig::Stdin => json!({ "stdin": {} }),
        SourceConfig::File { path } => json!({ "file": { "path": path } }),
    }
}

fn shown_kafka(kafka: &KafkaConfig) -> Json {
    json!({
        "brokers": kafka.brokers,
        "topics": kafka.topics.subscription().collect::<Vec<_>>(),
        "group": kafka.group,
        "group_instance_id": kafka.group_instance_id,
        "from": match kafka.from {
            Start::Earliest => json!("earliest"),
            Start::Latest => json!("latest"),
            Start::Committed => json!("committed"),
            Start::Timestamp(millis) => json!(millis),
        },
        "fetch_bytes_max": size_text(kafka.fetch_bytes_max as u64),
        "options": shown_options(&kafka.options),
    })
}

fn shown_options(options: &BTreeMap<String, Secret>) -> Map<String, Json> {
    options.iter().map(|(key, value)| (key.clone(), json!(value.shown()))).collect()
}

fn shown_kafka_sink(kafka: &KafkaSinkConfig) -> Map<String, Json> {
    let mut settings = shown_kafka_output(&kafka.output);
    if let TopicConfig::Template(parts) = &kafka.topic {
        let template = parts.iter().map(|part| match part {
            TopicPart::Text(text) => text.clone(),
            TopicPart::Field(path) => format!("{{{path}}}"),
        });
        settings.insert("topic".to_owned(), json!(template.collect::<String>()));
        settings.insert("topics".to_owned(), json!(kafka.output.topics));
    }
    let key = kafka.key.as_ref().map_or_else(|| "$key".to_owned(), ToString::to_string);
    settings.insert("key".to_owned(), json!(key));
    settings
}

/// With its first topic: the only one where none is chosen.
fn shown_kafka_output(output: &KafkaOutput) -> Map<String, Json> {
    Map::from_iter([
        ("brokers".to_owned(), json!(output.brokers)),
        ("topic".to_owned(), json!(output.topics.first())),
        ("compression".to_owned(), json!(output.compression)),
        ("options".to_owned(), json!(shown_options(&output.options))),
    ])
}

fn shown_dead_letters(dead_letters: &DeadLetterConfig) -> Json {
    let file = dead_letters.file.as_ref().map(|path| ("file".to_owned(), json!({ "path": path })));
    let kafka = dead_letters.kafka.as_ref().map(|kafka| ("kafka".to_owned(), Json::Object(shown_kafka_output(kafka))));
    let shown: Map<String, Json> = file.into_iter().chain(kafka).collect();
    if shown.is_empty() { Json::Null } else { Json::Object(shown) }
}

fn shown_home(config: &Config) -> Json {
    match &config.home {
        HomeConfig::Sink(index) => json!(config.sinks[*index].name),
        HomeConfig::Sqlite(path) => json!({ "sqlite": { "path": path } }),
        HomeConfig::None => Json::Null,
    }
}

fn shown_sink(sink: &SinkConfig) -> Json {
    let (kind, settings) = match &sink.kind {
        SinkKind::Postgres { url, hypertable, table, writers } => {
            let mut settings = shown_table(table);
            settings.insert("url".to_owned(), json!(url.shown()));
            settings.insert("writers".to_owned(), json!(writers));
            (if *hypertable { "timescale" } else { "postgres" }, settings)
        }
        SinkKind::Sqlite { path, table } => {
            let mut settings = shown_table(table);
            settings.insert("path".to_owned(), json!(path));
            ("sqlite", settings)
        }
        SinkKind::Kafka(kafka) => ("kafka", shown_kafka_sink(kafka)),
        SinkKind::Http(http) => ("http", shown_http(http)),
        SinkKind::File { path } => ("file", Map::from_iter([("path".to_owned(), json!(path))])),
        SinkKind::Stdout { format } => ("stdout", Map::from_iter([("format".to_owned(), json!(format))])),
        SinkKind::Discard => ("discard", Map::new()),
    };
    let mut shown = json!({ kind: settings, "from": sink.from, "when": sink.when });
    if let Some(life) = &sink.life {
        shown["life"] = json!({
            "resolved_after": duration_text(life.resolved_after),
            "repeat_every": life.repeat_every.map(duration_text),
            "open_max": life.open_max,
        });
    }
    shown
}

fn shown_http(http: &HttpConfig) -> Map<String, Json> {
    let headers: Map<String, Json> =
        http.headers.iter().map(|(name, value)| (name.clone(), json!(value.shown()))).collect();
    Map::from_iter([
        ("url".to_owned(), json!(http.url.shown())),
        ("headers".to_owned(), Json::Object(headers)),
        ("secret".to_owned(), json!(http.secret.as_ref().map(|_| "***"))),
        ("timeout".to_owned(), json!(duration_text(http.timeout))),
        ("format".to_owned(), json!(http.format)),
        ("batch_events_max".to_owned(), json!(http.events_max)),
        ("batch_bytes_max".to_owned(), json!(size_text(http.bytes_max as u64))),
        ("attempts".to_owned(), json!(http.attempts_max.unwrap_or(0))),
    ])
}

fn shown_table(table: &TableConfig) -> Map<String, Json> {
    let columns: Map<String, Json> =
        table.columns.iter().map(|column| (column.name.as_str().to_owned(), shown_column(column))).collect();
    let mut settings = Map::new();
    settings.insert("table".to_owned(), json!(bare(&table.name)));
    settings.insert("create".to_owned(), json!(table.create));
    if let Some(time) = &table.time {
        settings.insert("time".to_owned(), json!(time.as_str()));
    }
    settings.insert("columns".to_owned(), Json::Object(columns));
    settings
}

fn bare(name: &TableName) -> String {
    match &name.schema {
        Some(schema) => format!("{}.{}", schema.as_str(), name.table.as_str()),
        None => name.table.as_str().to_owned(),
    }
}

fn shown_column(column: &ColumnConfig) -> Json {
    let from = match &column.from {
        ValueFrom::Path(path) => path.to_string(),
        ValueFrom::Raw => "$raw".to_owned(),
        ValueFrom::Payload => "$payload".to_owned(),
        ValueFrom::Key => "$key".to_owned(),
        ValueFrom::Topic => "$topic".to_owned(),
        ValueFrom::Partition => "$partition".to_owned(),
        ValueFrom::Offset => "$offset".to_owned(),
        ValueFrom::Timestamp => "$timestamp".to_owned(),
        ValueFrom::Header(name) => format!("$headers.{name}"),
        ValueFrom::Digest => "$digest".to_owned(),
        ValueFrom::Skipped => "$skipped".to_owned(),
    };
    match column.column_type {
        Some(column_type) => json!({ "from": from, "type": column_type }),
        None => json!(from),
    }
}
