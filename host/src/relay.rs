//! Where dead letters go besides home: relayed from there, each destination with a mark of its own, or written directly
//! where no home keeps them. At least once either way.

use std::time::Duration;

use tokio::sync::Mutex;
use wasmill_core::PartitionId;

use crate::config::RetryConfig;
use crate::dead_letters;
use crate::delivery::{DeadLetter, Delivery};
use crate::health::Health;
use crate::kafka::sink::{KafkaSink, Trouble};
use crate::lines::LineSink;
use crate::retry::Backoff;
use crate::store::{Store, StoreError};

/// Dead letters relayed at a time.
const RELAY_MAX: i64 = 500;
/// How often new dead letters are looked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// One destination.
#[derive(Debug)]
pub struct Relay {
    // Held for a whole round, so that lines stay whole and two rounds do not relay the same letters.
    to: Mutex<Destination>,
    /// Its name in home's relay marks.
    name: &'static str,
}

/// Where letters go.
#[derive(Debug)]
enum Destination {
    File(LineSink),
    Kafka(KafkaSink),
}

/// A letter with what a destination wants of it: its partition, and when it was rejected (microseconds since 1970).
struct Addressed<'l>(&'l PartitionId, &'l DeadLetter, i64);

impl Relay {
    /// To a file.
    pub fn to_file(file: LineSink) -> Self {
        Self { to: Mutex::new(Destination::File(file)), name: "file" }
    }

    /// To a topic.
    pub fn to_kafka(kafka: KafkaSink) -> Self {
        Self { to: Mutex::new(Destination::Kafka(kafka)), name: "kafka" }
    }

    /// What health calls it.
    pub fn part(&self) -> String {
        format!("dead letters to {}", self.name)
    }

    /// Relays new dead letters for as long as it is polled, and says in `health` how that goes.
    pub async fn run(&self, home: &Store, health: &Health) {
        loop {
            match self.relay(home, health).await {
                Ok(()) => health.green(&self.part()),
                Err(reason) => health.yellow(&self.part(), reason),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Relays from where the mark stands, in the order of commits. Answers when none is left.
    ///
    /// # Errors
    /// A sentence; the next call goes on.
    pub async fn relay(&self, home: &Store, health: &Health) -> Result<(), String> {
        let mut to = self.to.lock().await;
        let text = |error: StoreError| error.to_string();
        let mut mark = home.relay_mark(self.name).await.map_err(text)?;
        loop {
            let stored = home.dead_letters_after(mark, RELAY_MAX).await.map_err(text)?;
            let Some(last) = stored.last() else { return Ok(()) };
            let letters: Vec<_> = stored
                .iter()
                .map(|stored| Addressed(&stored.partition, &stored.letter, stored.rejected_at_us))
                .collect();
            to.write(&letters, &|reason| health.yellow(&self.part(), reason)).await?;
            mark = last.id;
            home.set_relay_mark(self.name, mark).await.map_err(text)?;
        }
    }

    /// Writes the letters of a group, rejected at `time_us`, trying again for ever: no home keeps them.
    pub async fn write_directly(&self, group: &[Delivery], time_us: i64, retry: RetryConfig, health: &Health) {
        let mut letters = Vec::new();
        for delivery in group {
            let partition = &**delivery.events.raw.partition();
            letters.extend(delivery.dead_letters.iter().map(|letter| Addressed(partition, letter, time_us)));
        }
        if letters.is_empty() {
            return;
        }
        let mut backoff = Backoff::new(retry);
        let mut to = self.to.lock().await;
        while let Err(reason) = to.write(&letters, &|reason| health.red(&self.part(), reason)).await {
            health.red(&self.part(), reason);
            backoff.wait().await;
        }
        health.green(&self.part());
    }

    /// How far home's letters are at the destination.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn mark(&self, home: &Store) -> Result<i64, StoreError> {
        home.relay_mark(self.name).await
    }
}

impl Destination {
    /// Writes letters, and tells what it waits for.
    async fn write(&mut self, letters: &[Addressed<'_>], told: &(dyn Fn(&str) + Sync)) -> Result<(), String> {
        match self {
            Self::File(file) => {
                let mut lines = Vec::new();
                for Addressed(partition, letter, time_us) in letters {
                    dead_letters::append_line(&mut lines, partition, letter, *time_us);
                }
                file.write(&[&lines]).await
            }
            Self::Kafka(kafka) => {
                let messages: Vec<_> = letters
                    .iter()
                    .map(|Addressed(partition, letter, time_us)| kafka.letter(partition, letter, *time_us))
                    .collect();
                let rows: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
                let told = |trouble: Trouble<'_>| told(trouble.reason());
                let refused = kafka.write(&rows, &told);
                for one in refused.await {
                    let Addressed(partition, letter, _) = letters[one.row];
                    tracing::error!(
                        "the dead letter of {partition} at offset {} is not in its topic: {}; correct the topic, and take the \
                         letter from home",
                        letter.offset,
                        one.reason
                    );
                }
                Ok(())
            }
        }
    }
}
