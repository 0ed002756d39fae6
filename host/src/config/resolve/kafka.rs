//! The Kafka source: brokers, topics, start; and what sinks have too: the settings that are passed through to librdkafka.

use std::collections::BTreeMap;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::{MIB, Resolver};
use crate::config::mistake::{nearest, quoted};
use crate::config::place::Place;
use crate::config::producer::broker_address;
use crate::config::raw::{Passthrough, RawKafka};
use crate::config::read::Ordered;
use crate::config::{KafkaConfig, Secret, Start, TopicPattern, Topics};

/// Topics of one pipeline.
pub const TOPICS_MAX: usize = 100;
/// Kafka's own limit on a topic's name.
const TOPIC_NAME_MAX: usize = 249;

/// librdkafka settings that wasmill decides itself, and why or where instead.
const OWN_SETTINGS: [(&str, &str); 16] = [
    ("bootstrap.servers", "write it as source.kafka.brokers"),
    ("metadata.broker.list", "write it as source.kafka.brokers"),
    ("group.id", "write it as source.kafka.group"),
    ("group.instance.id", "write it as source.kafka.group_instance_id"),
    ("auto.offset.reset", "write it as source.kafka.from; an offset out of range is never skipped silently"),
    ("topic.auto.offset.reset", "write it as source.kafka.from; an offset out of range is never skipped silently"),
    ("enable.auto.commit", "offsets follow what is stored, and are never committed before"),
    ("auto.commit.enable", "offsets follow what is stored, and are never committed before"),
    ("auto.commit.interval.ms", "offsets follow what is stored, and are never committed before"),
    ("enable.auto.offset.store", "offsets follow what is stored, and are never committed before"),
    ("partition.assignment.strategy", "wasmill moves partitions one by one (cooperative-sticky)"),
    ("enable.partition.eof", "wasmill needs it to find the end of a partition"),
    ("queued.max.messages.kbytes", "write it as source.kafka.fetch_bytes_max"),
    ("consume.callback.max.messages", "wasmill cuts batches itself; see batch.events_max"),
    ("plugin.library.paths", "it loads native code into the process"),
    ("ssl.engine.location", "it loads native code into the process"),
];

impl Resolver<'_> {
    pub(super) fn kafka(&mut self, raw: &RawKafka, place: Place<'_>) -> Option<KafkaConfig> {
        let brokers = self.brokers(&raw.brokers, place.child("brokers"));
        let topics = self.read_topics(&raw.topics, place.child("topics"));
        let group = self.group("group", &raw.group, place.child("group"));
        let group_instance_id = match &raw.group_instance_id {
            Some(id) => self.group("group_instance_id", id, place.child("group_instance_id")).map(Some),
            None => Some(None),
        };
        let from = self.start(&raw.from, place.child("from"));
        if from == Some(Start::Latest) && topics.as_ref().is_some_and(|topics| topics.patterns().next().is_some()) {
            let message =
                "a topic that a pattern finds later would lose its first events with latest; write earliest, or a time";
            return self.wrong(place.child("from"), message);
        }
        let fetch_bytes_max = self.size(&raw.fetch_bytes_max, place.child("fetch_bytes_max"), MIB, 1024 * MIB);
        let options = self.options(&raw.options, &OWN_SETTINGS, place.child("options"));
        Some(KafkaConfig {
            brokers: brokers?,
            topics: topics?,
            group: group?,
            group_instance_id: group_instance_id?,
            from: from?,
            fetch_bytes_max: fetch_bytes_max?,
            options: options?,
        })
    }

    pub(super) fn brokers(&mut self, text: &str, place: Place<'_>) -> Option<String> {
        let brokers: Vec<&str> = text.split(',').map(str::trim).collect();
        if brokers.iter().all(|broker| broker_address(broker).is_some()) {
            return Some(brokers.join(","));
        }
        self.wrong(place, format!("{} names no brokers; write host:port, several joined by commas", place.quoted()))
    }

    /// Names, and patterns, which begin with `^`.
    fn read_topics(&mut self, topics: &[String], place: Place<'_>) -> Option<Topics> {
        let mut sound = self.distinct_topics(topics, place).is_some();
        let mut read = Topics::default();
        for (index, topic) in topics.iter().enumerate() {
            let item = place.item(index);
            if !topic.starts_with('^') {
                sound &= self.topic_name(topic, item).is_some();
                read.push_name(topic.clone());
                continue;
            }
            match TopicPattern::new(topic) {
                Ok(pattern) => read.push_pattern(pattern),
                Err(problem) => {
                    self.wrong::<()>(item, format!("{} is no pattern of topics: {problem}", item.quoted()));
                    sound = false;
                }
            }
        }
        sound.then_some(read)
    }

    pub(super) fn topics(&mut self, topics: &[String], place: Place<'_>) -> Option<Vec<String>> {
        let mut sound = self.distinct_topics(topics, place).is_some();
        for (index, topic) in topics.iter().enumerate() {
            sound &= self.topic_name(topic, place.item(index)).is_some();
        }
        sound.then(|| topics.to_vec())
    }

    fn distinct_topics(&mut self, topics: &[String], place: Place<'_>) -> Option<()> {
        if topics.len() > TOPICS_MAX {
            return self.wrong(place, format!("{} topics are given, and {TOPICS_MAX} are allowed", topics.len()));
        }
        match (1..topics.len()).find(|index| topics[..*index].contains(&topics[*index])) {
            Some(index) => {
                let item = place.item(index);
                self.wrong(item, format!("the topic {} is given twice", item.quoted()))
            }
            None => Some(()),
        }
    }

    fn topic_name(&mut self, topic: &str, item: Place<'_>) -> Option<()> {
        if is_topic(topic) {
            return Some(());
        }
        let message = format!(
            "{} is no topic: 1 to {TOPIC_NAME_MAX} letters, digits, dots, _ and - are allowed; a source's pattern begins with ^",
            item.quoted()
        );
        self.wrong(item, message)
    }

    fn group(&mut self, key: &str, group: &str, place: Place<'_>) -> Option<String> {
        if (1..=255).contains(&group.len()) && !group.chars().any(char::is_control) {
            return Some(group.to_owned());
        }
        self.wrong(place, format!("{} must be 1 to 255 bytes without control characters", quoted(key)))
    }

    fn start(&mut self, text: &str, place: Place<'_>) -> Option<Start> {
        let words = [("earliest", Start::Earliest), ("latest", Start::Latest), ("committed", Start::Committed)];
        if let Some((_, start)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*start);
        }
        if let Ok(millis) = text.parse::<i64>()
            && millis >= 0
        {
            return Some(Start::Timestamp(millis));
        }
        if let Ok(nanos) = wasmill_expr::time::parse_rfc3339(text)
            && nanos >= 0
        {
            return Some(Start::Timestamp(nanos.div_euclid(1_000_000)));
        }
        let meant = match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => "write earliest, latest, committed, or a time since 1970 such as 2026-01-31T00:00:00Z".to_owned(),
        };
        self.wrong(place, format!("{} is no place to begin; {meant}", place.quoted()))
    }

    /// The settings that are passed through; `own` are those that are not, and why.
    pub(super) fn options(
        &mut self,
        raw: &Ordered<Passthrough>,
        own: &[(&str, &str)],
        place: Place<'_>,
    ) -> Option<BTreeMap<String, Secret>> {
        let mut options = BTreeMap::new();
        let mut sound = true;
        for (key, value) in &raw.0 {
            match problem(key, &value.0, own) {
                None => {
                    options.insert(key.clone(), Secret::new(value.0.clone()));
                }
                Some(problem) => {
                    if !place.child(key).is_broken() {
                        self.mistakes.add(place.key_at(key), problem);
                    }
                    sound = false;
                }
            }
        }
        sound.then_some(options)
    }
}

/// Why a setting cannot be passed on. Asks librdkafka itself, which connects to nothing for that; never names the value.
pub(super) fn problem(key: &str, value: &str, own: &[(&str, &str)]) -> Option<String> {
    if let Some((_, reason)) = own.iter().find(|(own, _)| *own == key) {
        return Some(format!("{} is decided by wasmill: {reason}", quoted(key)));
    }
    if key.contains('\0') || value.contains('\0') {
        return Some(format!("{} holds a NUL character", quoted(key)));
    }
    let mut config = ClientConfig::new();
    config.set(key, value);
    match config.create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..)) => {
            Some(format!("librdkafka has no setting {}; its settings are listed in its CONFIGURATION.md", quoted(key)))
        }
        Err(_) => Some(format!("librdkafka does not accept the value of {}; see its CONFIGURATION.md", quoted(key))),
    }
}

fn is_topic(name: &str) -> bool {
    (1..=TOPIC_NAME_MAX).contains(&name.len()) && !matches!(name, "." | "..") && name.bytes().all(is_topic_byte)
}

pub(super) fn is_topic_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked_by_librdkafka_and_own_ones_are_refused() {
        let problem = |key: &str, value: &str| problem(key, value, &OWN_SETTINGS);
        assert_eq!(problem("security.protocol", "sasl_ssl"), None);
        assert_eq!(problem("socket.timeout.ms", "5000"), None);
        assert!(problem("security.protocoll", "x").unwrap().contains("has no setting \"security.protocoll\""));
        let refused = problem("socket.timeout.ms", "hunter2").unwrap();
        assert!(refused.contains("does not accept the value of \"socket.timeout.ms\"") && !refused.contains("hunter2"));
        for (key, _) in OWN_SETTINGS {
            assert!(problem(key, "1").unwrap().contains("is decided by wasmill"), "{key}");
        }
    }

    #[test]
    fn brokers_and_topics_are_names_that_kafka_takes() {
        for text in ["h", "h:9092", "10.0.0.1:9092", "[::1]:9092", "SASL_SSL://h:9092", "[::1]"] {
            assert!(broker_address(text).is_some(), "{text}");
        }
        for text in ["", ":9092", "h:", "h:0", "h:99999", "h h:1", "a:b"] {
            assert_eq!(broker_address(text), None, "{text}");
        }
        assert!(is_topic(&"a".repeat(TOPIC_NAME_MAX)) && is_topic("raw-events.v1_x"));
        for text in ["", "^raw", "a b", ".", "..", &"a".repeat(TOPIC_NAME_MAX + 1)] {
            assert!(!is_topic(text), "{text}");
        }
    }
}
