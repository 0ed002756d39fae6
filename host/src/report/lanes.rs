//! Counts by lane.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use wasmill_core::PartitionId;

use super::REFUSED_BY_DATABASE;
use super::work::{Work, count_code};
use crate::delivery::Delivery;

/// One lane's work.
#[derive(Clone, Debug, Serialize)]
pub struct LaneReport {
    /// Its topic (or file).
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Events whose batch is committed: passed, dropped and rejected together.
    pub received: u64,
    /// Events that went on to the sinks.
    pub passed: u64,
    /// Events that a validator dropped.
    pub dropped: u64,
    /// Events rejected before the sinks; dead letters.
    pub rejected: u64,
    /// Dead letters by code, with those of sinks.
    pub rejections: BTreeMap<String, u64>,
    /// Events that passed a plugin by because its breaker was open, once for each such plugin.
    pub skipped: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// What all plugins did for it.
    #[serde(flatten)]
    pub work: Work,
}

/// Counts of every lane that had a batch, also of those that another process has now.
#[derive(Debug, Default)]
pub(super) struct LaneCounts {
    /// The lane that was counted last is the likeliest next one.
    last: usize,
    lanes: Vec<(Arc<PartitionId>, LaneReport)>,
}

impl LaneCounts {
    pub(super) fn add(&mut self, delivery: &Delivery) {
        let received = delivery.events.raw.len() as u64;
        let lane = self.lane(delivery);
        lane.received += received;
        lane.passed += received - delivery.dropped - delivery.rejected;
        lane.dropped += delivery.dropped;
        lane.rejected += delivery.rejected;
        lane.alerts += delivery.alerts_raised;
        for letter in &delivery.dead_letters {
            count_code(&mut lane.rejections, &letter.code, 1);
        }
        for cost in &delivery.costs {
            lane.skipped += cost.skipped;
            lane.work.add(cost);
        }
    }

    /// Counts rows of the same lane as `delivery` that only the database refused.
    pub(super) fn add_refused(&mut self, delivery: &Delivery, refused: u64) {
        count_code(&mut self.lane(delivery).rejections, REFUSED_BY_DATABASE, refused);
    }

    /// By topic and partition.
    pub(super) fn reports(&self) -> Vec<LaneReport> {
        let mut reports: Vec<LaneReport> = self.lanes.iter().map(|(_, report)| report.clone()).collect();
        reports.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        reports
    }

    fn lane(&mut self, delivery: &Delivery) -> &mut LaneReport {
        let partition = delivery.events.raw.partition();
        if self.lanes.get(self.last).is_none_or(|(last, _)| last != partition) {
            self.last = self.lanes.iter().position(|(known, _)| known == partition).unwrap_or_else(|| {
                self.lanes.push((Arc::clone(partition), LaneReport::new(partition)));
                self.lanes.len() - 1
            });
        }
        &mut self.lanes[self.last].1
    }
}

impl LaneReport {
    fn new(partition: &PartitionId) -> Self {
        Self {
            topic: partition.topic.clone(),
            partition: partition.partition,
            received: 0,
            passed: 0,
            dropped: 0,
            rejected: 0,
            rejections: BTreeMap::new(),
            skipped: 0,
            alerts: 0,
            work: Work::default(),
        }
    }
}
