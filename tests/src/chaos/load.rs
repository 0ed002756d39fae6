//! What keeps a chaos run under load: half of the events are there before it begins, the others are produced while it goes
//! on, and more of them for as long as faults are still to come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::events::{PARTITIONS, Stream};
use super::store::Reader;
use crate::kafka::Cluster;

/// Events handed to the broker at a time.
const SLICE: u64 = 5_000;
/// How often the ledger is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How fast events come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As fast as they are committed, and always ahead.
    Ahead,
    /// So many a second, whatever becomes of them.
    Steady(u64),
}

/// How far a run is; looked at by everybody who waits for something.
#[derive(Debug, Default)]
pub(super) struct Progress {
    produced: AtomicU64,
    committed: AtomicU64,
    faults_over: AtomicBool,
    given_up: AtomicBool,
}

impl Progress {
    /// Events that are in Kafka.
    pub(super) fn produced(&self) -> u64 {
        self.produced.load(Ordering::Relaxed)
    }

    /// Events that the ledger has passed; as it was when it was last seen.
    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Events that are in Kafka, and that the ledger has not passed.
    pub(super) fn waiting(&self) -> u64 {
        self.produced().saturating_sub(self.committed())
    }

    /// No fault is to come: the load ends with the planned number of events.
    pub(super) fn end_faults(&self) {
        self.faults_over.store(true, Ordering::Relaxed);
    }

    fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }
}

/// The threads of a load. Dropping it ends them.
pub(super) struct Load {
    progress: Arc<Progress>,
    producing: Option<JoinHandle<Result<()>>>,
    watching: Option<JoinHandle<()>>,
}

impl Load {
    /// Produces half of `events` events into `topic`, and then starts to produce the others at a pace and to look at the ledger.
    pub(super) fn start(
        cluster: Cluster,
        topic: String,
        stream: Stream,
        events: u64,
        pace: Pace,
        reader: Reader,
    ) -> Result<Self> {
        let progress = Arc::new(Progress::default());
        let mut feed = Feed { cluster, topic, stream, next: 0 };
        while feed.next < events / 2 {
            feed.produce_up_to(events / 2, &progress)?;
        }
        let producing = std::thread::spawn({
            let progress = Arc::clone(&progress);
            move || match pace {
                Pace::Ahead => produce(feed, events, &progress),
                Pace::Steady(rate) => produce_steadily(feed, rate, &progress),
            }
        });
        let watching = std::thread::spawn({
            let progress = Arc::clone(&progress);
            move || watch(reader, &progress)
        });
        Ok(Self { progress, producing: Some(producing), watching: Some(watching) })
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Whether everything is produced, or cannot be.
    pub(super) fn has_ended(&self) -> bool {
        self.producing.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for the last event; answers how many there are.
    pub(super) fn finish(&mut self) -> Result<u64> {
        let producing = self.producing.take().context("a load is finished once")?;
        producing.join().map_err(|_| anyhow!("the producing thread panicked"))??;
        Ok(self.progress.produced())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.progress.given_up.store(true, Ordering::Relaxed);
        let _ = self.producing.take().map(JoinHandle::join);
        let _ = self.watching.take().map(JoinHandle::join);
    }
}

struct Feed {
    cluster: Cluster,
    topic: String,
    stream: Stream,
    next: u64,
}

impl Feed {
    /// Produces a slice of events, the last one at most `end - 1`, and waits until it is there.
    fn produce_up_to(&mut self, end: u64, progress: &Progress) -> Result<()> {
        let end = end.min(self.next.saturating_add(SLICE));
        for index in self.next..end {
            let partition = i32::try_from(index % PARTITIONS)?;
            self.cluster.send(&self.topic, partition, &self.stream.record(index))?;
        }
        self.cluster.flush()?;
        self.next = end;
        progress.produced.store(end, Ordering::Relaxed);
        Ok(())
    }
}

/// Stays ahead of the commits by half of the planned events, and once these are there by a tenth, until no fault is to come.
fn produce(mut feed: Feed, events: u64, progress: &Progress) -> Result<()> {
    while !progress.is_given_up() {
        if feed.next >= events && progress.faults_over.load(Ordering::Relaxed) {
            break;
        }
        let (ahead, end) = if feed.next < events { (events / 2, events) } else { (events / 10, u64::MAX) };
        match feed.next < progress.committed() + ahead {
            true => feed.produce_up_to(end, progress)?,
            false => std::thread::sleep(LOOK),
        }
    }
    Ok(())
}

/// Produces what is due, until no fault is to come.
fn produce_steadily(mut feed: Feed, rate: u64, progress: &Progress) -> Result<()> {
    let (first, began) = (feed.next, Instant::now());
    while !progress.is_given_up() && !progress.faults_over.load(Ordering::Relaxed) {
        let due = first + rate * began.elapsed().as_millis() as u64 / 1_000;
        match feed.next < due {
            true => feed.produce_up_to(due, progress)?,
            false => std::thread::sleep(LOOK),
        }
    }
    Ok(())
}

fn watch(mut reader: Reader, progress: &Progress) {
    while !progress.is_given_up() {
        // The table is not there yet, or the database is away: the last look counts.
        if let Ok(ledger) = reader.ledger() {
            let committed = ledger.iter().map(|position| position.next_offset).sum();
            progress.committed.store(committed, Ordering::Relaxed);
        }
        std::thread::sleep(LOOK);
    }
}
