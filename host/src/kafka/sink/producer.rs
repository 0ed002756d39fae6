//! An idempotent producer that writes whole record batches.
//!
//! What is handed over in one call is sorted by partition, made into batches and compressed where the caller runs; batches of all callers
//! wait in their partition's [`Window`](window::Window), and one task for each broker sends what its partitions have
//! ready, several requests ahead of their answers. One more task keeps looking where the partitions are. The client library's own
//! producer takes every message by itself, which costs more than all the rest of a pipeline; what it costs a message is
//! in `docs/decisions/0006-a-producer-of-batches.md`.

mod batch;
mod code;
mod connection;
mod group;
mod partitioner;
mod requests;
mod sasl;
mod settings;
mod state;
mod tasks;
#[cfg(test)]
mod tests;
mod tls;
mod topic;
mod window;

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::frame::Frame;
use crate::config::KafkaOutput;
use crate::kafka::KafkaError;
use crate::output::Trouble;
use batch::Records;
pub(super) use code::Code;
use group::{Group, Pending};
use settings::Settings;
use state::{Shared, Target};

/// How long nothing may be acknowledged before that is told.
const STALLED: Duration = Duration::from_secs(3);

/// See the module. Dropping it abandons what was not acknowledged.
pub(super) struct Producer {
    shared: Arc<Shared>,
    control: JoinHandle<()>,
}

impl Producer {
    /// Begins to look for the brokers. Batches have at most `batch_bytes` bytes before compression, unless one message has more.
    ///
    /// # Errors
    /// A setting that is not taken.
    pub(super) fn start(output: &KafkaOutput, batch_bytes: usize) -> Result<Self, KafkaError> {
        let shared = Arc::new(Shared::new(Settings::new(output)?, output.topics.clone(), batch_bytes));
        let control = tokio::spawn(tasks::control(Arc::clone(&shared)));
        Ok(Self { shared, control })
    }

    /// Sends the `chosen` rows and waits, for ever, until each is stored or refused; those that were refused, in order. What is sent
    /// in one call to one partition is stored in its order.
    pub(super) async fn produce(
        &self,
        rows: &[&[u8]],
        chosen: &[usize],
        told: &(dyn Fn(Trouble<'_>) + Sync),
    ) -> Vec<(usize, Code)> {
        let mut patience = Patience::new(&self.shared, told);
        let group = Arc::new(Group::default());
        patience.wait(self.shared.looked()).await;
        let mut sorted = Sorted::new(&self.shared);
        for row in chosen {
            let message = Frame::read(rows[*row]);
            let target = match sorted.target(&message) {
                Ok(target) => target,
                Err(code) => {
                    group.fail(*row, code);
                    continue;
                }
            };
            if sorted.at(target).is_full_for(&message, self.shared.batch_bytes) {
                let full = sorted.take(target);
                self.send(target, full, &group, &mut patience).await;
            }
            sorted.at(target).push(&message, *row);
        }
        for (target, rest) in sorted.into_rest() {
            self.send(target, rest, &group, &mut patience).await;
        }
        patience.wait(group.done()).await;
        group.into_failed()
    }

    async fn send(&self, target: Target, place: Place, group: &Arc<Group>, patience: &mut Patience<'_>) {
        let batch = place.records.finish(self.shared.settings.codec, now_ms());
        let room = patience.wait(self.shared.room(batch.bytes())).await;
        self.shared.push(target, Pending::new(batch, place.rows, group, room));
    }

    /// Messages that were stored so far.
    #[cfg(test)]
    pub(super) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        // The tasks of the brokers end with it.
        self.control.abort();
    }
}

/// Messages of one call, by their partition.
struct Sorted<'p> {
    shared: &'p Shared,
    /// Once they are needed.
    topics: Vec<Option<Topic>>,
}

struct Topic {
    /// By partition; or why there is none.
    places: Result<Vec<Place>, Code>,
    /// Where messages without a key go: one partition for a batch, so that batches are large.
    any: Option<u32>,
}

/// A batch that grows.
#[derive(Default)]
struct Place {
    records: Records,
    /// Which of the call's rows they are.
    rows: Vec<u32>,
}

impl<'p> Sorted<'p> {
    fn new(shared: &'p Shared) -> Self {
        Self { shared, topics: shared.topics.iter().map(|_| None).collect() }
    }

    fn target(&mut self, message: &Frame<'_>) -> Result<Target, Code> {
        let shared = self.shared;
        let topic = self.topics[message.topic].get_or_insert_with(|| {
            let partitions = shared.partitions(message.topic);
            let places = partitions.map(|count| (0..count).map(|_| Place::default()).collect());
            Topic { places, any: None }
        });
        let count = topic.places.as_ref().map_err(|code| *code)?.len() as u32;
        let partition = shared.settings.config.partitioner.choose(message.key(), count).unwrap_or_else(|| {
            let any = *topic.any.get_or_insert_with(|| shared.any_partition(message.topic));
            any.min(count - 1)
        });
        Ok(Target { topic: message.topic, partition })
    }

    fn at(&mut self, target: Target) -> &mut Place {
        let topic = self.topics[target.topic].as_mut().and_then(|topic| topic.places.as_mut().ok());
        &mut topic.expect("`target` found it")[target.partition as usize]
    }

    fn take(&mut self, target: Target) -> Place {
        if let Some(topic) = &mut self.topics[target.topic] {
            topic.any = None;
        }
        std::mem::take(self.at(target))
    }

    /// What was not taken.
    fn into_rest(self) -> impl Iterator<Item = (Target, Place)> {
        let topics = self.topics.into_iter().enumerate();
        let places = topics.flat_map(|(topic, found)| {
            let places = found.and_then(|found| found.places.ok()).unwrap_or_default();
            places.into_iter().zip(0..).map(move |(place, partition)| (Target { topic, partition }, place))
        });
        places.filter(|(_, place)| !place.records.is_empty())
    }
}

impl Place {
    fn is_full_for(&self, message: &Frame<'_>, batch_bytes: usize) -> bool {
        !self.records.is_empty() && self.records.bytes() + message.bytes_max() > batch_bytes
    }

    fn push(&mut self, message: &Frame<'_>, row: usize) {
        self.records.push(message);
        self.rows.push(u32::try_from(row).expect("groups have far fewer rows"));
    }
}

/// Waits, and tells when nothing is acknowledged meanwhile.
struct Patience<'w> {
    shared: &'w Shared,
    told: &'w (dyn Fn(Trouble<'_>) + Sync),
    acknowledged: u64,
    since: Instant,
}

impl<'w> Patience<'w> {
    fn new(shared: &'w Shared, told: &'w (dyn Fn(Trouble<'_>) + Sync)) -> Self {
        Self { shared, told, acknowledged: shared.acknowledged(), since: Instant::now() }
    }

    async fn wait<T>(&mut self, ready: impl Future<Output = T>) -> T {
        let mut ready = pin!(ready);
        loop {
            if let Ok(done) = tokio::time::timeout(STALLED, ready.as_mut()).await {
                return done;
            }
            let acknowledged = self.shared.acknowledged();
            if acknowledged != self.acknowledged {
                (self.acknowledged, self.since) = (acknowledged, Instant::now());
            } else if self.since.elapsed() >= STALLED {
                self.since = Instant::now();
                (self.told)(Trouble::Waiting(&self.shared.trouble()));
            }
        }
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
