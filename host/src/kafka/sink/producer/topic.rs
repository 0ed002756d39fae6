//! A topic's partitions, with what waits for each.

use tokio::time::Instant;

use super::code::Code;
use super::group::Pending;
use super::window::{ProducerId, Refusal, Window};

/// A topic as it was last seen.
#[derive(Default)]
pub(super) struct TopicState {
    /// Why it cannot be written to.
    pub(super) error: Option<Code>,
    /// How many partitions it has.
    pub(super) count: u32,
    /// At least as many: one may have gone with batches under way.
    pub(super) partitions: Vec<Partition>,
}

/// One of its partitions.
#[derive(Default)]
pub(super) struct Partition {
    pub(super) leader: Option<i32>,
    pub(super) window: Window<Pending>,
    /// Under which it numbers, or did last.
    pub(super) producer: Option<ProducerId>,
    pub(super) not_before: Option<Instant>,
}

impl TopicState {
    /// Takes over what was seen: the leaders of its partitions, or why there are none.
    pub(super) fn look(&mut self, error: Code, leaders: &[Option<i32>]) {
        if error != Code::NONE && leaders.is_empty() {
            self.error = Some(error);
            let refusal = Refusal { code: error, records: Vec::new() };
            for partition in &mut self.partitions {
                partition.window.give_up_waiting(|pending| pending.failed(&refusal));
            }
            return;
        }
        (self.error, self.count) = (None, leaders.len() as u32);
        if self.partitions.len() < leaders.len() {
            self.partitions.resize_with(leaders.len(), Partition::default);
        }
        let leaders = leaders.iter().copied().map(Some).chain(std::iter::repeat(None));
        for (partition, leader) in self.partitions.iter_mut().zip(leaders) {
            match leader {
                Some(leader) => partition.leader = leader,
                None => partition.give_up(),
            }
        }
    }
}

impl Partition {
    /// It is not there any more.
    pub(super) fn give_up(&mut self) {
        self.leader = None;
        let refusal = Refusal { code: Code::UNKNOWN_TOPIC_OR_PARTITION, records: Vec::new() };
        self.window.give_up(|pending| pending.failed(&refusal));
    }
}
