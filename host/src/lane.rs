//! A lane: one partition from source to commit.
//!
//! Two tasks with a bounded channel between them. The first receives a batch and has it processed on an engine thread; the
//! second takes whatever is ready, writes it as one group and moves the position on. While a sink is away the channel fills, the
//! first task stops reading, and the source stops fetching: back-pressure without a buffer that grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use wasmill_core::{PartitionId, RawBatch};
use wasmill_engine::{Broken, LaneMemory};

use crate::delivery::Delivery;
use crate::engine_threads::EngineThreads;
use crate::plugin_breakers::PluginBreakers;
use crate::process::{Begun, EngineWorker, Processor};
use crate::serving::Serving;
use crate::sinks::{Leases, Sinks};
use crate::watchdog;

/// Processed batches that may wait for a writer.
const READY_BATCHES: usize = 6;
/// Most events of a group: what one transaction stores.
const GROUP_EVENTS: usize = 10_000;

/// Where a lane's batches come from.
pub trait Reader: Send + 'static {
    /// The next batch, or how the lane ends: [`LaneEnd::Finished`] at the end of the input, [`LaneEnd::Stopped`] when the
    /// partition was taken away. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Result<RawBatch, LaneEnd>> + Send;
}

/// Why a lane cannot go on for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// A sentence that says what to do.
    pub reason: String,
    /// Whether starting the lane again may help; else somebody must act first.
    pub again: bool,
}

/// How a lane ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneEnd {
    /// The input has ended and everything is committed.
    Finished,
    /// It was told to stop or lost its partition, and everything that it had received is committed.
    Stopped,
    /// It cannot go on.
    Paused(Pause),
    /// Another process owns the partition.
    Fenced(String),
}

/// What a lane works with.
pub struct LaneParts {
    /// What batches go through: each by what serves when it is begun.
    pub serving: Arc<Serving>,
    /// What `memory` is for.
    pub processor: Arc<Processor>,
    /// How often others had been published when it took up those that it works with.
    pub taken_up: Arc<AtomicU64>,
    /// Whose batches they are.
    pub partition: Arc<PartitionId>,
    /// Where plugins run.
    pub engine: EngineThreads<EngineWorker>,
    /// Where everything goes.
    pub sinks: Arc<Sinks>,
    /// Where turns of breakers are told.
    pub breakers: Arc<PluginBreakers>,
    /// The hold on its ledger rows.
    pub leases: Leases,
    /// What plugins remember of the partition.
    pub memory: LaneMemory,
    /// Told each new position after it is committed: the source's own offset follows, it never leads.
    pub committed: Box<dyn Fn(i64) + Send>,
}

/// Tells a lane to receive nothing more and to commit what it has. Dropping it tells the same.
#[derive(Debug)]
pub struct LaneStop(watch::Sender<bool>);

impl LaneStop {
    /// Tells it.
    pub fn stop(&self) {
        // Fails only when the lane has ended already.
        let _ = self.0.send(true);
    }
}

/// A lane that reads and commits while its future is polled. Dropping the future abandons what is in flight; nothing of that is
/// committed.
pub fn lane(parts: LaneParts, reader: impl Reader) -> (LaneStop, impl Future<Output = LaneEnd> + Send) {
    let (stop, stopped) = watch::channel(false);
    (LaneStop(stop), run(parts, reader, stopped))
}

async fn run(parts: LaneParts, reader: impl Reader, stopped: watch::Receiver<bool>) -> LaneEnd {
    let (ready, queue) = mpsc::channel(READY_BATCHES);
    let (settled, settles) = watch::channel(i64::MIN);
    let LaneParts { serving, processor, taken_up, partition, engine, sinks, breakers, leases, memory, committed } =
        parts;
    breakers.forget(&partition, &[]);
    sinks.tell_other_generation(&leases, &processor.generation.id());
    let swap =
        Swap { serving, taken_up, sinks: Arc::clone(&sinks), breakers, partition, handed_over: i64::MIN, settles };
    let receiving = receive(reader, swap, (processor, memory), engine, ready, stopped);
    let committed = Box::new(move |offset| {
        committed(offset);
        // Fails only when nobody receives any more.
        let _ = settled.send(offset);
    });
    let delivering = deliver(queue, sinks, leases, committed);
    let (received, delivered) = tokio::join!(receiving, delivering);
    match delivered {
        Err(fenced) => LaneEnd::Fenced(fenced.to_string()),
        Ok(()) => received,
    }
}

/// How a lane goes over to other plugins.
struct Swap {
    serving: Arc<Serving>,
    taken_up: Arc<AtomicU64>,
    sinks: Arc<Sinks>,
    breakers: Arc<PluginBreakers>,
    partition: Arc<PartitionId>,
    /// Up to where batches were handed over to be committed.
    handed_over: i64,
    /// Up to where they are.
    settles: watch::Receiver<i64>,
}

impl Swap {
    /// What serves now, with a memory for it. Waits only where states begin or another version of them does: these are read from home
    /// once everything before is committed there.
    async fn turn(
        &mut self,
        processor: Arc<Processor>,
        mut memory: LaneMemory,
    ) -> Result<(Arc<Processor>, LaneMemory), LaneEnd> {
        // Counted before: what is published in between is taken up, and counts as not.
        let count = self.serving.count();
        let now = self.serving.now();
        if Arc::ptr_eq(&now, &processor) {
            return Ok((processor, memory));
        }
        if !now.generation.continues(&processor.generation) {
            if self.sinks.home().is_none() {
                memory.pass_on(&processor.generation, &now.generation);
            } else {
                let all = self.handed_over;
                // Nobody delivers any more: the lane ends for a reason of its own.
                self.settles.wait_for(|settled| *settled >= all).await.map_err(|_| LaneEnd::Stopped)?;
                let remembered = self.sinks.remember_patiently(&self.partition, &now.generation).await;
                memory = remembered.map_err(|reason| LaneEnd::Paused(Pause { reason, again: true }))?;
            }
        }
        let same = now.generation.same(&processor.generation);
        memory.forgive_others(&same);
        self.breakers.forget(&self.partition, &same);
        self.taken_up.store(count, Ordering::Relaxed);
        Ok((now, memory))
    }
}

async fn receive(
    mut reader: impl Reader,
    mut swap: Swap,
    (mut processor, mut memory): (Arc<Processor>, LaneMemory),
    engine: EngineThreads<EngineWorker>,
    ready: mpsc::Sender<Delivery>,
    mut stopped: watch::Receiver<bool>,
) -> LaneEnd {
    loop {
        // Room first: what cannot be delivered is not received.
        let room = tokio::select! {
            biased;
            _ = asked(&mut stopped) => return LaneEnd::Stopped,
            room = ready.reserve() => room,
        };
        let Ok(room) = room else { return LaneEnd::Stopped };
        let raw = tokio::select! {
            biased;
            _ = asked(&mut stopped) => return LaneEnd::Stopped,
            // Fenced: a quiet partition would never say so.
            () = ready.closed() => return LaneEnd::Stopped,
            raw = reader.next() => raw,
        };
        let raw = match raw {
            Ok(raw) => raw,
            Err(end) => return end,
        };
        (processor, memory) = tokio::select! {
            biased;
            _ = asked(&mut stopped) => return LaneEnd::Stopped,
            turned = swap.turn(processor, memory) => match turned {
                Ok(turned) => turned,
                Err(end) => return end,
            },
        };
        let first = raw.first_offset();
        match process(&processor, &engine, raw, memory).await {
            Ok((delivery, kept)) => {
                memory = kept;
                delivery.turns.iter().for_each(|turn| swap.breakers.turned(&swap.partition, turn));
                swap.handed_over = delivery.events.raw.next_offset();
                room.send(delivery);
            }
            Err(Lost::Broken(broken)) => {
                if let Broken::Stuck { plugin, .. } = &broken {
                    swap.sinks.tally.stuck(plugin);
                }
                broken.turn(first).iter().for_each(|turn| swap.breakers.turned(&swap.partition, turn));
                let again = matches!(broken, Broken::Engine { .. });
                return LaneEnd::Paused(Pause { reason: broken.to_string(), again });
            }
            Err(Lost::Engine(reason)) => return LaneEnd::Paused(Pause { reason, again: false }),
        }
    }
}

/// Why a batch came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("{0}")]
    Broken(Broken),
    /// An engine thread failed inside the host.
    #[error("{0}")]
    Engine(String),
}

/// Has a batch processed. Where names are to be asked for, that is done between two visits to an engine thread.
pub(crate) async fn process(
    processor: &Arc<Processor>,
    engine: &EngineThreads<EngineWorker>,
    raw: RawBatch,
    memory: LaneMemory,
) -> Result<(Delivery, LaneMemory), Lost> {
    let begin = move |processor: &Processor, memory: &mut LaneMemory, worker: &mut EngineWorker| {
        processor.begin(raw, memory, worker)
    };
    let (begun, memory) = on_engine(processor, engine, memory, begin).await?;
    let mut asking = match begun {
        Begun::Done(delivery) => return Ok((*delivery, memory)),
        Begun::Asks(asking) => asking,
    };
    let lookups = processor.lookups.as_ref().expect("only look-ups ask");
    let answers = lookups.reverse_dns.resolve(std::mem::take(&mut asking.missing)).await;
    let finish = move |processor: &Processor, memory: &mut LaneMemory, worker: &mut EngineWorker| {
        processor.finish(*asking, &answers, memory, worker)
    };
    on_engine(processor, engine, memory, finish).await
}

/// Runs a part of the processing on an engine thread, and looks from outside whether a plugin takes too long.
async fn on_engine<T: Send + 'static>(
    processor: &Arc<Processor>,
    engine: &EngineThreads<EngineWorker>,
    mut memory: LaneMemory,
    part: impl FnOnce(&Processor, &mut LaneMemory, &mut EngineWorker) -> Result<T, Broken> + Send + 'static,
) -> Result<(T, LaneMemory), Lost> {
    let (begun, begins) = oneshot::channel();
    let processed = engine.run({
        let processor = Arc::clone(processor);
        move |worker| {
            // Fails only when nobody waits for the batch any more.
            let _ = begun.send(worker.plugins.watch());
            let done = part(&processor, &mut memory, worker);
            (done, memory)
        }
    });
    let processed = tokio::select! {
        biased;
        processed = processed => processed,
        stuck = watchdog::stuck(&processor.generation, begins) => return Err(Lost::Broken(stuck)),
    };
    match processed {
        Ok((Ok(done), memory)) => Ok((done, memory)),
        Ok((Err(broken), _)) => Err(Lost::Broken(broken)),
        Err(lost) => Err(Lost::Engine(lost.to_string())),
    }
}

/// Ready when a stop is asked for or nobody is left who could ask.
async fn asked(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn deliver(
    mut queue: mpsc::Receiver<Delivery>,
    sinks: Arc<Sinks>,
    mut leases: Leases,
    committed: Box<dyn Fn(i64) + Send>,
) -> Result<(), crate::sinks::Fenced> {
    while let Some(first) = queue.recv().await {
        // While all writers are busy more gets ready, so groups grow with the load and are small without it.
        let _writer = sinks.writers.acquire().await.expect("the semaphore is never closed");
        let mut group = take_ready(first, &mut queue);
        sinks.write(&mut leases, &mut group).await?;
        committed(group.last().expect("a group has its first").events.raw.next_offset());
    }
    Ok(())
}

fn take_ready(first: Delivery, queue: &mut mpsc::Receiver<Delivery>) -> Vec<Delivery> {
    let mut events = first.events.raw.len();
    let mut group = vec![first];
    while events < GROUP_EVENTS {
        let Ok(next) = queue.try_recv() else { break };
        events += next.events.raw.len();
        group.push(next);
    }
    group
}
