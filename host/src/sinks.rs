//! The sinks of a running pipeline, and the writing of a group of deliveries to all of them: what is no database first, all at the
//! same time, then the other databases, home last.

mod replay;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use wasmill_core::{Digest, PartitionId};
use wasmill_engine::{Generation, LaneMemory};

use crate::breaker::Breaker;
use crate::delivery::Delivery;
use crate::health::Health;
use crate::life::{Life, RaisedAlert};
use crate::output::{Output, Refused, Trouble};
use crate::relay::Relay;
use crate::report::{GroupResult, Tally};
use crate::states;
use crate::store::{Committed, Lease, Store, StoreError};

pub use replay::{Kept, ReplayLimits};

/// How often alerts are looked for of which nothing is heard.
const LOOK_FOR_SILENCE: Duration = Duration::from_millis(500);

/// All sinks, connected.
#[derive(Debug)]
pub struct Sinks {
    /// By sink index: its name.
    pub names: Vec<Arc<str>>,
    /// The databases.
    pub stores: Vec<StoreSinks>,
    /// Which of `stores` is home, if any.
    pub home: Option<usize>,
    /// What is no database, by sink index.
    pub outputs: Vec<SinkOutput>,
    /// Where dead letters go besides home.
    pub relays: Vec<Arc<Relay>>,
    /// How many groups are written at the same time.
    pub writers: Semaphore,
    /// Where failures are shown.
    pub health: Arc<Health>,
    /// Where work is counted.
    pub tally: Arc<Tally>,
}

/// A destination that is no database.
#[derive(Debug)]
pub struct SinkOutput {
    /// The sink's index.
    pub sink: usize,
    /// Where its rows go.
    pub to: Output,
    /// How its alerts live, where they do.
    pub life: Option<Arc<Life>>,
}

/// A database with its sinks. They share its transaction, so they share its breaker.
#[derive(Debug)]
pub struct StoreSinks {
    /// The database.
    pub store: Store,
    /// The indices of its sinks.
    pub sinks: Vec<usize>,
    /// Keeps lanes off it while it is away.
    pub breaker: Breaker,
}

/// A lane's hold on its ledger rows, one per store in their order.
#[derive(Debug)]
pub struct Leases(Vec<Lease>);

/// What came of a group at a destination that is no database.
struct Written {
    refused: Vec<Refused>,
    took: Duration,
}

/// Another process took the partition over.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fenced(String);

impl Sinks {
    /// Home, where a lane's position is kept; `None` when no sink is a database.
    pub fn home(&self) -> Option<&Store> {
        self.home.map(|home| &self.stores[home].store)
    }

    /// Takes a partition over in every store. The position is home's; a store that does not know the partition yet begins there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn acquire(&self, partition: &Arc<PartitionId>, start: i64) -> Result<Leases, StoreError> {
        let mut leases = Vec::with_capacity(self.stores.len());
        for StoreSinks { store, .. } in &self.stores {
            leases.push(store.acquire(partition, start).await?);
        }
        Ok(Leases(leases))
    }

    /// Where the lane goes on: what home says; `None` without a home.
    pub fn position(&self, leases: &Leases) -> Option<i64> {
        self.home.map(|home| leases.0[home].next_offset)
    }

    /// Says so where the lane goes on with another generation than the one that committed last in home: what that ran and did not
    /// commit, as before a crash, is run again by this one.
    pub fn tell_other_generation(&self, leases: &Leases, generation: &Digest) {
        let Some(lease) = self.home.map(|home| &leases.0[home]) else { return };
        let Some(before) = lease.generation.as_deref().filter(|before| *before != generation.to_string()) else {
            return;
        };
        tracing::info!(
            partition = %lease.partition, offset = lease.next_offset, before, now = %generation,
            "the lane goes on with another generation than before: what that ran from the offset on without committing it is run again"
        );
    }

    /// What plugins remember of a partition that was taken over; nothing without a home.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remember(
        &self,
        partition: &Arc<PartitionId>,
        generation: &Generation,
    ) -> Result<LaneMemory, StoreError> {
        match self.home() {
            Some(home) => states::restore(home, partition, generation).await,
            None => Ok(LaneMemory::new()),
        }
    }

    /// The same for a lane that runs, which waits while home is away.
    ///
    /// # Errors
    /// A sentence: what home has is not for these plugins.
    pub async fn remember_patiently(
        &self,
        partition: &Arc<PartitionId>,
        generation: &Generation,
    ) -> Result<LaneMemory, String> {
        let Some(StoreSinks { sinks, breaker, .. }) = self.home.map(|home| &self.stores[home]) else {
            return Ok(LaneMemory::new());
        };
        loop {
            let attempt = breaker.attempt().await;
            match self.remember(partition, generation).await {
                Err(StoreError::Transient(reason)) => {
                    sinks.iter().for_each(|sink| self.failed(*sink, &reason));
                    attempt.failed();
                }
                answer => {
                    attempt.succeeded();
                    return answer.map_err(|error| error.to_string());
                }
            }
        }
    }

    /// Writes a group of consecutive deliveries of one lane to every sink and counts it. Failures are repeated for ever: whoever has
    /// no time left drops the future, and what was not committed is done again after the next start. What a sink turns out not to
    /// take becomes a dead letter of the group.
    ///
    /// # Errors
    /// When another process owns the partition now.
    pub async fn write(&self, leases: &mut Leases, group: &mut [Delivery]) -> Result<(), Fenced> {
        let mut result = GroupResult { refused_late: vec![0; self.names.len()], took: vec![None; self.names.len()] };
        let written = join_all(self.outputs.iter().map(|output| self.write_rows(output, group))).await;
        for (SinkOutput { sink, .. }, written) in self.outputs.iter().zip(written) {
            let Some(Written { refused, took }) = written else { continue };
            self.refuse(*sink, refused, group);
            result.took[*sink] = Some(took);
        }
        for relay in self.relays.iter().filter(|_| self.home.is_none()) {
            relay.write_directly(group, now_us(), &self.health).await;
        }
        let others = (0..self.stores.len()).filter(|store| Some(*store) != self.home);
        for store in others.chain(self.home) {
            let (committed, took) = self.commit(store, &mut leases.0[store], group).await?;
            for sink in &self.stores[store].sinks {
                result.refused_late[*sink] = committed.refused[*sink];
                result.took[*sink] = Some(took);
            }
        }
        self.tally.commit(group, &result);
        Ok(())
    }

    /// Writes what a group has for a destination; `None`: nothing.
    async fn write_rows(&self, output: &SinkOutput, group: &[Delivery]) -> Option<Written> {
        let sink = output.sink;
        if group.iter().all(|delivery| delivery.encoded[sink].is_empty()) {
            return None;
        }
        let started = Instant::now();
        let refused = self.refused_by(output, group).await;
        self.health.green(&self.part(sink));
        Some(Written { refused, took: started.elapsed() })
    }

    /// Makes what a destination did not take dead letters of the group.
    fn refuse(&self, sink: usize, refused: Vec<Refused>, group: &mut [Delivery]) {
        let mut refused = refused.into_iter().peekable();
        let mut first = 0;
        for delivery in group {
            let next = first + delivery.encoded[sink].len();
            let mut of_delivery = Vec::new();
            while let Some(Refused { row, code, reason }) = refused.next_if(|refused| refused.row < next) {
                of_delivery.push((row - first, code, reason));
            }
            if !of_delivery.is_empty() {
                delivery.refuse(sink, &self.names[sink], of_delivery);
            }
            first = next;
        }
    }

    /// Writes the rows of a group until each is there or refused; which are refused.
    async fn refused_by(&self, SinkOutput { sink, to, life }: &SinkOutput, group: &[Delivery]) -> Vec<Refused> {
        let told = |trouble: Trouble<'_>| self.told(*sink, trouble);
        let Some(first) = group.first() else { return Vec::new() };
        let partition = first.events.raw.partition();
        match life {
            None => {
                let rows: Vec<&[u8]> = group.iter().flat_map(|delivery| delivery.encoded[*sink].iter()).collect();
                to.write(partition, &rows, &told).await
            }
            Some(life) => {
                let alerts: Vec<RaisedAlert<'_>> =
                    group.iter().flat_map(|delivery| raised(delivery, *sink, partition)).collect();
                life.write(to, self.home(), &alerts, &told).await
            }
        }
    }

    /// Resolves the alerts of which nothing is heard at a destination, for as long as it is polled.
    pub async fn resolve(&self, SinkOutput { sink, to, life }: &SinkOutput) {
        let Some(life) = life else { return };
        let is_in_trouble = AtomicBool::new(false);
        let told = |trouble: Trouble<'_>| {
            is_in_trouble.store(true, Ordering::Relaxed);
            self.told(*sink, trouble);
        };
        loop {
            let is_done = life.look_for_silence(to, self.home(), &told).await;
            if is_done && is_in_trouble.swap(false, Ordering::Relaxed) {
                self.health.green(&self.part(*sink));
            }
            tokio::time::sleep(LOOK_FOR_SILENCE).await;
        }
    }

    fn told(&self, sink: usize, trouble: Trouble<'_>) {
        match trouble {
            Trouble::Waiting(reason) => self.red(sink, reason),
            Trouble::Failed(reason) => self.failed(sink, reason),
            Trouble::Over => self.health.green(&self.part(sink)),
        }
    }

    async fn commit(
        &self,
        store: usize,
        lease: &mut Lease,
        group: &[Delivery],
    ) -> Result<(Committed, Duration), Fenced> {
        let StoreSinks { store: database, sinks, breaker } = &self.stores[store];
        loop {
            let attempt = breaker.attempt().await;
            let started = Instant::now();
            let reason = match database.commit(lease, group).await {
                Ok(committed) => {
                    attempt.succeeded();
                    sinks.iter().for_each(|sink| self.health.green(&self.part(*sink)));
                    return Ok((committed, started.elapsed()));
                }
                Err(StoreError::Transient(reason) | StoreError::Setup(reason)) => reason,
                Err(fenced @ StoreError::Fenced { .. }) => {
                    // The database answered; it is this lane that cannot go on.
                    attempt.succeeded();
                    return Err(Fenced(fenced.to_string()));
                }
            };
            for sink in sinks {
                self.failed(*sink, &reason);
            }
            attempt.failed();
        }
    }

    /// The id of home's last dead letter that needs not be kept to be relayed.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn relayed(&self) -> Result<i64, StoreError> {
        let Some(home) = self.home() else { return Ok(i64::MAX) };
        let mut relayed = i64::MAX;
        for relay in &self.relays {
            relayed = relayed.min(relay.mark(home).await?);
        }
        Ok(relayed)
    }

    fn failed(&self, sink: usize, reason: &str) {
        self.tally.retry(sink);
        self.red(sink, reason);
    }

    fn red(&self, sink: usize, reason: &str) {
        self.health
            .red(&self.part(sink), format!("{reason}; nothing is lost, lanes wait and the write is tried again"));
    }

    fn part(&self, sink: usize) -> String {
        format!("sink {}", self.names[sink])
    }
}

/// The alerts of a delivery that a sink wants.
fn raised<'d>(
    delivery: &'d Delivery,
    sink: usize,
    partition: &'d Arc<PartitionId>,
) -> impl Iterator<Item = RaisedAlert<'d>> {
    let alerts = &delivery.batch_of(sink).raw;
    delivery.encoded[sink].events.iter().map(move |event| {
        let record = &alerts.records()[*event as usize];
        let json = alerts.payload(*event as usize).unwrap_or_default();
        RaisedAlert { partition, offset: record.offset, time_ns: record.timestamp_ns, json }
    })
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
