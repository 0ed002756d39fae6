//! Whether a pipeline could run: every system that it names is asked, one line each. Nothing is changed.

use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;

use crate::commands::validate::PluginCheck;
use crate::config::{Config, KafkaOutput, SinkKind, SourceConfig};
use crate::http::HttpSink;
use crate::kafka::{self, examine_sink, examine_source};
use crate::pipeline::{Database, Place, databases};
use crate::{postgres, sqlite};

/// How far two clocks may be apart, in seconds.
const CLOCKS_APART_MAX: f64 = 2.0;

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of what: `source`, `plugin NAME`, `sinks NAME, NAME`.
    pub part: String,
    /// How it is.
    pub state: State,
    /// What was found, and what to do where it is not well.
    pub text: String,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It could run.
    Well,
    /// It could run, and somebody should look.
    Doubtful,
    /// It could not run.
    Wrong,
}

impl State {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Doubtful => "doubtful",
            Self::Wrong => "wrong",
        }
    }
}

impl Finding {
    fn new(part: &str, state: State, text: impl Into<String>) -> Self {
        Self { part: part.to_owned(), state, text: text.into() }
    }

    /// Well, or wrong.
    fn of(part: &str, found: Result<String, String>) -> Self {
        match found {
            Ok(well) => Self::new(part, State::Well, well),
            Err(wrong) => Self::new(part, State::Wrong, wrong),
        }
    }

    /// The line of a plugin.
    pub fn of_plugin(plugin: &PluginCheck) -> Self {
        let part = format!("plugin {}", plugin.name);
        match &plugin.problem {
            Some(problem) => Self::new(&part, State::Wrong, problem),
            None => Self::new(&part, State::Well, plugin.about.as_deref().unwrap_or("found")),
        }
    }

    /// One line if it is well, else one for each doubt.
    fn with_doubts(part: &str, well: String, doubts: Vec<String>) -> Vec<Self> {
        if doubts.is_empty() {
            return vec![Self::new(part, State::Well, well)];
        }
        doubts.into_iter().map(|doubt| Self::new(part, State::Doubtful, doubt)).collect()
    }
}

/// Asks all but the plugins, in the order of the file. Each answer is waited for some seconds at most.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = source(config).await;
    for database in databases(config) {
        findings.extend(self::database(&database).await);
    }
    for sink in &config.sinks {
        let part = format!("sink {}", sink.name);
        match &sink.kind {
            SinkKind::Kafka(kafka) => findings.extend(topics(&part, &kafka.output, config).await),
            SinkKind::Http(http) => findings.push(Finding::of(&part, HttpSink::reach(http).await)),
            SinkKind::File { path } => findings.push(file(&part, path)),
            SinkKind::Stdout { .. } | SinkKind::Discard => {
                findings.push(Finding::new(&part, State::Well, "needs nothing"))
            }
            // Asked with their databases.
            SinkKind::Postgres { .. } | SinkKind::Sqlite { .. } => {}
        }
    }
    if let Some(path) = &config.dead_letters.file {
        findings.push(file("dead letters to file", path));
    }
    if let Some(output) = &config.dead_letters.kafka {
        findings.extend(topics("dead letters to kafka", output, config).await);
    }
    findings.extend(config.admin.as_ref().map(|pages| admin(pages.address)));
    findings
}

async fn source(config: &Config) -> Vec<Finding> {
    match &config.source {
        SourceConfig::Kafka(kafka) => match examine_source(kafka).await {
            Err(reason) => vec![Finding::new("source", State::Wrong, reason)],
            Ok(kafka::Examined { partitions, doubts }) => {
                let named: Vec<&str> = kafka.topics.subscription().collect();
                let well = format!(
                    "{} answers; {} has {partitions} partitions, and the group may read",
                    kafka.brokers,
                    named.join(", ")
                );
                Finding::with_doubts("source", well, doubts)
            }
        },
        SourceConfig::Stdin => vec![Finding::new("source", State::Well, "standard input needs nothing")],
        SourceConfig::File { path } => {
            let shown = path.display();
            let opened = std::fs::File::open(path);
            let found = opened.map(|_| format!("{shown} can be read")).map_err(|error| {
                format!("cannot read {shown}: {error}; correct `path`, or give this user the right to read it")
            });
            vec![Finding::of("source", found)]
        }
    }
}

async fn database(database: &Database<'_>) -> Vec<Finding> {
    let names: Vec<&str> = database.sinks.iter().map(|sink| &*sink.name).collect();
    let part = match names[..] {
        [] => "home".to_owned(),
        [name] => format!("sink {name}"),
        _ => format!("sinks {}", names.join(", ")),
    };
    let tables: Vec<String> = database.sinks.iter().map(|sink| sink.table.name.to_string()).collect();
    let fits = if tables.is_empty() { String::new() } else { format!("; {} fits", tables.join(", ")) };
    match database.place {
        Place::Postgres(url) => match postgres::examine(url, &database.sinks).await {
            Err(error) => vec![Finding::new(&part, State::Wrong, error.to_string())],
            Ok(found) => server(&part, &found, &fits),
        },
        Place::Sqlite(path) => {
            let found = sqlite::examine(path, database.sinks.clone()).await.map(|is_there| match is_there {
                true => format!("{} can be written{fits}", path.display()),
                false => format!("{} is not there yet and can be made", path.display()),
            });
            vec![Finding::of(&part, found.map_err(|error| error.to_string()))]
        }
    }
}

fn server(part: &str, found: &postgres::Examined, fits: &str) -> Vec<Finding> {
    let address = &found.address;
    if !found.lacking.is_empty() {
        let text = format!("at {address} rights are missing; run {}", found.lacking.join(" "));
        return vec![Finding::new(part, State::Wrong, text)];
    }
    let mut doubts = Vec::new();
    if found.ahead_seconds.abs() > CLOCKS_APART_MAX {
        let (seconds, way) = (found.ahead_seconds.abs(), if found.ahead_seconds > 0.0 { "ahead of" } else { "behind" });
        doubts.push(format!(
            "the clock of {address} is {seconds:.1} s {way} this machine's: let both follow one time server, or times in the ledger and in \
             events cannot be compared"
        ));
    }
    Finding::with_doubts(part, format!("{address} is {}{fits}", found.server), doubts)
}

async fn topics(part: &str, output: &KafkaOutput, config: &Config) -> Vec<Finding> {
    match examine_sink(output, config.batch.event_bytes_max).await {
        Err(reason) => vec![Finding::new(part, State::Wrong, reason)],
        Ok(kafka::Examined { partitions, doubts }) => {
            let well = format!(
                "{} answers; {} has {partitions} partitions and may be written",
                output.brokers,
                output.topics.join(", ")
            );
            Finding::with_doubts(part, well, doubts)
        }
    }
}

/// A file that is appended to: it is opened and left as it is; one that is not there is made and removed.
fn file(part: &str, path: &Path) -> Finding {
    let was_there = path.exists();
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    let done = opened.and_then(|_| if was_there { Ok(()) } else { std::fs::remove_file(path) });
    let shown = path.display();
    let done = done.map(|()| format!("{shown} can be written"));
    let wrong = |error| format!("cannot write {shown}: {error}; make its folder, or give this user the right");
    Finding::of(part, done.map_err(wrong))
}

fn admin(address: SocketAddr) -> Finding {
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::new("admin", State::Well, format!("{address} is free")),
        Err(error) => {
            let text = format!(
                "cannot listen on {address}: {error}; is this pipeline running already? Else set `admin` to another address"
            );
            Finding::new("admin", State::Doubtful, text)
        }
    }
}
