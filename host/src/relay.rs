//! Where dead letters go besides home: relayed from there, each destination with a mark of its own, or written directly
//! where no home keeps them. At least once either way.

mod filter;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use wasmill_core::PartitionId;

use crate::config::SinkConfig;
use crate::delivery::{DeadLetter, Delivery};
use crate::health::Health;
use crate::output::{Output, Trouble};
use crate::pipeline::SetupError;
use crate::report::Tally;
use crate::store::{Store, StoreError};
use filter::Filter;

/// Dead letters relayed at a time.
const RELAY_MAX: i64 = 500;
/// How often new dead letters are looked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// One destination.
#[derive(Debug)]
pub struct Relay {
    // Held for a whole round, so that lines stay whole and two rounds do not relay the same letters.
    to: Mutex<Output>,
    /// Its name in home's relay marks.
    name: String,
    /// What health calls it.
    part: String,
    when: Option<Filter>,
    /// Where it is a sink: its index, and where its work is counted.
    sink: Option<(usize, Arc<Tally>)>,
}

/// A letter with what a destination wants of it: its partition, and when it was rejected (microseconds since 1970).
#[derive(Clone, Copy, Debug)]
struct Addressed<'l>(&'l PartitionId, &'l DeadLetter, i64);

/// How a write tells what it waits for.
type Told<'t> = &'t (dyn Fn(&str) + Sync);

impl Relay {
    /// One of `dead_letters`, called `name`.
    pub fn new(name: &str, to: Output) -> Self {
        let part = format!("dead letters to {name}");
        Self { to: Mutex::new(to), name: name.to_owned(), part, when: None, sink: None }
    }

    /// A sink of dead letters.
    ///
    /// # Errors
    /// When its condition names a field that cannot be read.
    pub fn sink(index: usize, sink: &SinkConfig, to: Output, tally: Arc<Tally>) -> Result<Self, SetupError> {
        let part = format!("sink {}", sink.name);
        let when = sink.when.as_deref().map(Filter::new).transpose();
        let when = when.map_err(|error| SetupError::Wrong(format!("{part}: {error}")))?;
        Ok(Self { to: Mutex::new(to), name: part.clone(), part, when, sink: Some((index, tally)) })
    }

    /// What health calls it.
    pub fn part(&self) -> &str {
        &self.part
    }

    /// Relays new dead letters for as long as it is polled, and says in `health` how that goes.
    pub async fn run(&self, home: &Store, health: &Health) {
        loop {
            match self.relay(home, health).await {
                Ok(()) => health.green(&self.part),
                Err(reason) => health.yellow(&self.part, reason),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Relays from where the mark stands, in the order of commits. Answers when none is left.
    ///
    /// # Errors
    /// A sentence; the next call goes on.
    pub async fn relay(&self, home: &Store, health: &Health) -> Result<(), String> {
        let to = self.to.lock().await;
        let text = |error: StoreError| error.to_string();
        let mut mark = home.relay_mark(&self.name).await.map_err(text)?;
        loop {
            let stored = home.dead_letters_after(mark, RELAY_MAX).await.map_err(text)?;
            let Some(last) = stored.last() else { return Ok(()) };
            let letters: Vec<_> = stored
                .iter()
                .map(|stored| Addressed(&stored.partition, &stored.letter, stored.rejected_at_us))
                .collect();
            self.write(&to, &letters, &|reason| health.yellow(&self.part, reason)).await;
            mark = last.id;
            home.set_relay_mark(&self.name, mark).await.map_err(text)?;
        }
    }

    /// Writes the letters of a group, rejected at `time_us`, trying again for ever: no home keeps them.
    pub async fn write_directly(&self, group: &[Delivery], time_us: i64, health: &Health) {
        let mut letters = Vec::new();
        for delivery in group {
            let partition = &**delivery.events.raw.partition();
            letters.extend(delivery.dead_letters.iter().map(|letter| Addressed(partition, letter, time_us)));
        }
        if letters.is_empty() {
            return;
        }
        let to = self.to.lock().await;
        self.write(&to, &letters, &|reason| health.red(&self.part, reason)).await;
        health.green(&self.part);
    }

    /// How far home's letters are at the destination.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn mark(&self, home: &Store) -> Result<i64, StoreError> {
        home.relay_mark(&self.name).await
    }

    /// Writes those that are wanted. What the destination refuses stays in home, and is told.
    async fn write(&self, to: &Output, letters: &[Addressed<'_>], told: Told<'_>) {
        let chosen = match &self.when {
            None => letters.to_vec(),
            Some(when) => when.choose(letters),
        };
        let told = |trouble: Trouble<'_>| {
            let (Trouble::Waiting(reason) | Trouble::Failed(reason)) = trouble else { return };
            if let (Some((sink, tally)), Trouble::Failed(_)) = (&self.sink, trouble) {
                tally.retry(*sink);
            }
            told(reason);
        };
        let mut refused = 0;
        for letters in by_partition(&chosen) {
            let row = |Addressed(partition, letter, time_us): &Addressed<'_>| to.letter(partition, letter, *time_us);
            let rows: Vec<_> = letters.iter().map(row).collect();
            let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
            for one in to.write(letters[0].0, &rows, &told).await {
                refused += 1;
                let Addressed(partition, letter, _) = letters[one.row];
                tracing::error!(
                    "{}: the dead letter of {partition} at offset {} is not taken: {}; correct that, and take the letter from home",
                    self.part,
                    letter.offset,
                    one.reason
                );
            }
        }
        if let Some((sink, tally)) = &self.sink {
            tally.relayed(*sink, chosen.len() as u64 - refused, (letters.len() - chosen.len()) as u64, refused);
        }
    }
}

/// The letters of each partition, in their order: few partitions, in many changes.
fn by_partition<'l>(letters: &[Addressed<'l>]) -> Vec<Vec<Addressed<'l>>> {
    let mut parts: Vec<Vec<Addressed<'l>>> = Vec::new();
    for letter in letters {
        match parts.iter_mut().find(|part| part[0].0 == letter.0) {
            Some(part) => part.push(*letter),
            None => parts.push(vec![*letter]),
        }
    }
    parts
}
