//! Every event against what must have come of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Result, bail};
use serde_json::Value;

use super::events::{ENVIRONMENT, ExpectedAlert, Fate, PARTITIONS, RULES, Stream, domain_of, team_of};
use super::rates;
use super::store::{Kind, Reader, headers_as_hex, hex};

/// Offsets of a partition that are read at a time.
const PAGE: u64 = 20_000;
/// Mistakes that a message tells in full.
const TOLD_MAX: usize = 20;

/// What was seen of an event, as bits.
const ROW: u8 = 1;
const LETTER: u8 = 2;
const ALERTS: [u8; 3] = [4, 8, 16];

/// What the database holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) rows: u64,
    /// By code.
    pub(super) letters: BTreeMap<String, u64>,
    pub(super) alerts: u64,
}

/// Checks that of `total` events each became what it must, once, with its own content.
pub(super) fn verify(stream: Stream, store: Kind, reader: &mut Reader, total: u64) -> Result<Account> {
    reader.execute("CREATE INDEX IF NOT EXISTS chaos_rows ON events (kafka_partition, kafka_offset)")?;
    let (seen, rates) = (vec![0; usize::try_from(total)?], rates::alerts(stream, total));
    let mut check = Check { stream, store, seen, rates, account: Account::default(), wrong: Vec::new() };
    check.ledger(reader, total)?;
    for partition in 0..PARTITIONS {
        for first in (0..=total / PARTITIONS).step_by(usize::try_from(PAGE)?) {
            check.rows(reader, partition, first)?;
            check.letters(reader, partition, first)?;
        }
    }
    check.alerts(reader)?;
    check.nothing_beside(reader)?;
    check.nothing_missing();
    check.conclude()
}

struct Check {
    stream: Stream,
    store: Kind,
    seen: Vec<u8>,
    /// By event, the alerts that depend on what came before it.
    rates: HashMap<u64, ExpectedAlert>,
    account: Account,
    wrong: Vec<String>,
}

impl Check {
    fn ledger(&mut self, reader: &mut Reader, total: u64) -> Result<()> {
        for position in reader.ledger()? {
            let expected = (total + PARTITIONS - 1 - position.partition) / PARTITIONS;
            if position.next_offset != expected {
                self.wrong.push(format!("the ledger says {position:?}, the partition has {expected} events"));
            }
        }
        Ok(())
    }

    fn rows(&mut self, reader: &mut Reader, partition: u64, first: u64) -> Result<()> {
        let raw = reader.hex("raw");
        let end = first + PAGE;
        let sql = format!(
            "SELECT CAST(kafka_offset AS text), id, env, body ->> 'id', body ->> 'team', body -> 'source' ->> 'domain', {raw} \
             FROM events WHERE kafka_partition = {partition} AND kafka_offset >= {first} AND kafka_offset < {end}"
        );
        for row in reader.texts(&sql)? {
            let Some(index) = self.seen_at(partition, &row[0], ROW, "row") else { continue };
            self.account.rows += 1;
            let value = self.stream.record(index).value;
            if self.stream.fate(index, self.store) != Fate::Row {
                self.wrong.push(format!("event {index} must not be a row: {row:?}"));
            } else if row[6] != hex(value.as_deref()) {
                self.wrong.push(format!("the row of event {index} has another payload: {row:?}"));
            } else {
                let event: Value = serde_json::from_slice(&value.unwrap_or_default())?;
                let team = team_of(event["service"].as_str().unwrap_or_default());
                let id = event["id"].as_str().unwrap_or_default();
                let domain = domain_of(event["source"]["ip"].as_str().unwrap_or_default());
                if row[1..6] != [id, ENVIRONMENT, id, team, &domain] {
                    self.wrong.push(format!("the row of event {index} has other columns: {row:?}"));
                }
            }
        }
        Ok(())
    }

    fn letters(&mut self, reader: &mut Reader, partition: u64, first: u64) -> Result<()> {
        let (key, payload, headers) = (reader.hex("key"), reader.hex("payload"), reader.headers_and_time());
        let end = first + PAGE;
        let sql = format!(
            "SELECT CAST(\"offset\" AS text), code, {key}, {payload}, {headers} FROM wasmill_dead_letters \
             WHERE partition = {partition} AND \"offset\" >= {first} AND \"offset\" < {end}"
        );
        for letter in reader.texts(&sql)? {
            let Some(index) = self.seen_at(partition, &letter[0], LETTER, "dead letter") else { continue };
            *self.account.letters.entry(letter[1].clone()).or_default() += 1;
            let origin = format!("the dead letter of event {index}, {}", letter[1]);
            match self.stream.fate(index, self.store) {
                Fate::Letter(code) if code == letter[1] => {}
                fate => self.wrong.push(format!("{origin}: its fate is {fate:?}")),
            }
            let record = self.stream.record(index);
            let bytes = [hex(record.key.as_deref()), hex(record.value.as_deref())];
            let headers: Vec<_> = record.headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
            let time = record.time_ms.unwrap_or_default().to_string();
            if letter[2..4] != bytes || reader.headers(&letter[4])? != headers_as_hex(&headers) || letter[5] != time {
                self.wrong.push(format!("{origin} has other bytes"));
            }
        }
        Ok(())
    }

    fn alerts(&mut self, reader: &mut Reader) -> Result<()> {
        let sql =
            "SELECT CAST(kafka_partition AS text), CAST(kafka_offset AS text), rule, key, summary, id FROM alerts";
        let mut ids = HashSet::new();
        for row in reader.texts(sql)? {
            self.account.alerts += 1;
            let Some(rule) = RULES.iter().position(|rule| *rule == row[2]) else {
                self.wrong.push(format!("there is no such rule: {row:?}"));
                continue;
            };
            let Some(index) = self.seen_at(row[0].parse()?, &row[1], ALERTS[rule], &row[2]) else { continue };
            let of_event = self.stream.alerts(index);
            let expected = of_event.iter().chain(self.rates.get(&index)).find(|alert| alert.rule == rule);
            if expected.is_none_or(|alert| alert.key != row[3] || alert.summary != row[4]) {
                self.wrong.push(format!("event {index} raises no such alert: {row:?}"));
            }
            if !ids.insert(row[5].clone()) {
                self.wrong.push(format!("two alerts have one id: {row:?}"));
            }
        }
        Ok(())
    }

    /// Notes what was seen of the event at a place; `None` when there is no such event, or it was seen before.
    fn seen_at(&mut self, partition: u64, offset: &str, what: u8, name: &str) -> Option<u64> {
        let offset = offset.parse::<u64>().ok();
        let index = offset.filter(|_| partition < PARTITIONS).map(|offset| offset * PARTITIONS + partition);
        let seen = index.and_then(|index| self.seen.get_mut(usize::try_from(index).ok()?));
        let Some(seen) = seen else {
            self.wrong.push(format!("a {name} of partition {partition}, offset {offset:?}, which was not produced"));
            return None;
        };
        if *seen & what != 0 {
            self.wrong.push(format!("partition {partition}, offset {offset:?} is twice a {name}"));
            return None;
        }
        *seen |= what;
        index
    }

    /// Whether there is anything that belongs to no partition and offset of ours.
    fn nothing_beside(&mut self, reader: &mut Reader) -> Result<()> {
        let letters: u64 = self.account.letters.values().sum();
        for (table, seen) in [("events", self.account.rows), ("wasmill_dead_letters", letters)] {
            let answer = reader.texts(&format!("SELECT CAST(count(*) AS text) FROM {table}"))?;
            if answer.concat().concat() != seen.to_string() {
                self.wrong.push(format!("{table} has {answer:?} rows, of which {seen} are as they must be"));
            }
        }
        Ok(())
    }

    fn nothing_missing(&mut self) {
        for index in 0..self.seen.len() as u64 {
            let mut expected = if self.stream.fate(index, self.store) == Fate::Row { ROW } else { LETTER };
            let alerts = self.stream.alerts(index);
            alerts.iter().chain(self.rates.get(&index)).for_each(|alert| expected |= ALERTS[alert.rule]);
            let seen = self.seen[usize::try_from(index).expect("it is an index")];
            if seen != expected {
                let (partition, offset) = (index % PARTITIONS, index / PARTITIONS);
                self.wrong.push(format!(
                    "partition {partition}, offset {offset} came to {seen:05b} and must come to {expected:05b} \
                     (alerts, dead letter, row)"
                ));
            }
        }
    }

    fn conclude(self) -> Result<Account> {
        if self.wrong.is_empty() {
            return Ok(self.account);
        }
        let told = &self.wrong[..self.wrong.len().min(TOLD_MAX)];
        bail!("{} mistakes:\n  {}", self.wrong.len(), told.join("\n  "))
    }
}

#[cfg(test)]
mod tests;
