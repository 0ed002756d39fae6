//! Looks once a second whether the topics of the source are there and still the same ones, and whether brokers answer at all.
//!
//! librdkafka goes on at the old offset when a topic is deleted and made anew, so the topic's id is compared here. Between
//! two looks a new topic that already has more records than the old one can be read under the old one's name for up to
//! [`LOOK_EVERY`]; a new topic that is shorter ends the reader at once (offset out of range).

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::Context;
use super::link::Ended;
use super::native::{self, TopicProblem, TopicState};
use super::{Notice, NoticeKind, TopicPartition};
use crate::config::Topics;

/// The time between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look waits for its answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Looks in a row that must miss a topic before its readers end: brokers that just started know fewer topics.
const MISSED_MAX: u32 = 5;

/// What earlier looks saw.
pub(super) struct Watch {
    topics: Topics,
    /// By topic: looks in a row that missed it.
    missed: HashMap<String, u32>,
    /// Whether something was told that is not mended yet.
    is_troubled: bool,
}

/// What a look found out.
pub(super) struct Look {
    states: Result<Vec<TopicState>, String>,
}

/// What a look comes to.
#[derive(Default)]
pub(super) struct Judgement {
    /// Partitions of topics made anew, to be assigned again.
    pub(super) replaced: Vec<TopicPartition>,
    /// How the source is; `None`: well as before, or not to be told yet.
    pub(super) notice: Option<Notice>,
}

/// Asks the brokers for the named topics and those that are read; blocks for some seconds at most.
pub(super) fn look(consumer: &BaseConsumer<Context>, named: &[String]) -> Look {
    let mut topics = named.to_vec();
    topics.extend(consumer.context().partitions().begun.keys().map(|partition| partition.topic.clone()));
    topics.sort_unstable();
    topics.dedup();
    if topics.is_empty() {
        // Patterns that match nothing yet: only whether brokers answer.
        let answer = consumer.fetch_metadata(None, ANSWER);
        return Look { states: answer.map(|_| Vec::new()).map_err(|error| error.to_string()) };
    }
    Look { states: native::describe_topics(consumer, &topics, false, ANSWER) }
}

impl Watch {
    /// `is_troubled`: something is not well from the start, and was told.
    pub(super) fn new(topics: Topics, is_troubled: bool) -> Self {
        Self { topics, missed: HashMap::new(), is_troubled }
    }

    /// The topics that must be there.
    pub(super) fn named(&self) -> Vec<String> {
        self.topics.names().map(str::to_owned).collect()
    }

    /// Ends the readers of topics that are gone or replaced.
    pub(super) fn judge(&mut self, context: &Context, look: Look) -> Judgement {
        let states = match look.states {
            Ok(states) => states,
            // The cause was told.
            Err(_) if context.is_refused() => return Judgement::default(),
            Err(reason) => {
                let text = format!("the Kafka brokers do not answer ({reason}); trying again until they do");
                return Judgement { notice: self.trouble(NoticeKind::Away, text), ..Judgement::default() };
            }
        };
        let mut judgement = Judgement::default();
        let mut all_there = true;
        for TopicState { name, id, .. } in states {
            match id {
                Ok(id) => {
                    self.missed.remove(&name);
                    judgement.replaced.extend(replaced(context, &name, &id));
                }
                // One that a pattern found may go again.
                Err(TopicProblem::Absent) if !self.topics.names().any(|named| named == name) => {
                    self.miss(context, &name);
                }
                Err(problem) => {
                    all_there = false;
                    judgement.notice = self.judge_problem(context, &name, &problem).or(judgement.notice);
                }
            }
        }
        // The client library tells of troubles by itself, and not of their end.
        let was_told = all_there && context.settle();
        if all_there && (std::mem::take(&mut self.is_troubled) || was_told) {
            let text = "the Kafka brokers answer, and every topic is there".to_owned();
            judgement.notice = Some(Notice { kind: NoticeKind::Back, text });
        }
        judgement
    }

    fn judge_problem(&mut self, context: &Context, name: &str, problem: &TopicProblem) -> Option<Notice> {
        match problem {
            TopicProblem::Absent => {
                let is_gone = self.miss(context, name);
                let text = format!(
                    "the topic `{name}` is not there: create it, or take it out of `topics`; it is looked for again"
                );
                if is_gone { self.trouble(NoticeKind::TopicAbsent, text) } else { None }
            }
            TopicProblem::NotAllowed => self.trouble(
                NoticeKind::NotAllowed,
                format!("not allowed to read the topic `{name}` any more: give this user the Read permission"),
            ),
            TopicProblem::Other(_) => None,
        }
    }

    /// Whether the topic was missed often enough to be gone; then its readers end.
    fn miss(&mut self, context: &Context, name: &str) -> bool {
        let missed = self.missed.entry(name.to_owned()).or_default();
        *missed += 1;
        if *missed == MISSED_MAX {
            end_readers(context, name);
        }
        *missed >= MISSED_MAX
    }

    fn trouble(&mut self, kind: NoticeKind, text: String) -> Option<Notice> {
        self.is_troubled = true;
        Some(Notice { kind, text })
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

fn end_readers(context: &Context, topic: &str) {
    for (_, link) in context.partitions().begun.iter().filter(|(name, _)| name.topic == topic) {
        link.end(Ended::Deleted);
    }
}
