//! What is stored and sent against what must have come of the lines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use wasmill_expr::time::parse_rfc3339;

use super::rules::Alert;
use super::{Fate, Sent};
use crate::kafka::read::read_topic;
use crate::pipeline::Pipeline;
use crate::receiver::Receiver;

const DATABASE: &str = "logs.db";

/// A line's place.
type Place = (i32, i64);

/// Every line that has to be a row is one, once, with its own content, and no other is.
pub(super) fn rows(pipeline: &Pipeline, sent: &[Sent]) -> Result<()> {
    let sql = "SELECT kafka_partition, kafka_offset, at, level, service, message, body FROM logs";
    let mut found = by_place(pipeline.sqlite(DATABASE, sql))?;
    for Sent { line, partition, offset, fate } in sent {
        let Fate::Row(cleaned) = fate else { continue };
        let row = found.remove(&(*partition, *offset));
        let row = row.with_context(|| format!("a line of {} is no row: {:?}", line.name(), line.payload_text()))?;
        let [at, level, service, message, body] = row.as_slice() else { bail!("a row has other columns: {row:?}") };
        let is_at = parse_rfc3339(at).is_ok_and(|at| at / 1_000 == line.head.time.ns / 1_000);
        let event: Value = serde_json::from_str(body)?;
        let is_right = is_at
            && Some(level) == line.head.level.as_ref()
            && *service == line.head.service
            && *message == cleaned.text
            && event == line.stored(cleaned);
        ensure!(
            is_right,
            "a line of {} is\n  {:?} and became\n  {row:?}; it must be\n  {cleaned:?}",
            line.name(),
            line.payload_text()
        );
    }
    ensure!(found.is_empty(), "{} rows that must not be, such as {:?}", found.len(), found.iter().next());
    Ok(())
}

/// The same of dead letters, with the bytes that were sent.
pub(super) fn letters(pipeline: &Pipeline, sent: &[Sent]) -> Result<()> {
    let sql = "SELECT partition, \"offset\", code, hex(payload), reason FROM wasmill_dead_letters";
    let mut found = by_place(pipeline.sqlite(DATABASE, sql))?;
    for Sent { line, partition, offset, fate } in sent {
        let Fate::Letter(code) = fate else { continue };
        let letter = found.remove(&(*partition, *offset));
        let letter = letter.with_context(|| format!("no dead letter {code} of {:?}", line.payload_text()))?;
        let hex: String = line.payload().iter().map(|byte| format!("{byte:02X}")).collect();
        ensure!(letter[0] == *code && letter[1] == hex, "the dead letter of {:?} is {letter:?}", line.payload_text());
    }
    ensure!(found.is_empty(), "{} dead letters that must not be, such as {:?}", found.len(), found.iter().next());
    Ok(())
}

/// Rows whose first two columns are a place, which no two of them have.
fn by_place(rows: Vec<Vec<String>>) -> Result<HashMap<Place, Vec<String>>> {
    let mut places = HashMap::new();
    for mut row in rows {
        let rest = row.split_off(2);
        let place = (row[0].parse()?, row[1].parse()?);
        if let Some(twice) = places.insert(place, rest) {
            bail!("{place:?} is there twice: {twice:?}");
        }
    }
    Ok(places)
}

/// The topic and the table have the same alerts, each once; the webhook was told the first of each rule and key, each once. Answers
/// how many that were, by rule.
pub(super) fn alerts(
    pipeline: &Pipeline,
    brokers: &str,
    topic: &str,
    receiver: &Receiver,
    expected: &[Alert],
) -> Result<BTreeMap<String, usize>> {
    let by_id = in_topic(brokers, topic)?;
    let mut found: Vec<&Alert> = by_id.values().collect();
    let mut wanted: Vec<&Alert> = expected.iter().collect();
    found.sort();
    wanted.sort();
    if found != wanted {
        let missing = wanted.iter().find(|alert| found.binary_search(alert).is_err());
        let more = found.iter().find(|alert| wanted.binary_search(alert).is_err());
        bail!(
            "{} alerts instead of {}; the first one that is missing is\n  {missing:?}, and that must not be\n  {more:?}",
            found.len(),
            wanted.len()
        );
    }
    let stored = pipeline.sqlite(DATABASE, "SELECT id, rule, key, severity, summary FROM alerts");
    ensure!(stored.len() == by_id.len(), "{} alerts are stored, {} are in the topic", stored.len(), by_id.len());
    let mut ids = BTreeSet::new();
    for row in stored {
        let alert = by_id.get(&row[0]).with_context(|| format!("the topic has no alert {row:?}"))?;
        ensure!(ids.insert(row[0].clone()), "an alert is stored twice: {row:?}");
        ensure!(
            row[1..] == [&*alert.rule, &alert.key, &alert.severity, &alert.summary],
            "{row:?} is stored for {alert:?}"
        );
    }
    told(receiver, &by_id, expected)
}

/// By id.
fn in_topic(brokers: &str, topic: &str) -> Result<HashMap<String, Alert>> {
    let mut alerts = HashMap::new();
    for message in read_topic(brokers, topic)? {
        let json: Value = serde_json::from_slice(message.value.as_deref().unwrap_or_default())?;
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        ensure!(message.header("wasmill-alert-id") == text("id"), "the header has another id than {json}");
        let place = |name: &str| json["origin"][name].as_i64().with_context(|| format!("no {name} in {json}"));
        let alert = Alert {
            partition: i32::try_from(place("partition")?)?,
            offset: place("offset")?,
            rule: text("rule"),
            key: text("key"),
            severity: text("severity"),
            summary: text("summary"),
            suppressed: json["labels"]["suppressed"].as_str().map_or(Ok(0), str::parse)?,
        };
        if let Some(twice) = alerts.insert(text("id"), alert) {
            bail!("an id is in the topic twice: {twice:?}");
        }
    }
    Ok(alerts)
}

fn told(receiver: &Receiver, by_id: &HashMap<String, Alert>, expected: &[Alert]) -> Result<BTreeMap<String, usize>> {
    let about = |alert: &Alert| (alert.rule.clone(), alert.key.clone());
    // A rule and key has one first alert in each of its partitions, and which of these comes first is chance.
    let mut firsts: BTreeMap<(String, String), BTreeMap<i32, i64>> = BTreeMap::new();
    for alert in expected {
        firsts.entry(about(alert)).or_default().entry(alert.partition).or_insert(alert.offset);
    }
    let mut told = BTreeMap::new();
    for request in receiver.taken() {
        let json = request.json();
        let alert = json["id"].as_str().and_then(|id| by_id.get(id));
        let alert = alert.with_context(|| format!("the webhook was told what is in no topic: {json}"))?;
        ensure!(json["life"]["state"] == "firing", "the webhook was told {json}");
        let first = firsts.remove(&about(alert)).with_context(|| format!("the webhook was told twice: {json}"))?;
        ensure!(first.get(&alert.partition) == Some(&alert.offset), "the webhook was not told the first one: {json}");
        *told.entry(alert.rule.clone()).or_default() += 1;
    }
    ensure!(firsts.is_empty(), "the webhook was not told of {:?}", firsts.keys());
    Ok(told)
}
