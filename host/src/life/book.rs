//! What is open, and what each further alert means: decisions alone, with the time as an argument.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};
use wasmill_core::PartitionId;

use super::notice::RaisedAlert;
use crate::config::LifeConfig;
use crate::origin::id;
use crate::store::OpenAlert;

/// Rule and key.
pub(super) type Key = (String, String);

/// One that is open.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) partition: Arc<PartitionId>,
    pub(super) offset: i64,
    pub(super) time_ns: i64,
    /// The first alert.
    pub(super) json: Arc<[u8]>,
    /// How many there were.
    pub(super) count: u64,
    /// The time of the last alert, as it says it.
    pub(super) last_at: String,
    /// When the last one was seen here.
    seen: Instant,
    /// When something was last said.
    told: Instant,
}

/// Something to say, because of the alert `row`.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) row: usize,
    pub(super) state: &'static str,
    pub(super) key: Key,
    pub(super) entry: Entry,
}

/// What is to be remembered once everything is said.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) key: Key,
    pub(super) entry: Entry,
    /// Alerts since it was last remembered.
    pub(super) added: u64,
    /// It is resolved.
    pub(super) is_over: bool,
}

/// What is open at a sink.
#[derive(Debug)]
pub(super) struct Book {
    config: LifeConfig,
    open: HashMap<Key, Entry>,
    /// Alerts that were sent as firing without being remembered, since too many were open.
    pub(super) untracked: u64,
}

impl Entry {
    fn of(alert: &RaisedAlert<'_>, members: &Map<String, Value>, now: Instant) -> Self {
        Self {
            partition: Arc::clone(alert.partition),
            offset: alert.offset,
            time_ns: alert.time_ns,
            json: alert.json.into(),
            count: 1,
            last_at: word(members, "at"),
            seen: now,
            told: now,
        }
    }

    /// The time of the first alert, as it says it.
    pub(super) fn first_at(&self) -> String {
        let members: Map<String, Value> = serde_json::from_slice(&self.json).unwrap_or_default();
        word(&members, "at")
    }
}

impl Change {
    /// As home keeps it.
    pub(super) fn stored(&self) -> OpenAlert {
        let Entry { partition, offset, time_ns, json, last_at, .. } = &self.entry;
        OpenAlert {
            id: id([self.key.0.as_bytes(), self.key.1.as_bytes()]),
            partition: PartitionId::clone(partition),
            offset: *offset,
            time_ns: *time_ns,
            json: json.to_vec(),
            count: self.added,
            last_at: last_at.clone(),
            is_over: self.is_over,
        }
    }
}

impl Book {
    /// Nothing is open.
    pub(super) fn new(config: LifeConfig) -> Self {
        Self { config, open: HashMap::new(), untracked: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&Key, &Entry)> {
        self.open.iter()
    }

    /// What is to be said of these alerts, and what to be remembered once that is done.
    pub(super) fn observe(&mut self, alerts: &[RaisedAlert<'_>], now: Instant) -> (Vec<Step>, Vec<Change>) {
        let mut steps = Vec::new();
        let mut changes: Vec<Change> = Vec::new();
        let mut places: HashMap<Key, usize> = HashMap::new();
        for (row, alert) in alerts.iter().enumerate() {
            let members = alert.members();
            let key = (word(&members, "rule"), word(&members, "key"));
            let known = places.get(&key).copied().or_else(|| {
                let entry = self.open.get(&key)?.clone();
                changes.push(Change { key: key.clone(), entry, added: 0, is_over: false });
                places.insert(key.clone(), changes.len() - 1);
                Some(changes.len() - 1)
            });
            let Some(place) = known else {
                let entry = Entry::of(alert, &members, now);
                steps.push(Step { row, state: "firing", key: key.clone(), entry: entry.clone() });
                let opened = changes.iter().filter(|change| change.entry.count == change.added).count();
                if self.open.len() + opened >= self.config.open_max {
                    self.untracked += 1;
                    continue;
                }
                places.insert(key.clone(), changes.len());
                changes.push(Change { key, entry, added: 1, is_over: false });
                continue;
            };
            let change = &mut changes[place];
            change.added += 1;
            change.entry.count += 1;
            change.entry.seen = now;
            change.entry.last_at = word(&members, "at");
            if self.config.repeat_every.is_some_and(|every| now.duration_since(change.entry.told) >= every) {
                change.entry.told = now;
                steps.push(Step { row, state: "repeated", key, entry: change.entry.clone() });
            }
        }
        (steps, changes)
    }

    /// Remembers.
    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        for Change { key, entry, is_over, .. } in changes {
            match is_over {
                true => self.open.remove(&key),
                false => self.open.insert(key, entry),
            };
        }
    }

    /// Those of which nothing was seen for long enough.
    pub(super) fn silent(&self, now: Instant) -> Vec<(Key, Entry)> {
        let is_silent = |entry: &Entry| now.duration_since(entry.seen) >= self.config.resolved_after;
        let silent = self.open.iter().filter(|(_, entry)| is_silent(entry));
        silent.map(|(key, entry)| (key.clone(), entry.clone())).collect()
    }

    /// Takes up what home has.
    pub(super) fn adopt(&mut self, stored: OpenAlert, now: Instant) {
        let entry = Entry {
            partition: Arc::new(stored.partition),
            offset: stored.offset,
            time_ns: stored.time_ns,
            json: stored.json.into(),
            count: stored.count,
            last_at: stored.last_at,
            seen: now,
            told: now,
        };
        self.open.insert(key_of(&entry.json), entry);
    }

    /// Agrees with home on what is open: what another process counted on is not silent, what it resolved is over, what it left open is
    /// ours too.
    pub(super) fn reconcile(&mut self, stored: Vec<OpenAlert>, now: Instant) {
        let keys: HashSet<Key> = stored.iter().map(|one| key_of(&one.json)).collect();
        self.open.retain(|key, _| keys.contains(key));
        for one in stored {
            let known = self.open.get(&key_of(&one.json));
            if known.is_none_or(|entry| entry.count != one.count) {
                self.adopt(one, now);
            }
        }
    }
}

fn key_of(json: &[u8]) -> Key {
    let members: Map<String, Value> = serde_json::from_slice(json).unwrap_or_default();
    (word(&members, "rule"), word(&members, "key"))
}

fn word(members: &Map<String, Value>, name: &str) -> String {
    members.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SILENCE: Duration = Duration::from_secs(300);

    fn book(open_max: usize, repeat_every: Option<Duration>) -> Book {
        Book::new(LifeConfig { resolved_after: SILENCE, repeat_every, open_max })
    }

    /// What is said of alerts with these keys, as `key state count`, remembered at once.
    fn said(book: &mut Book, keys: &[&str], now: Instant) -> Vec<String> {
        let partition = Arc::new(PartitionId {
            source: "s".to_owned(),
            cluster: "c".to_owned(),
            topic: "t".to_owned(),
            topic_id: "i".to_owned(),
            partition: 0,
        });
        let payloads: Vec<String> = keys
            .iter()
            .map(|key| format!("{{\"id\":\"1\",\"rule\":\"r\",\"key\":\"{key}\",\"at\":\"then\"}}"))
            .collect();
        let alert = |json: &'_ String| -> Vec<u8> { json.as_bytes().to_vec() };
        let bytes: Vec<Vec<u8>> = payloads.iter().map(alert).collect();
        let alerts: Vec<RaisedAlert<'_>> =
            bytes.iter().map(|json| RaisedAlert { partition: &partition, offset: 0, time_ns: 0, json }).collect();
        let (steps, changes) = book.observe(&alerts, now);
        book.apply(changes);
        steps.iter().map(|step| format!("{} {} {}", keys[step.row], step.state, step.entry.count)).collect()
    }

    #[test]
    fn first_fires_further_ones_are_counted_and_silence_ends_it() {
        let (mut book, start) = (book(10, None), Instant::now());
        assert_eq!(said(&mut book, &["a", "a", "b", "a"], start), ["a firing 1", "b firing 1"]);
        assert!(said(&mut book, &["a"], start + SILENCE / 2).is_empty());
        let silent = |book: &Book, now| {
            let mut silent: Vec<_> = book.silent(now).into_iter().map(|(key, entry)| (key.1, entry.count)).collect();
            silent.sort();
            silent
        };
        assert_eq!(silent(&book, start + SILENCE - Duration::from_nanos(1)), []);
        assert_eq!(silent(&book, start + SILENCE), [("b".to_owned(), 1)]);
        assert_eq!(silent(&book, start + SILENCE * 2), [("a".to_owned(), 4), ("b".to_owned(), 1)]);
        let over = book.silent(start + SILENCE);
        book.apply(over.into_iter().map(|(key, entry)| Change { key, entry, added: 0, is_over: true }).collect());
        assert_eq!(said(&mut book, &["a", "b"], start + SILENCE), ["b firing 1"]);
    }

    #[test]
    fn repeats_are_told_with_their_count_after_each_interval() {
        let (mut book, start) = (book(10, Some(Duration::from_secs(60))), Instant::now());
        assert_eq!(said(&mut book, &["a", "a"], start), ["a firing 1"]);
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(said(&mut book, &["a"], at(59)).is_empty());
        assert_eq!(said(&mut book, &["a", "a"], at(60)), ["a repeated 4"]);
        assert!(said(&mut book, &["a"], at(119)).is_empty());
        assert_eq!(said(&mut book, &["a"], at(120)), ["a repeated 7"]);
    }

    #[test]
    fn at_most_so_many_are_open_and_one_more_fires_each_time() {
        let (mut book, now) = (book(2, None), Instant::now());
        assert_eq!(
            said(&mut book, &["a", "b", "c", "c"], now),
            ["a firing 1", "b firing 1", "c firing 1", "c firing 1"]
        );
        assert_eq!((book.len(), book.untracked), (2, 2));
        assert!(said(&mut book, &["a", "b"], now).is_empty());
    }

    #[test]
    fn what_another_process_does_with_home_counts() {
        let (mut book, start) = (book(10, None), Instant::now());
        said(&mut book, &["a", "b", "c"], start);
        let stored = |book: &Book, key: &str, count| {
            let entry = book.open[&("r".to_owned(), key.to_owned())].clone();
            OpenAlert {
                count,
                ..Change { key: ("r".to_owned(), key.to_owned()), entry, added: 0, is_over: false }.stored()
            }
        };
        let elsewhere = OpenAlert { json: br#"{"rule":"r","key":"d"}"#.to_vec(), ..stored(&book, "a", 1) };
        let home = vec![stored(&book, "a", 1), stored(&book, "b", 5), elsewhere];
        book.reconcile(home, start + SILENCE);
        let mut keys: Vec<_> = book.entries().map(|(key, entry)| (key.1.clone(), entry.count)).collect();
        keys.sort();
        assert_eq!(keys, [("a".to_owned(), 1), ("b".to_owned(), 5), ("d".to_owned(), 1)], "c was resolved elsewhere");
        let silent: Vec<_> = book.silent(start + SILENCE).into_iter().map(|(key, _)| key.1).collect();
        assert_eq!(silent, ["a"], "b is counted elsewhere, and d begins now");
    }
}
