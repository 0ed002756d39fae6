//! What came to an outlet, at least once each: by its id, which is the same when it comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wasmill_core::Digest;

use super::events::{Fate, PARTITIONS, Stream};
use super::store::{Kind, Reader, headers_as_hex, hex};
use crate::kafka::Record;
use crate::kafka::read::Found;
use crate::receiver::Request;

/// Of what is missing and of what is too much a message tells so many.
const TOLD_MAX: usize = 5;
const ALERT_ID: &str = "wasmill-alert-id";
const LETTER_ID: &str = "wasmill-dead-letter-id";
const ORIGIN: &str = "wasmill-origin";

/// By id, what an alert or a dead letter says.
pub(super) type Contents = BTreeMap<String, Vec<String>>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    pub(super) by_id: Contents,
    seen: usize,
}

/// An alert or a dead letter as it came: its id, and what it says.
pub(super) struct Arrival(String, Vec<String>);

impl Arrival {
    pub(super) fn of_alert_message(message: &Found) -> Result<Self> {
        let alert = serde_json::from_slice(message.value.as_deref().unwrap_or_default())?;
        Self::of_alert(message.header(ALERT_ID), &alert, &message.header(ORIGIN))
    }

    pub(super) fn of_alert_request(request: &Request) -> Result<Self> {
        Self::of_alert(request.header(ALERT_ID).to_owned(), &request.json(), request.header(ORIGIN))
    }

    fn of_alert(id: String, alert: &Value, origin: &str) -> Result<Self> {
        let [partition, offset] = place_of(origin)?;
        let texts = ["id", "rule", "key", "summary"].map(|name| alert[name].as_str().unwrap_or_default().to_owned());
        Ok(Self(id, texts.into_iter().chain([partition, offset]).collect()))
    }

    pub(super) fn of_letter_message(message: &Found) -> Result<Self> {
        let [partition, offset] = place_of(&message.header(ORIGIN))?;
        // The event's own headers stand before those that tell what became of it.
        let headers = message.headers.iter().take_while(|(name, _)| name != LETTER_ID).cloned().collect();
        let record = Record { key: message.key.clone(), value: message.value.clone(), headers, time_ms: None };
        Ok(Self(message.header(LETTER_ID), letter(&partition, &offset, &message.header("wasmill-code"), record)))
    }
}

impl Arrivals {
    /// Of what came.
    pub(super) fn of(arrivals: impl Iterator<Item = Result<Arrival>>) -> Result<Self> {
        let mut all = Self::default();
        for arrival in arrivals {
            let Arrival(id, content) = arrival?;
            all.seen += 1;
            let first = all.by_id.entry(id).or_insert_with(|| content.clone());
            ensure!(*first == content, "two of one id say {first:?} and {content:?}");
        }
        Ok(all)
    }

    /// How many ids there are.
    pub(super) fn distinct(&self) -> usize {
        self.by_id.len()
    }

    /// How many came that had been there before.
    pub(super) fn repeats(&self) -> usize {
        self.seen - self.by_id.len()
    }

    /// Checks that these came, and no others.
    pub(super) fn must_be(&self, what: &str, expected: &Contents) -> Result<()> {
        same(what, expected, &self.by_id)
    }

    /// Checks that these are the dead letters of the first `total` events.
    pub(super) fn must_be_letters(&self, stream: Stream, store: Kind, total: u64) -> Result<()> {
        let of_event = |index: u64| {
            let Fate::Letter(code) = stream.fate(index, store) else { return None };
            let (partition, offset) = (index % PARTITIONS, index / PARTITIONS);
            Some(letter(&partition.to_string(), &offset.to_string(), code, stream.record(index)))
        };
        let expected: BTreeSet<_> = (0..total).filter_map(of_event).collect();
        ensure!(self.distinct() == expected.len(), "{} dead letters, not {}", self.distinct(), expected.len());
        same("the topic of dead letters", &expected, self.by_id.values())
    }
}

/// The alerts that the database has.
pub(super) fn stored_alerts(reader: &mut Reader) -> Result<Contents> {
    let sql = "SELECT id, rule, key, summary, CAST(kafka_partition AS text), CAST(kafka_offset AS text) FROM alerts";
    Ok(reader.texts(sql)?.into_iter().map(|row| (row[0].clone(), row)).collect())
}

/// Checks that two sets are the same.
pub(super) fn same<T: Ord + Debug>(
    what: &str,
    expected: impl IntoIterator<Item = T>,
    found: impl IntoIterator<Item = T>,
) -> Result<()> {
    let (expected, found): (BTreeSet<T>, BTreeSet<T>) = (expected.into_iter().collect(), found.into_iter().collect());
    let missing: Vec<_> = expected.difference(&found).collect();
    let beside: Vec<_> = found.difference(&expected).collect();
    let told = |of: &[&T]| of.iter().take(TOLD_MAX).map(|one| format!("\n  {one:?}")).collect::<String>();
    ensure!(
        missing.is_empty() && beside.is_empty(),
        "{what}: of {} there are missing {}:{}\nand there are {} that must not be there:{}",
        expected.len(),
        missing.len(),
        told(&missing),
        beside.len(),
        told(&beside)
    );
    Ok(())
}

/// Partition and offset of an origin.
fn place_of(origin: &str) -> Result<[String; 2]> {
    let mut parts = origin.rsplit('/').map(str::to_owned);
    let (offset, partition) = (parts.next(), parts.next());
    Ok([partition.with_context(|| format!("no origin: {origin:?}"))?, offset.unwrap_or_default()])
}

/// What a dead letter says; some are large, so its bytes stand for themselves as a digest.
fn letter(partition: &str, offset: &str, code: &str, record: Record) -> Vec<String> {
    let headers: Vec<_> = record.headers.into_iter().map(|(name, value)| (name.into_bytes(), value)).collect();
    let event = [hex(record.key.as_deref()), hex(record.value.as_deref()), headers_as_hex(&headers)].join(" ");
    [partition, offset, code, &Digest::of(event.as_bytes()).to_string()].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: u64 = 2_000;

    fn alert(id: &str, summary: &str) -> Result<Arrival> {
        let value = serde_json::json!({ "id": id, "rule": "r", "key": "k", "summary": summary });
        Arrival::of_alert(id.to_owned(), &value, "c/t/i/1/7")
    }

    #[test]
    fn what_comes_again_is_counted_and_must_say_the_same() {
        let arrivals = Arrivals::of([alert("a", "x"), alert("b", "x"), alert("a", "x")].into_iter()).unwrap();
        assert_eq!((arrivals.distinct(), arrivals.repeats()), (2, 1));
        assert_eq!(arrivals.by_id["a"], ["a", "r", "k", "x", "1", "7"]);
        assert!(Arrivals::of([alert("a", "x"), alert("a", "y")].into_iter()).is_err());
        assert!(Arrival::of_alert("a".to_owned(), &Value::Null, "").is_err());
    }

    #[test]
    fn what_is_missing_too_much_or_another_is_told() {
        let arrivals = |ids: &[&str]| Arrivals::of(ids.iter().map(|id| alert(id, "x"))).unwrap();
        let expected = arrivals(&["a", "b"]).by_id;
        arrivals(&["b", "a", "b"]).must_be("it", &expected).unwrap();
        for ids in [&["a"][..], &["a", "b", "c"], &["a", "c"]] {
            assert!(arrivals(ids).must_be("it", &expected).is_err(), "{ids:?}");
        }
        let other = Arrivals::of([alert("a", "y"), alert("b", "x")].into_iter()).unwrap();
        assert!(other.must_be("it", &expected).unwrap_err().to_string().contains("missing 1"));
    }

    /// The dead letters of a stream as messages, each with a header of wasmill's behind its own.
    fn letters(stream: Stream) -> Vec<Found> {
        let message = |index: u64| {
            let Fate::Letter(code) = stream.fate(index, Kind::Sqlite) else { return None };
            let record = stream.record(index);
            let own = [
                (LETTER_ID, format!("id-{index}")),
                (ORIGIN, format!("c/t/i/{}/{}", index % PARTITIONS, index / PARTITIONS)),
                ("wasmill-code", code.to_owned()),
            ];
            let own = own.map(|(name, value)| (name.to_owned(), Some(value.into_bytes())));
            let headers = record.headers.into_iter().chain(own).collect();
            Some(Found { partition: 0, offset: 0, key: record.key, value: record.value, headers })
        };
        (0..EVENTS).filter_map(message).collect()
    }

    #[test]
    fn dead_letters_are_those_of_the_stream_with_their_own_bytes() {
        let stream = Stream::new(7);
        let said = |found: &[Found]| {
            let arrivals = Arrivals::of(found.iter().map(Arrival::of_letter_message)).unwrap();
            arrivals.must_be_letters(stream, Kind::Sqlite, EVENTS).map_err(|error| error.to_string())
        };
        let all = letters(stream);
        assert!(all.len() > 5 && said(&all).is_ok());
        assert!(said(&all[1..]).is_err());
        for spoil in [
            (|message: &mut Found| message.key = None) as fn(&mut Found),
            |message| message.value = Some(b"{}".to_vec()),
            |message| drop(message.headers.remove(0)),
        ] {
            let mut found = all.clone();
            spoil(&mut found[2]);
            assert!(said(&found).is_err_and(|said| said.contains("missing 1")));
        }
    }
}
