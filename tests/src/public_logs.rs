//! Log lines that others wrote through `examples/log-alerting`: the 16 samples of Loghub <https://github.com/logpai/loghub>, 2 000
//! lines each. Every line must be one row or one dead letter, and the alerts at each place those of a plain reference.
//!
//! The lines are nobody's to give away, so they are not in the repository: `cargo xtask soak --logs DIR public_logs`.

mod clean;
mod moment;
mod rules;
mod sources;
mod text;
mod verify;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::example::Example;
use crate::kafka::{Cluster, Record};
use crate::kafka_pipeline::wait;
use crate::pipeline::Pipeline;
use crate::receiver::Receiver;
use crate::services::unique;
use clean::{Cleaned, clean};
use rules::{Alert, Partition, Seen};
use sources::{Line, SOURCES};

const EXAMPLE: Example = Example("log-alerting");
/// As its README makes the topic.
const PARTITIONS: usize = 4;
const RUN_MAX: Duration = Duration::from_secs(300);
/// What the example's validator takes, whatever the case.
const LEVELS: [&str; 9] = ["TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "FATAL", "CRITICAL"];

/// A line on its way.
struct Sent {
    line: Line,
    partition: i32,
    offset: i64,
    fate: Fate,
}

/// What must come of a line.
enum Fate {
    Row(Cleaned),
    /// By its code.
    Letter(&'static str),
}

/// What came of the lines. Its text is a table.
#[derive(Debug)]
pub struct Outcome {
    sources: Vec<Account>,
    /// By rule: alerts, and how many of them the webhook was told.
    alerts: BTreeMap<&'static str, (usize, usize)>,
    /// Rows of the lines as text.
    text_rows: usize,
    took: Duration,
}

/// What came of the lines of a sample.
#[derive(Clone, Debug, Default)]
struct Account {
    lines: usize,
    rows: usize,
    letters: BTreeMap<&'static str, usize>,
    secrets: u64,
    cards: u64,
    alerts: usize,
}

/// Sends the samples of a clone of Loghub through the example, and looks at everything that comes out.
///
/// # Errors
/// When a line or an alert is missing, doubled or not what it must be, with the first of them.
pub fn run(folder: &Path, brokers: &str) -> Result<Outcome> {
    let began = Instant::now();
    let lines = interleaved((0..SOURCES.len()).map(|source| sources::lines(folder, source)).collect::<Result<_>>()?);
    let sent = fates(lines)?;
    let expected = expected_alerts(&sent);
    let (logs, alerts) = (unique("logs"), unique("alerts"));
    produce(brokers, [&logs, &alerts], &sent)?;
    let receiver = Receiver::willing();
    let pipeline = pipeline(brokers, [&logs, &alerts], &receiver)?;
    let ran = pipeline.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], b"").wait(RUN_MAX);
    ensure!(ran.code == Some(0), "the example ended with {:?}:\n{}", ran.code, ran.stderr);
    ran.assert_sums(&["logs"]);
    verify::rows(&pipeline, &sent)?;
    verify::letters(&pipeline, &sent)?;
    let told = verify::alerts(&pipeline, brokers, &alerts, &receiver, &expected)?;
    let text_rows = text::run(&sent)?;
    Ok(Outcome { text_rows, took: began.elapsed(), ..Outcome::new(&sent, &expected, &told) })
}

/// As 16 shippers would send them at the same time.
fn interleaved(files: Vec<Vec<Line>>) -> Vec<Line> {
    let longest = files.iter().map(Vec::len).max().unwrap_or(0);
    let mut files: Vec<_> = files.into_iter().map(Vec::into_iter).collect();
    (0..longest).flat_map(|_| files.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

/// The lines with their places and fates. A sample stays in its partition, so that its lines keep their order.
fn fates(lines: Vec<Line>) -> Result<Vec<Sent>> {
    let mut next = [0; PARTITIONS];
    lines
        .into_iter()
        .map(|line| {
            let partition = line.source % PARTITIONS;
            let offset = next[partition];
            next[partition] += 1;
            let fate = fate(&line)?;
            Ok(Sent { line, partition: i32::try_from(partition)?, offset, fate })
        })
        .collect()
}

fn fate(line: &Line) -> Result<Fate> {
    let Ok(text) = std::str::from_utf8(&line.bytes) else { return Ok(Fate::Letter("bad_utf8")) };
    let Some(level) = &line.head.level else { return Ok(Fate::Letter("missing_field")) };
    if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return Ok(Fate::Letter("not_allowed"));
    }
    match clean(text) {
        Some(cleaned) => Ok(Fate::Row(cleaned)),
        None => anyhow::bail!("the reference does not know how a line of {} is cleaned: {text:?}", line.name()),
    }
}

impl Line {
    fn name(&self) -> &'static str {
        SOURCES[self.source].name
    }

    /// The event that is sent: what the line is made of is not looked at.
    fn payload(&self) -> Vec<u8> {
        let mut json = format!("{{\"timestamp\":{}", Value::from(self.head.time.text.as_str())).into_bytes();
        if let Some(level) = &self.head.level {
            json.extend(format!(",\"level\":{}", Value::from(level.as_str())).bytes());
        }
        json.extend(format!(",\"service\":{},\"message\":\"", Value::from(self.head.service.as_str())).bytes());
        for byte in &self.bytes {
            match byte {
                b'"' | b'\\' => json.extend([b'\\', *byte]),
                0..0x20 => json.extend(format!("\\u{byte:04x}").bytes()),
                _ => json.push(*byte),
            }
        }
        json.extend(b"\"}");
        json
    }

    /// The same for people.
    fn payload_text(&self) -> String {
        String::from_utf8_lossy(&self.payload()).into_owned()
    }

    /// The event that is stored.
    fn stored(&self, cleaned: &Cleaned) -> Value {
        let mut event = json!({
            "timestamp": self.head.time.text, "level": self.head.level, "service": self.head.service, "message": cleaned.text,
        });
        if cleaned.controls + cleaned.secrets + cleaned.cards > 0 {
            event["cleaned"] = json!({
                "control_characters": cleaned.controls, "terminal_escapes": 0, "secrets": cleaned.secrets,
                "card_numbers": cleaned.cards, "cut_texts": 0,
            });
        }
        event
    }
}

/// What the rules say about what is stored, partition by partition.
fn expected_alerts(sent: &[Sent]) -> Vec<Alert> {
    let mut partitions: [Partition; PARTITIONS] = Default::default();
    let mut alerts = Vec::new();
    for Sent { line, partition, offset, fate } in sent {
        let Fate::Row(cleaned) = fate else { continue };
        let seen = Seen {
            time_ns: line.head.time.ns,
            level: line.head.level.as_deref().unwrap_or_default(),
            service: &line.head.service,
            message: &cleaned.text,
        };
        alerts.extend(partitions[line.source % PARTITIONS].see(*partition, *offset, &seen));
    }
    alerts
}

fn produce(brokers: &str, [logs, alerts]: [&str; 2], sent: &[Sent]) -> Result<()> {
    let cluster = Cluster::at(brokers)?;
    wait(cluster.create(logs, i32::try_from(PARTITIONS)?, &[]))?;
    wait(cluster.create(alerts, 1, &[]))?;
    for one in sent {
        cluster.send(logs, one.partition, &Record::of(one.line.payload()))?;
    }
    cluster.flush()
}

fn pipeline(brokers: &str, [logs, alerts]: [&str; 2], receiver: &Receiver) -> Result<Pipeline> {
    let pipeline = EXAMPLE.pipeline(&[(10, "validate-event"), (20, "enrich-clean"), (30, "alert-rules")])?;
    Ok(pipeline
        .env("KAFKA_BROKERS", brokers)
        .env("KAFKA_TOPIC", logs)
        .env("KAFKA_TOPIC_ALERTS", alerts)
        .env("KAFKA_GROUP_ID", &unique("group"))
        .env("WEBHOOK_URL", &receiver.url())
        .env("ADMIN_ADDRESS", "127.0.0.1:0"))
}

impl Outcome {
    fn new(sent: &[Sent], alerts: &[Alert], told: &BTreeMap<String, usize>) -> Self {
        let mut accounts = vec![Account::default(); SOURCES.len()];
        let mut source_of = BTreeMap::new();
        for Sent { line, partition, offset, fate } in sent {
            source_of.insert((*partition, *offset), line.source);
            let account = &mut accounts[line.source];
            account.lines += 1;
            match fate {
                Fate::Row(cleaned) => {
                    account.rows += 1;
                    account.secrets += cleaned.secrets;
                    account.cards += cleaned.cards;
                }
                Fate::Letter(code) => *account.letters.entry(code).or_default() += 1,
            }
        }
        for alert in alerts {
            accounts[source_of[&(alert.partition, alert.offset)]].alerts += 1;
        }
        let of_rule = |name: &'static str| {
            let count = alerts.iter().filter(|alert| alert.rule == name).count();
            (name, (count, told.get(name).copied().unwrap_or(0)))
        };
        Self { sources: accounts, alerts: rules::names().map(of_rule).collect(), text_rows: 0, took: Duration::ZERO }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<12} {:>6} {:>6} {:>7} {:>6} {:>6}  dead letters",
            "", "lines", "rows", "secrets", "cards", "alerts"
        )?;
        let mut all = Account::default();
        for (account, source) in self.sources.iter().zip(&SOURCES) {
            writeln!(f, "  {:<12} {account}", source.name)?;
            all.add(account);
        }
        writeln!(f, "  {:<12} {all}", "all")?;
        writeln!(
            f,
            "  each line one row or one dead letter; alerts as the reference has them, in the topic and in the table:"
        )?;
        for (rule, (alerts, told)) in &self.alerts {
            writeln!(f, "  {rule:<14} {alerts:>6} alerts, {told:>3} of them told to the webhook as firing")?;
        }
        writeln!(f, "  as text (`format: text`) {} lines are a row each, as they are", self.text_rows)?;
        write!(f, "  in {:.0} s", self.took.as_secs_f64())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lines, rows, letters, secrets, cards, alerts } = self;
        write!(f, "{lines:>6} {rows:>6} {secrets:>7} {cards:>6} {alerts:>6} ")?;
        letters.iter().try_for_each(|(code, count)| write!(f, " {count} {code}"))
    }
}

impl Account {
    fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.rows += other.rows;
        self.secrets += other.secrets;
        self.cards += other.cards;
        self.alerts += other.alerts;
        for (code, count) in &other.letters {
            *self.letters.entry(code).or_default() += count;
        }
    }
}
