//! What the producer's callers and its tasks share: where partitions are, what waits for them, and who waits for that.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::code::Code;
use super::connection::Broken;
use super::group::{Pending, lock};
use super::requests::{Metadata, Produced, Sending};
use super::settings::Settings;
use super::topic::{Partition, TopicState};
use super::window::{Outcome, ProducerId, Refusal};
use crate::kafka::NoticeKind;
use crate::kafka::sink::sentence;

/// Bytes of batches that wait or are under way, of all callers together.
const ROOM_KIB: u32 = 64 << 10;
/// A request takes no further batch from here on.
const REQUEST_BYTES: usize = 1 << 20;

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The topic's index.
    pub(super) topic: usize,
    pub(super) partition: u32,
}

/// See the module.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) topics: Vec<String>,
    pub(super) batch_bytes: usize,
    /// Held for as long as a batch is moved; never over a wait.
    state: Mutex<State>,
    /// How often the topics were looked at.
    looks: watch::Sender<u64>,
    /// Wakes the task that looks.
    pub(super) control: Notify,
    room: Arc<Semaphore>,
    acknowledged: AtomicU64,
}

struct State {
    /// By the topic's index.
    topics: Vec<TopicState>,
    brokers: HashMap<i32, Broker>,
    /// Partitions with batches that wait.
    waiting: BTreeSet<Target>,
    /// The newest id under which batches may be numbered.
    producer: Option<ProducerId>,
    wants_producer: bool,
    wants_look: bool,
    /// Why brokers do not answer, as of the last failure.
    trouble: Option<(NoticeKind, String)>,
}

struct Broker {
    address: (String, u16),
    wake: Arc<Notify>,
    has_task: bool,
}

/// A sending whose outcome is not known.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnderWay {
    target: Target,
    ticket: u64,
}

/// What a broker is to be sent.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) sendings: Vec<Sending>,
    pub(super) under_way: Vec<UnderWay>,
    /// When to look again though nothing happens.
    pub(super) again: Option<Instant>,
}

impl Shared {
    pub(super) fn new(settings: Settings, topics: Vec<String>, batch_bytes: usize) -> Self {
        let state = State {
            topics: topics.iter().map(|_| TopicState::default()).collect(),
            brokers: HashMap::new(),
            waiting: BTreeSet::new(),
            producer: None,
            // It will be wanted, and asking for it takes a moment.
            wants_producer: true,
            wants_look: true,
            trouble: None,
        };
        Self {
            settings,
            topics,
            batch_bytes,
            state: Mutex::new(state),
            looks: watch::Sender::new(0),
            control: Notify::new(),
            room: Arc::new(Semaphore::new(ROOM_KIB as usize)),
            acknowledged: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Messages that were stored so far.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Why nothing is acknowledged.
    pub(super) fn trouble(&self) -> String {
        let state = self.state();
        let told = state.trouble.as_ref().map(|(_, text)| text.clone());
        let of_topic = || {
            let mut waiting = state.waiting.iter().map(|target| target.topic);
            waiting.find_map(|topic| Some(sentence(&self.topics[topic], state.topics[topic].error?)))
        };
        told.or_else(of_topic).unwrap_or_else(|| {
            "no Kafka broker acknowledges; see whether the leaders of the topic's partitions are up, and `min.insync.replicas` \
             replicas with them"
                .to_owned()
        })
    }

    /// Ready once the topics were looked at.
    pub(super) async fn looked(&self) {
        // The sender is ours: waiting for it does not fail.
        let _ = self.looks.subscribe().wait_for(|looks| *looks > 0).await;
    }

    /// Ready once there is room for a batch of so many bytes.
    pub(super) async fn room(&self, bytes: usize) -> OwnedSemaphorePermit {
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(ROOM_KIB).min(ROOM_KIB);
        Arc::clone(&self.room).acquire_many_owned(kib).await.expect("it is never closed")
    }

    /// How many partitions a topic has.
    pub(super) fn partitions(&self, topic: usize) -> Result<u32, Code> {
        let state = self.state();
        let topic = &state.topics[topic];
        match topic.error {
            Some(code) => Err(code),
            None if topic.count == 0 => Err(Code::UNKNOWN_TOPIC_OR_PARTITION),
            None => Ok(topic.count),
        }
    }

    /// One of a topic's partitions, with a leader if any has one.
    pub(super) fn any_partition(&self, topic: usize) -> u32 {
        let state = self.state();
        let topic = &state.topics[topic];
        let partitions = topic.partitions.iter().zip(0..topic.count);
        let led: Vec<u32> =
            partitions.filter(|(partition, _)| partition.leader.is_some()).map(|(_, number)| number).collect();
        fastrand::choice(led).unwrap_or_else(|| fastrand::u32(0..topic.count.max(1)))
    }

    /// Has a batch wait for its turn.
    pub(super) fn push(&self, target: Target, pending: Pending) {
        let mut state = self.state();
        let topic = &mut state.topics[target.topic];
        // Since it was made, the topic may have got other partitions.
        let gone = topic.error.or((target.partition >= topic.count).then_some(Code::UNKNOWN_TOPIC_OR_PARTITION));
        if let Some(code) = gone {
            pending.failed(&code.into());
            return;
        }
        let partition = &mut topic.partitions[target.partition as usize];
        let records = pending.batch.count();
        partition.window.push(pending, records);
        let leader = partition.leader;
        state.waiting.insert(target);
        state.wake(leader);
    }

    /// Whether batches wait for a broker.
    pub(super) fn has_work(&self, broker: i32) -> bool {
        let state = self.state();
        let mut waiting = state.waiting.iter().map(|target| state.partition(*target));
        waiting.any(|partition| partition.leader == Some(broker) && partition.window.is_waiting())
    }

    /// Where a broker is.
    pub(super) fn address(&self, broker: i32) -> Option<(String, u16)> {
        self.state().brokers.get(&broker).map(|broker| broker.address.clone())
    }

    /// Where brokers are, of which one is asked for the others.
    pub(super) fn addresses(&self) -> Vec<(String, u16)> {
        let known = self.state().brokers.values().map(|broker| broker.address.clone()).collect::<Vec<_>>();
        let given =
            self.settings.config.brokers.iter().filter(|given| !known.contains(given)).cloned().collect::<Vec<_>>();
        known.into_iter().chain(given).collect()
    }

    /// Brokers that lead a partition and are not served yet; from now on they are.
    pub(super) fn take_new_brokers(&self) -> Vec<(i32, Arc<Notify>)> {
        let mut state = self.state();
        let leaders: BTreeSet<i32> =
            state.topics.iter().flat_map(|topic| &topic.partitions).filter_map(|partition| partition.leader).collect();
        let new = state.brokers.iter_mut().filter(|(id, broker)| leaders.contains(id) && !broker.has_task);
        new.map(|(id, broker)| {
            broker.has_task = true;
            (*id, Arc::clone(&broker.wake))
        })
        .collect()
    }

    /// What may be sent to a broker now; the partitions take turns, `last` being the one that was served last.
    pub(super) fn gather(&self, broker: i32, last: &mut Option<Target>) -> Gathered {
        let mut state = self.state();
        let behind = last.map_or(Bound::Unbounded, Bound::Excluded);
        let order: Vec<Target> = match *last {
            None => state.waiting.iter().copied().collect(),
            Some(last) => {
                let before = state.waiting.range(..=last);
                state.waiting.range((behind, Bound::Unbounded)).chain(before).copied().collect()
            }
        };
        let (mut gathered, mut bytes, now) = (Gathered::default(), 0, Instant::now());
        for target in order {
            if bytes >= REQUEST_BYTES {
                break;
            }
            let newest = state.producer;
            if state.topics[target.topic].error.is_some() {
                // What may be stored waits until the topic is back.
                continue;
            }
            let partition = state.partition_mut(target);
            if partition.leader != Some(broker) {
                continue;
            }
            if let Some(then) = partition.not_before.filter(|then| *then > now) {
                gathered.again = Some(gathered.again.map_or(then, |again| again.min(then)));
                continue;
            }
            if partition.window.needs_producer() {
                match newest.filter(|newest| partition.producer != Some(*newest)) {
                    Some(newest) => {
                        partition.producer = Some(newest);
                        partition.window.set_producer(newest);
                    }
                    None => {
                        state.wants_producer = true;
                        self.control.notify_one();
                        continue;
                    }
                }
            }
            if let Some((pending, numbered)) = partition.window.send() {
                bytes += pending.batch.bytes();
                let Target { topic, partition } = target;
                let batch = Arc::clone(&pending.batch);
                gathered.sendings.push(Sending { topic, partition, batch, numbered });
                gathered.under_way.push(UnderWay { target, ticket: numbered.ticket });
                *last = Some(target);
            }
            if !partition.window.is_waiting() {
                state.waiting.remove(&target);
            }
        }
        // As a request has them.
        gathered.sendings.sort_by_key(|sending| (sending.topic, sending.partition));
        gathered
    }

    /// What a broker answered to sendings; `None`: nothing.
    pub(super) fn settle(&self, under_way: &[UnderWay], answer: Option<&Produced>) {
        let mut state = self.state();
        for UnderWay { target, ticket } in under_way {
            let name = &self.topics[target.topic];
            let answered = answer.and_then(|answer| {
                let mut partitions = answer.partitions.iter();
                partitions.find(|of| of.partition.cast_unsigned() == target.partition && of.topic == *name)
            });
            let outcome = answered.map_or(Outcome::Open, |of| outcome(of.code, &of.records));
            if outcome != Outcome::Stored {
                state.wants_look = true;
                self.control.notify_one();
            }
            let partition = state.partition_mut(*target);
            match outcome {
                Outcome::Stored => partition.failures = 0,
                Outcome::Refused(_) => {}
                _ => partition.wait_longer(self.settings.config.retry_after),
            }
            partition.window.settle(*ticket, outcome, |pending, refusal| match refusal {
                // Counted before those who wait for it go on.
                None => {
                    self.acknowledged.fetch_add(pending.messages(), Ordering::Relaxed);
                    pending.stored();
                }
                Some(refusal) => pending.failed(&refusal),
            });
            if answered.is_some() {
                // Whatever is wrong, it is no longer that nobody answers.
                state.trouble = None;
            }
            state.wait_again(*target);
        }
    }

    /// Whether an id for numbering is wanted.
    pub(super) fn wants_producer(&self) -> bool {
        self.state().wants_producer
    }

    /// Whether the topics are to be looked at out of turn.
    pub(super) fn wants_look(&self) -> bool {
        self.state().wants_look
    }

    /// Has the topics looked at out of turn: a leader may be another one.
    pub(super) fn want_look(&self) {
        self.state().wants_look = true;
        self.control.notify_one();
    }

    /// An id under which nothing was numbered yet.
    pub(super) fn set_producer(&self, producer: ProducerId) {
        let mut state = self.state();
        (state.producer, state.wants_producer) = (Some(producer), false);
        state.wake_all();
    }

    /// There is no id: what waits for one has failed.
    pub(super) fn no_producer(&self, code: Code) {
        let mut state = self.state();
        // It is asked for again when something needs it.
        state.wants_producer = false;
        for partition in state.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.window.needs_producer() {
                partition.window.give_up(|pending| pending.failed(&code.into()));
            }
        }
    }

    /// What was seen of the topics.
    pub(super) fn look(&self, seen: Metadata) {
        let mut state = self.state();
        state.wants_look = false;
        for (id, host, port) in seen.brokers {
            let address = (host, port);
            match state.brokers.get_mut(&id) {
                Some(broker) => broker.address = address,
                None => {
                    state.brokers.insert(id, Broker { address, wake: Arc::default(), has_task: false });
                }
            }
        }
        for topic in seen.topics {
            if let Some(index) = self.topics.iter().position(|name| *name == topic.name) {
                state.topics[index].look(topic.error, &topic.leaders);
            }
        }
        state.wake_all();
        drop(state);
        self.looks.send_modify(|looks| *looks += 1);
    }

    /// That a connection failed. That a broker cannot be reached only follows from its refusal to let us in.
    pub(super) fn failed(&self, broken: &Broken) {
        let mut state = self.state();
        let is_refused = matches!(state.trouble, Some((NoticeKind::Authentication, _)));
        if !(is_refused && matches!(broken, Broken::Away(_))) {
            state.trouble = broken.notice();
        }
    }
}

impl State {
    fn partition(&self, target: Target) -> &Partition {
        &self.topics[target.topic].partitions[target.partition as usize]
    }

    fn partition_mut(&mut self, target: Target) -> &mut Partition {
        &mut self.topics[target.topic].partitions[target.partition as usize]
    }

    fn wake(&self, broker: Option<i32>) {
        if let Some(broker) = broker.and_then(|id| self.brokers.get(&id)) {
            broker.wake.notify_one();
        }
    }

    fn wake_all(&self) {
        self.brokers.values().for_each(|broker| broker.wake.notify_one());
    }

    /// Notes whether a partition has something to send, after something came back; it may have got another leader.
    fn wait_again(&mut self, target: Target) {
        let topic = &mut self.topics[target.topic];
        let is_gone = target.partition >= topic.count;
        let partition = &mut topic.partitions[target.partition as usize];
        if is_gone {
            partition.give_up();
        }
        if partition.window.is_waiting() {
            let leader = partition.leader;
            self.waiting.insert(target);
            self.wake(leader);
        }
    }
}

fn outcome(code: Code, records: &[u32]) -> Outcome {
    match code {
        Code::NONE | Code::DUPLICATE_SEQUENCE_NUMBER => Outcome::Stored,
        Code::OUT_OF_ORDER_SEQUENCE_NUMBER => Outcome::OutOfOrder,
        code if code.forgets_producer() => Outcome::Forgotten,
        code if code.leaves_open() => Outcome::Open,
        code if code.is_passing() => Outcome::Passing,
        code => Outcome::Refused(Refusal { code, records: records.to_vec() }),
    }
}
