//! The one thread that polls the consumer: for events only. Each partition's messages go their own way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::{Message, TopicPartitionList};

use super::context::{Context, release};
use super::{KafkaError, KafkaEvent};

/// How long a poll waits for an event; offsets of the group are sent, and a close is seen, at least this often.
const POLL: Duration = Duration::from_millis(100);

/// How long a close waits for readers that still hold the client.
const READERS_WAIT: Duration = Duration::from_secs(2);

/// Polls until the source is closed, then leaves the group.
pub(super) fn run(consumer: Arc<BaseConsumer<Context>>) {
    let context = Arc::clone(consumer.context());
    while !context.closing() {
        match consumer.poll(POLL) {
            None => {}
            Some(Ok(message)) => context.send(KafkaEvent::Fatal(KafkaError::Fatal(format!(
                "an event of {}[{}] arrived outside its lane; this is a defect of wasmill, please report it",
                message.topic(),
                message.partition()
            )))),
            Some(Err(ClientError::MessageConsumptionFatal(_))) => {
                context.send(KafkaEvent::Fatal(fatal(&consumer)));
            }
            // Told by the context already.
            Some(Err(_)) => {}
        }
        context.commits.flush(&consumer);
    }
    leave(consumer);
}

fn fatal(consumer: &BaseConsumer<Context>) -> KafkaError {
    let (code, reason) = consumer
        .client()
        .fatal_error()
        .map_or_else(|| (String::new(), String::new()), |(code, reason)| (format!("{code:?}"), reason));
    if code == "FencedInstanceId" {
        return KafkaError::Fatal(format!(
            "another process uses the same `group_instance_id` ({reason}); give each process its own"
        ));
    }
    KafkaError::Fatal(format!("{reason} ({code})"))
}

fn leave(consumer: Arc<BaseConsumer<Context>>) {
    let context = Arc::clone(consumer.context());
    let begun: Vec<_> = context.partitions().begun.keys().cloned().collect();
    release(&consumer, &begun);
    // An assignment that nobody answered any more would hold the close up.
    let _ = consumer.incremental_assign(&TopicPartitionList::new());
    let end = Instant::now() + READERS_WAIT;
    while Arc::strong_count(&consumer) > 1 && Instant::now() < end {
        consumer.poll(Duration::from_millis(10));
    }
    // Dropping the last handle polls until the group was left; the callbacks above give partitions back at once.
    drop(consumer);
}
