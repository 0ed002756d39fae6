//! What a pipeline promises per sink, and why: derived from its configuration alone.

use std::path::PathBuf;

use serde::Serialize;
use wasmill_core::EventTime;

use crate::config::{
    ColumnConfig, Config, From, HomeConfig, Provenance, Secret, SinkConfig, SinkKind, SourceConfig, ValueFrom,
};

/// How often an event's effect reaches a sink when processes, databases and brokers fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guarantee {
    /// Never lost, never doubled.
    ExactlyOnce,
    /// Never lost; after a failure some may be there twice.
    AtLeastOnce,
    /// What was not stored yet is lost when the process ends abruptly.
    None,
}

impl Guarantee {
    /// In words: `exactly once`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly once",
            Self::AtLeastOnce => "at least once",
            Self::None => "none",
        }
    }
}

/// What a pipeline promises for one sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SinkGuarantee {
    /// The sink.
    pub sink: String,
    /// What is promised.
    pub guarantee: Guarantee,
    /// Why.
    pub reason: &'static str,
}

/// What `config` promises, sink by sink in the file's order.
pub fn derive(config: &Config) -> Vec<SinkGuarantee> {
    let of = |sink: &SinkConfig| {
        let (guarantee, reason) = of_sink(config, sink);
        SinkGuarantee { sink: sink.name.clone(), guarantee, reason }
    };
    config.sinks.iter().map(of).collect()
}

/// The sinks' names and guarantees in words.
pub fn names(config: &Config) -> Vec<(String, String)> {
    derive(config).into_iter().map(|sink| (sink.sink, sink.guarantee.as_str().to_owned())).collect()
}

fn of_sink(config: &Config, sink: &SinkConfig) -> (Guarantee, &'static str) {
    match (&config.source, &sink.kind) {
        (_, SinkKind::Discard) => (Guarantee::None, "everything is thrown away"),
        (SourceConfig::Stdin, _) => {
            (Guarantee::None, "standard input cannot be read again: what is in flight when the process dies is lost")
        }
        _ if sink.from == From::DeadLetters => (
            Guarantee::AtLeastOnce,
            "dead letters are relayed from home, or written before the position where there is none: after a crash some come again, \
             with the same id",
        ),
        (_, SinkKind::Kafka(_)) => (
            Guarantee::AtLeastOnce,
            "brokers acknowledge before home commits: messages after the last commit come again after a crash, with the same \
             wasmill-origin",
        ),
        (_, SinkKind::Http(_)) => (
            Guarantee::AtLeastOnce,
            "a receiver answers before home commits: requests after the last commit come again after a crash, with the same \
             webhook-id where each is one event",
        ),
        (_, SinkKind::File { .. }) => (
            Guarantee::AtLeastOnce,
            "a file has no transactions: lines after the last commit are written again after a crash",
        ),
        (_, SinkKind::Stdout { .. }) => (
            Guarantee::AtLeastOnce,
            "standard output has no transactions: lines after the last commit are written again after a crash",
        ),
        (_, SinkKind::Postgres { .. } | SinkKind::Sqlite { .. }) if shares_home(config, sink) => {
            (Guarantee::ExactlyOnce, "rows and position are committed in one transaction")
        }
        (_, SinkKind::Postgres { .. } | SinkKind::Sqlite { .. }) => (
            Guarantee::ExactlyOnce,
            "rows are committed with a mark of their own, before home; what is there already is not written again",
        ),
    }
}

/// A database, to tell equal ones.
#[derive(PartialEq)]
enum Database<'c> {
    Postgres(&'c Secret),
    Sqlite(&'c PathBuf),
}

fn database(sink: &SinkConfig) -> Option<Database<'_>> {
    match &sink.kind {
        SinkKind::Postgres { url, .. } => Some(Database::Postgres(url)),
        SinkKind::Sqlite { path, .. } => Some(Database::Sqlite(path)),
        SinkKind::Kafka(_)
        | SinkKind::Http(_)
        | SinkKind::File { .. }
        | SinkKind::Stdout { .. }
        | SinkKind::Discard => None,
    }
}

fn shares_home(config: &Config, sink: &SinkConfig) -> bool {
    let home = match &config.home {
        HomeConfig::Sink(index) => database(&config.sinks[*index]),
        HomeConfig::Sqlite(path) => Some(Database::Sqlite(path)),
        HomeConfig::None => None,
    };
    home.is_some() && home == database(sink)
}

/// What else an operator should know before relying on `config`, a sentence each.
pub fn notes(config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    let lines = matches!(config.source, SourceConfig::Stdin | SourceConfig::File { .. });
    if lines && config.event_time == EventTime::Record {
        notes.push(
            "an event's time is when it arrived, so another run may give other results; set source.event_time"
                .to_owned(),
        );
    }
    if config.home == HomeConfig::None {
        notes.push(without_home(config));
    }
    if config.home == HomeConfig::None && config.sinks.iter().any(|sink| sink.life.is_some()) {
        let note = "without a home the alerts that are open are forgotten at a stop: they fire again, and none of them is resolved";
        notes.push(note.to_owned());
    }
    notes.extend(config.sinks.iter().filter_map(without_tls));
    if config.plugins.is_none() {
        notes.push("no plugin directory is given: events pass through unchanged".to_owned());
    }
    if config.provenance != Provenance::Off && !matches!(config.source, SourceConfig::Stdin) {
        notes.extend(config.sinks.iter().filter_map(not_provable));
    }
    notes
}

fn without_home(config: &Config) -> String {
    let letters = match config.relays_letters() {
        true => {
            "; what `wasmill dlq` does to dead letters is noted in a file of its own, and a replay that is killed may write its last letter twice"
        }
        false => "; rejected events are only counted, so set dead_letters to keep them",
    };
    let position = match config.source {
        SourceConfig::Kafka(_) => "the position is only the consumer group's committed offset",
        SourceConfig::File { .. } => "a file is read from its beginning at each start",
        SourceConfig::Stdin => "no position is kept",
    };
    format!("there is no home (no SQL sink): {position}, and what was stored cannot be proved{letters}")
}

/// A webhook on another machine that anybody on the way can read.
fn without_tls(sink: &SinkConfig) -> Option<String> {
    let SinkKind::Http(http) = &sink.kind else { return None };
    let rest = http.url.reveal().strip_prefix("http://")?;
    let is_local = ["localhost", "127.", "[::1]"].iter().any(|local| rest.starts_with(local));
    (!is_local).then(|| format!("what \"{}\" sends can be read on its way: give its url as https", sink.name))
}

fn not_provable(sink: &SinkConfig) -> Option<String> {
    let (SinkKind::Postgres { table, .. } | SinkKind::Sqlite { table, .. }) = &sink.kind else { return None };
    let has = |from: &ValueFrom| table.columns.iter().any(|column: &ColumnConfig| column.from == *from);
    (!has(&ValueFrom::Partition) || !has(&ValueFrom::Offset)).then(|| {
        format!("rows of \"{}\" cannot be proved one by one: it has no columns from $partition and $offset", sink.name)
    })
}
