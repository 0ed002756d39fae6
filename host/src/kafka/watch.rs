//! Looks once a second whether the topics that are read are still the same ones, and whether brokers answer at all.
//!
//! librdkafka goes on at the old offset when a topic is deleted and made anew, so the topic's id is compared here. Between
//! two looks a new topic that already has more records than the old one can be read under the old one's name for up to
//! [`LOOK_EVERY`]; a new topic that is shorter ends the reader at once (offset out of range).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::Context;
use super::link::Ended;
use super::native::{self, TopicProblem, TopicState};
use super::{NoticeKind, TopicPartition};

/// The time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look waits for its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Looks in a row that must miss a topic before its readers end: brokers that just started know fewer topics.
const MISSED_MAX: u32 = 5;

/// What earlier looks saw.
#[derive(Default)]
pub(super) struct Watch {
    missed: HashMap<String, u32>,
    away: bool,
}

/// What a look found out.
pub(super) struct Look {
    states: Result<Vec<TopicState>, String>,
}

/// Asks the brokers; blocks for some seconds at most. `None`: nothing is read.
pub(super) fn look(consumer: &BaseConsumer<Context>) -> Option<Look> {
    let mut names: Vec<String> =
        consumer.context().partitions().begun.values().map(|link| link.partition.topic.clone()).collect();
    names.sort_unstable();
    names.dedup();
    (!names.is_empty()).then(|| Look { states: native::describe_topics(consumer, &names, ANSWER) })
}

impl Watch {
    /// Ends the readers of topics that are gone or replaced. Returns the partitions to be assigned anew.
    pub(super) fn judge(&mut self, consumer: &Arc<BaseConsumer<Context>>, look: Look) -> Vec<TopicPartition> {
        let context = consumer.context();
        let states = match look.states {
            Ok(states) => states,
            Err(reason) => {
                self.away = true;
                context.notice(
                    NoticeKind::Away,
                    format!("the Kafka brokers do not answer ({reason}); trying again until they do"),
                );
                return Vec::new();
            }
        };
        if std::mem::take(&mut self.away) {
            context.settled(NoticeKind::Away);
            context.settled(NoticeKind::Back);
            context.notice(NoticeKind::Back, "the Kafka brokers answer again".to_owned());
        }
        states.into_iter().flat_map(|state| self.judge_topic(context, state)).collect()
    }

    fn judge_topic(&mut self, context: &Context, TopicState { name, id }: TopicState) -> Vec<TopicPartition> {
        match id {
            Ok(id) => {
                self.missed.remove(&name);
                replaced(context, &name, &id)
            }
            Err(TopicProblem::Absent) => {
                let missed = self.missed.entry(name.clone()).or_default();
                *missed += 1;
                if *missed == MISSED_MAX {
                    deleted(context, &name);
                }
                Vec::new()
            }
            Err(TopicProblem::NotAllowed) => {
                context.notice(
                    NoticeKind::NotAllowed,
                    format!("not allowed to read the topic `{name}` any more: give this user the Read permission"),
                );
                Vec::new()
            }
            Err(TopicProblem::Other(_)) => Vec::new(),
        }
    }
}

fn replaced(context: &Context, topic: &str, id: &str) -> Vec<TopicPartition> {
    let held = context.partitions();
    let gone: Vec<TopicPartition> = held
        .begun
        .iter()
        .filter(|(name, link)| name.topic == topic && link.partition.topic_id != id)
        .map(|(name, link)| {
            link.end(Ended::Replaced);
            name.clone()
        })
        .collect();
    drop(held);
    if !gone.is_empty() {
        context.commits.forget(&gone);
        context.notice(
            NoticeKind::TopicReplaced,
            format!("the topic `{topic}` was deleted and made anew (its id is {id} now); it is read as another topic"),
        );
    }
    gone
}

fn deleted(context: &Context, topic: &str) {
    let held = context.partitions();
    for (_, link) in held.begun.iter().filter(|(name, _)| name.topic == topic) {
        link.end(Ended::Deleted);
    }
    drop(held);
    context.notice(
        NoticeKind::TopicAbsent,
        format!("the topic `{topic}` was deleted while it was read: create it again, or take it out of `topics`"),
    );
}
