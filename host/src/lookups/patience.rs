//! The breaker of look-ups: whether batches wait for DNS. After some waits in vain they no longer do; queries go on beside the
//! stream, and the first answer within a deadline has batches wait again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::config::ReverseDnsConfig;
use crate::health::Health;

/// Waits in vain, one after the other, after which nobody waits. A batch waits in vain when nothing was answered in time meanwhile;
/// so does a query that nobody answered at all.
const STRIKES: u32 = 3;

/// The name of this part in `/health/ready`.
const PART: &str = "look-up reverse_dns";

/// Shared by all lanes.
#[derive(Debug)]
pub(super) struct Patience {
    strikes: AtomicU32,
    answers: AtomicU64,
    /// Answers come, though late.
    hears: AtomicBool,
    deadline: Duration,
    reason: String,
    health: Arc<Health>,
}

impl Patience {
    pub(super) fn new(settings: &ReverseDnsConfig, health: Arc<Health>) -> Self {
        health.green(PART);
        let servers: Vec<String> = settings.resolvers.iter().map(ToString::to_string).collect();
        let servers = if servers.is_empty() { "of the system".to_owned() } else { servers.join(", ") };
        let reason = format!(
            "the DNS servers ({servers}) do not answer within lookups.reverse_dns.deadline; events go on without the names that are \
             not known yet, and nobody waits until an answer comes in time; see to the servers, name others under \
             lookups.reverse_dns.resolvers, or raise the deadline"
        );
        Self {
            strikes: AtomicU32::new(0),
            answers: AtomicU64::new(0),
            hears: AtomicBool::new(true),
            deadline: settings.deadline,
            reason,
            health,
        }
    }

    /// Whether batches wait for answers.
    pub(super) fn waits(&self) -> bool {
        !self.deadline.is_zero() && self.strikes.load(Ordering::Relaxed) < STRIKES
    }

    /// Whether there are answers at all, in time or late.
    pub(super) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    /// Answers in time so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// Whether an answer after this time still counts; where nobody waits at all, each does.
    pub(super) fn is_in_time(&self, time: Duration) -> bool {
        self.deadline.is_zero() || time <= self.deadline
    }

    pub(super) fn answered_in_time(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.hears.store(true, Ordering::Relaxed);
        if self.strikes.swap(0, Ordering::Relaxed) >= STRIKES {
            self.health.green(PART);
        }
    }

    pub(super) fn answered_late(&self) {
        self.hears.store(true, Ordering::Relaxed);
    }

    pub(super) fn timed_out(&self) {
        self.hears.store(false, Ordering::Relaxed);
        self.strike();
    }

    /// A batch has waited for its whole time, since there were `before` answers.
    pub(super) fn waited_in_vain(&self, before: u64) {
        if self.answers() == before {
            self.strike();
        }
    }

    fn strike(&self) {
        // Only the strike that ends the waiting is told.
        let count = |strikes: u32| (strikes < STRIKES).then_some(strikes + 1);
        if self.strikes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count) == Ok(STRIKES - 1) {
            self.health.yellow(PART, self.reason.clone());
        }
    }
}
