//! A topic's partitions, with what waits for each.

use std::time::Duration;

use tokio::time::Instant;

use super::code::Code;
use super::group::Pending;
use super::window::{ProducerId, Window};

/// How often the wait after a failure doubles.
const DOUBLINGS_MAX: u32 = 4;

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
    /// When something may be sent again after a failure.
    pub(super) not_before: Option<Instant>,
    /// How often something failed since a batch was stored.
    pub(super) failures: u32,
}

impl TopicState {
    /// Takes over what was seen: the leaders of its partitions, or why there are none.
    pub(super) fn look(&mut self, error: Code, leaders: &[Option<i32>]) {
        if error != Code::NONE && leaders.is_empty() {
            self.error = Some(error);
            let refusal = error.into();
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
    /// Waits before something is sent again: `first`, and twice as long after each failure, up to sixteen times. What fails while it
    /// waits failed with the rest.
    pub(super) fn wait_longer(&mut self, first: Duration) {
        let now = Instant::now();
        if self.not_before.is_none_or(|then| then <= now) {
            self.not_before = Some(now + pause(first, self.failures));
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// It is not there any more.
    pub(super) fn give_up(&mut self) {
        self.leader = None;
        let refusal = Code::UNKNOWN_TOPIC_OR_PARTITION.into();
        self.window.give_up(|pending| pending.failed(&refusal));
    }
}

fn pause(first: Duration, failures: u32) -> Duration {
    first * 2_u32.pow(failures.min(DOUBLINGS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_with_each_failure_up_to_sixteen_times() {
        let waits = [0, 1, 4, 5, u32::MAX].map(|failures| pause(Duration::from_millis(100), failures).as_millis());
        assert_eq!(waits, [100, 200, 1_600, 1_600, 1_600]);
    }

    #[test]
    fn what_fails_together_is_one_failure() {
        let mut partition = Partition::default();
        (0..5).for_each(|_| partition.wait_longer(Duration::from_secs(60)));
        assert_eq!(partition.failures, 1);
    }
}
