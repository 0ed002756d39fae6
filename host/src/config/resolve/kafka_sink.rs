//! Kafka as a destination: a sink's topics, template and key, and what would make the pipeline read its own results.

use std::collections::BTreeSet;

use super::Resolver;
use super::kafka::{TOPICS_MAX, is_topic_byte};
use crate::config::mistake::quoted;
use crate::config::place::Place;
use crate::config::producer::broker_address;
use crate::config::raw::{Passthrough, RawKafkaLetters, RawKafkaSink};
use crate::config::read::Ordered;
use crate::config::{
    Compression, From, KafkaConfig, KafkaOutput, KafkaSinkConfig, TopicConfig, TopicPart, WrongOption,
};

const RESTS: &str = "that nothing is lost rests on it";
const SIZES: &str = "wasmill asks the topics for their max.message.bytes";

/// librdkafka settings that wasmill decides itself, and why or where instead.
pub(super) const OWN_SETTINGS: [(&str, &str); 35] = [
    ("bootstrap.servers", "write it as `brokers`"),
    ("metadata.broker.list", "write it as `brokers`"),
    ("compression.type", "write it as `compression`"),
    ("compression.codec", "write it as `compression`"),
    ("enable.idempotence", RESTS),
    ("enable.gapless.guarantee", "a message that a broker refuses must not stop the others"),
    ("acks", RESTS),
    ("request.required.acks", RESTS),
    ("max.in.flight", RESTS),
    ("max.in.flight.requests.per.connection", RESTS),
    ("linger.ms", "whole batches of rows are sent at once; see batch.linger"),
    ("queue.buffering.max.ms", "whole batches of rows are sent at once; see batch.linger"),
    ("message.timeout.ms", "wasmill waits for the brokers as long as it takes"),
    ("delivery.timeout.ms", "wasmill waits for the brokers as long as it takes"),
    ("message.send.max.retries", "wasmill waits for the brokers as long as it takes"),
    ("retries", "wasmill waits for the brokers as long as it takes"),
    ("transactional.id", "a transaction of Kafka cannot hold a database's; repeats are told by wasmill-origin"),
    ("allow.auto.create.topics", "create topics with the partitions and the retention that they need"),
    ("message.max.bytes", SIZES),
    ("batch.size", SIZES),
    ("queue.buffering.max.messages", "wasmill bounds what waits; see batch.events_max"),
    ("queue.buffering.max.kbytes", "wasmill bounds what waits; see batch.bytes_max"),
    ("delivery.report.only.error", RESTS),
    ("group.id", "it is a consumer's"),
    ("group.instance.id", "it is a consumer's"),
    ("auto.offset.reset", "it is a consumer's"),
    ("enable.auto.commit", "it is a consumer's"),
    ("auto.commit.enable", "it is a consumer's"),
    ("enable.auto.offset.store", "it is a consumer's"),
    ("partition.assignment.strategy", "it is a consumer's"),
    ("group.protocol", "it is a consumer's"),
    ("queued.max.messages.kbytes", "it is a consumer's"),
    ("test.mock.num.brokers", "use `wasmill demo`"),
    ("plugin.library.paths", "it loads native code into the process"),
    ("ssl.engine.location", "it loads native code into the process"),
];

/// Topics that are written.
pub(super) struct WrittenTopics {
    writer: String,
    is_of_letters: bool,
    brokers: BTreeSet<String>,
    topics: Vec<String>,
}

impl Resolver<'_> {
    pub(super) fn kafka_sink(
        &mut self,
        name: &str,
        raw: &RawKafkaSink,
        from: From,
        place: Place<'_>,
    ) -> Option<KafkaSinkConfig> {
        let topic = self.topic(&raw.topic, place.child("topic"));
        let is_of_letters = from == From::DeadLetters;
        if is_of_letters && (raw.key != "$key" || matches!(topic, Some(TopicConfig::Template(_)))) {
            let message = "dead letters go to one topic with their own keys: write a plain \"topic\", and leave \"topics\" and \"key\" out";
            return self.wrong(place, message);
        }
        let topics = self.written_topics(raw, topic.as_ref(), place);
        let key = match raw.key.as_str() {
            "$key" => Some(None),
            path if path.starts_with('$') => {
                let place = place.child("key");
                self.wrong(place, format!("{} is no key; write a field's path or $key", place.quoted()))
            }
            path => self.field(path, place.child("key")).map(Some),
        };
        let output = self.kafka_output(&raw.brokers, topics, raw.compression, &raw.options, place);
        let output = self.alone(output?, &format!("the sink {}", quoted(name)), is_of_letters, place)?;
        Some(KafkaSinkConfig { output, topic: topic?, key: key? })
    }

    /// A topic for dead letters.
    pub(super) fn kafka_letters(&mut self, raw: &RawKafkaLetters, place: Place<'_>) -> Option<KafkaOutput> {
        let topics = self.topics(std::slice::from_ref(&raw.topic), place.child("topic"));
        let output = self.kafka_output(&raw.brokers, topics, raw.compression, &raw.options, place)?;
        self.alone(output, "dead letters", true, place)
    }

    /// `output`, unless one of its topics gets both dead letters and something else.
    fn alone(
        &mut self,
        output: KafkaOutput,
        writer: &str,
        is_of_letters: bool,
        place: Place<'_>,
    ) -> Option<KafkaOutput> {
        let brokers = addresses(&output.brokers);
        let clash = self.written_topics.iter().find_map(|other| {
            let differs = other.is_of_letters != is_of_letters && !other.brokers.is_disjoint(&brokers);
            let topic = output.topics.iter().find(|topic| differs && other.topics.contains(topic))?;
            Some((topic, &other.writer))
        });
        if let Some((topic, other)) = clash {
            let message = format!(
                "the topic {} is written by {other} already, and its readers could not tell dead letters from the rest; give \
                 {writer} another one",
                quoted(topic)
            );
            return self.wrong(place.child("topic"), message);
        }
        let topics = output.topics.clone();
        self.written_topics.push(WrittenTopics { writer: writer.to_owned(), is_of_letters, brokers, topics });
        Some(output)
    }

    /// Where messages are written; `topics` is `None` after a mistake.
    pub(super) fn kafka_output(
        &mut self,
        brokers: &str,
        topics: Option<Vec<String>>,
        compression: Compression,
        options: &Ordered<Passthrough>,
        place: Place<'_>,
    ) -> Option<KafkaOutput> {
        let brokers = self.brokers(brokers, place.child("brokers"));
        let options = self.options(options, &OWN_SETTINGS, place.child("options"));
        let output = match KafkaOutput::new(brokers?, topics?, compression, options?) {
            Ok(output) => output,
            Err(WrongOption { name, problem }) => {
                let options = place.child("options");
                let place = name.as_ref().map_or(options, |name| options.child(name));
                return self.wrong(place, problem);
            }
        };
        if let Some(topic) = self.read_kafka.as_ref().and_then(|source| read_too(source, &output)) {
            let message = format!(
                "the source reads the topic {} of these brokers: the pipeline would read what it writes; give another one",
                quoted(topic)
            );
            return self.wrong(place.child("topic"), message);
        }
        Some(output)
    }

    fn topic(&mut self, text: &str, place: Place<'_>) -> Option<TopicConfig> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}') else {
                return self.wrong(place, format!("{} has an open brace; write logs-{{field}}", place.quoted()));
            };
            if open > 0 {
                parts.push(TopicPart::Text(rest[..open].to_owned()));
            }
            parts.push(TopicPart::Field(self.field(&rest[open + 1..open + close], place)?));
            rest = &rest[open + close + 1..];
        }
        if parts.is_empty() {
            return self.topics(&[text.to_owned()], place).map(|_| TopicConfig::Fixed);
        }
        if !rest.is_empty() {
            parts.push(TopicPart::Text(rest.to_owned()));
        }
        let is_name = |part: &TopicPart| match part {
            TopicPart::Text(text) => text.bytes().all(is_topic_byte),
            TopicPart::Field(_) => true,
        };
        if !parts.iter().all(is_name) {
            let message =
                format!("{} is no topic: outside of braces letters, digits, dots, _ and - are allowed", place.quoted());
            return self.wrong(place, message);
        }
        Some(TopicConfig::Template(parts))
    }

    /// The topics that may be written to; `topic` is `None` after a mistake.
    fn written_topics(
        &mut self,
        raw: &RawKafkaSink,
        topic: Option<&TopicConfig>,
        place: Place<'_>,
    ) -> Option<Vec<String>> {
        let list = place.child("topics");
        match topic? {
            TopicConfig::Fixed if raw.topics.is_empty() => Some(vec![raw.topic.clone()]),
            TopicConfig::Fixed => self.wrong(list, "\"topics\" is what a template may become, and \"topic\" is none"),
            TopicConfig::Template(_) if raw.topics.is_empty() => {
                let message = format!("a template needs \"topics\": the 1 to {TOPICS_MAX} topics that it may become");
                self.wrong(place.child("topic"), message)
            }
            TopicConfig::Template(_) => self.topics(&raw.topics, list),
        }
    }
}

/// A topic that `source` reads and `output` writes.
fn read_too<'o>(source: &KafkaConfig, output: &'o KafkaOutput) -> Option<&'o String> {
    let shared = !addresses(&source.brokers).is_disjoint(&addresses(&output.brokers));
    output.topics.iter().find(|topic| shared && source.topics.take(topic))
}

/// Brokers as `host:port`, the same ones alike where that can be told without asking anybody.
fn addresses(brokers: &str) -> BTreeSet<String> {
    let address = |broker: &str| {
        let (host, port) = broker_address(broker)?;
        let host = host.to_ascii_lowercase();
        let host = if matches!(host.as_str(), "127.0.0.1" | "::1") { "localhost" } else { &host };
        Some(format!("{host}:{port}"))
    };
    brokers.split(',').filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::super::kafka::problem;
    use super::*;

    #[test]
    fn settings_that_the_guarantee_rests_on_are_refused_and_others_pass() {
        for (key, _) in OWN_SETTINGS {
            assert!(problem(key, "1", &OWN_SETTINGS).unwrap().contains("is decided by wasmill"), "{key}");
        }
        let values = [("socket.timeout.ms", "50"), ("security.protocol", "sasl_ssl"), ("partitioner", "random")];
        for (key, value) in values {
            assert!(problem(key, value, &OWN_SETTINGS).is_none(), "{key}");
        }
    }

    #[test]
    fn brokers_are_the_same_by_whatever_form_of_their_address() {
        let shared = |a, b| !addresses(a).is_disjoint(&addresses(b));
        assert!(shared("localhost", "PLAINTEXT://127.0.0.1:9092"));
        assert!(shared("a:1,b:2", "c:3,B:2") && shared("[::1]:9092", "localhost"));
        assert!(!shared("a:1", "a:2") && !shared("a", "b"));
    }
}
