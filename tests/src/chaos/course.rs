//! What the pipelines of a chaos run have in common: one topic of events, and what is done with them.

use anyhow::Result;
use wasmill::demo::events::STEP_MS;

use super::Plan;
use super::events::{PARTITIONS, PLUGINS};
use super::outlets::Outlets;
use super::store::{Reader, Store};
use crate::kafka::Cluster;
use crate::kafka_pipeline::wait;
use crate::pipeline::Pipeline;
use crate::services::unique;

/// The least batches of a run, so that even a short one has commits to be hit.
const BATCHES_MIN: u64 = 160;
/// Most events of a batch by default.
const BATCH_EVENTS: u64 = 2_000;

/// See the module.
pub(super) struct Course {
    brokers: String,
    /// Of the pipelines, and of the topic.
    name: String,
    events: u64,
    is_static: bool,
}

impl Course {
    /// Makes the topic.
    pub(super) fn new(plan: &Plan<'_>, brokers: &str) -> Result<Self> {
        let name = unique("chaos");
        create_topic(brokers, &name, i32::try_from(PARTITIONS)?)?;
        Ok(Self { brokers: brokers.to_owned(), name, events: plan.events, is_static: plan.is_static })
    }

    pub(super) fn topic(&self) -> &str {
        &self.name
    }

    pub(super) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A pipeline whose workers are a group of their own.
    pub(super) fn pipeline(&self, group: &str, store: &Store, outlets: &Outlets) -> Pipeline {
        let Self { brokers, name, .. } = self;
        let member = if self.is_static { "    group_instance_id: worker-1\n" } else { "" };
        let batch = (self.events / BATCHES_MIN).clamp(1, BATCH_EVENTS);
        let yaml = format!(
            "name: {name}
source:
  kafka:
    brokers: \"{brokers}\"
    topics: [{name}]
    group: {name}-{group}
    from: earliest
{member}    options: {{ session.timeout.ms: 6000, heartbeat.interval.ms: 500 }}
plugins: plugins.d
lookups: {{ reverse_dns: {{ fake: true }} }}
batch: {{ events_max: {batch} }}
retry: {{ initial: 50ms, max: 1s }}
admin: 127.0.0.1:0
{}{}",
            store.sinks(),
            outlets.yaml()
        );
        (1..)
            .zip(PLUGINS)
            .fold(Pipeline::new(&yaml), |pipeline, (place, (name, yaml))| pipeline.plugin(10 * place, name, yaml))
    }

    /// Makes the tables of a pipeline, and gives a reader of them.
    pub(super) fn prepare(&self, store: &Store, pipeline: &Pipeline) -> Result<Reader> {
        let mut reader = store.reader(&pipeline.path(""))?;
        store.make_tables(&mut reader, self.events * STEP_MS.unsigned_abs() / 1_000)?;
        Ok(reader)
    }
}

/// Makes a topic that keeps everything: events have times of their own, and some are older than what a broker keeps by default.
pub(super) fn create_topic(brokers: &str, name: &str, partitions: i32) -> Result<()> {
    wait(Cluster::at(brokers)?.create(name, partitions, &[("retention.ms", "-1")]))
}
