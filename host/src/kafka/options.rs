//! The client library's settings: what wasmill decides, what the user may add, and how the fetch budget is divided.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaConfRes;

use super::KafkaError;
use crate::config::{KafkaConfig, Secret};

/// Partitions that a topic is taken to have while it does not exist.
pub(super) const PARTITIONS_ASSUMED: usize = 16;

/// Least prefetch of one partition, in KiB: below this every fetch would be a round trip for a few events.
const PARTITION_QUEUE_KIB_MIN: usize = 128;

/// Most compressed bytes asked of one partition in one request.
const PARTITION_FETCH_BYTES_MAX: usize = 512 * 1024;

/// Events of all partitions together that wait (the next fetch of one is sent when it has less than its share). The client
/// library keeps some 300 bytes of its own for each beside its payload, key and headers, and its byte limits count
/// payloads alone.
const QUEUE_EVENTS: usize = 32_000;

/// The share of a partition lies between these: enough for the next fetch to arrive meanwhile.
const PARTITION_QUEUE_EVENTS: RangeInclusive<usize> = 1_000..=20_000;

/// Settings that the guarantee rests on, and what to use instead.
const RESERVED: &[(&str, &str)] = &[
    ("bootstrap.servers", "use `brokers`"),
    ("metadata.broker.list", "use `brokers`"),
    ("group.id", "use `group`"),
    ("group.instance.id", "use `group_instance_id`"),
    ("auto.offset.reset", "use `from`; an offset out of range pauses its partition until the gap is accepted"),
    ("enable.auto.commit", "offsets are committed after the rows they belong to"),
    ("auto.commit.enable", "offsets are committed after the rows they belong to"),
    ("enable.auto.offset.store", "offsets are committed after the rows they belong to"),
    ("partition.assignment.strategy", "wasmill's members hand partitions over by `cooperative-sticky`"),
    ("group.protocol", "wasmill's members hand partitions over by `cooperative-sticky`"),
    // Read in bulk, the notice of an end moves librdkafka's own position past the next event; after a rebalance it would
    // go on there.
    ("enable.partition.eof", "the client library would pass an event over after a rebalance"),
    ("queued.max.messages.kbytes", "use `fetch_bytes_max`, which is for all partitions together"),
    ("test.mock.num.brokers", "use `wasmill demo`"),
];

/// The settings shared by probes, the consumer and producers: addresses, the user's options, quick reconnects.
pub(super) fn connection(brokers: &str, options: &BTreeMap<String, Secret>) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", brokers)
        // Requests are small and latency counts: do not wait for more to send.
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "2000")
        .set("client.id", "wasmill")
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Warning);
    for (key, value) in options {
        client.set(key, value.reveal());
    }
    client
}

/// The settings of the consumer, for topics that have `partitions` partitions together.
pub(super) fn consumer(config: &KafkaConfig, partitions: usize) -> Result<ClientConfig, KafkaError> {
    let queue_events =
        (QUEUE_EVENTS / partitions.max(1)).clamp(*PARTITION_QUEUE_EVENTS.start(), *PARTITION_QUEUE_EVENTS.end());
    let queue_kib = (config.fetch_bytes_max / 1024 / partitions.max(1)).max(PARTITION_QUEUE_KIB_MIN);
    let fetch_bytes = (queue_kib * 1024 / 2).min(PARTITION_FETCH_BYTES_MAX);
    for key in config.options.keys() {
        if let Some((_, instead)) = RESERVED.iter().find(|(reserved, _)| reserved == key) {
            return Err(KafkaError::ReservedOption { key: key.clone(), instead });
        }
    }
    let mut client = connection(&config.brokers, &config.options);
    client
        .set("group.id", &config.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky");
    if let Some(id) = &config.group_instance_id {
        client.set("group.instance.id", id);
    }
    let defaults = [
        ("check.crcs", "true".to_owned()),
        // A topic made or enlarged is seen within ten seconds instead of five minutes.
        ("topic.metadata.refresh.interval.ms", "10000".to_owned()),
        // An event is answered as soon as it is there; only an idle partition waits.
        ("fetch.min.bytes", "1".to_owned()),
        ("fetch.wait.max.ms", "100".to_owned()),
        // After a full queue the library sleeps this long (a second by default) before it fetches again.
        ("fetch.queue.backoff.ms", "2".to_owned()),
        ("queued.min.messages", queue_events.to_string()),
        ("queued.max.messages.kbytes", queue_kib.to_string()),
        ("fetch.message.max.bytes", fetch_bytes.to_string()),
    ];
    for (key, value) in defaults {
        if client.get(key).is_none() {
            client.set(key, value);
        }
    }
    Ok(client)
}

/// Says what is wrong with a setting, without the value: it may be a secret.
pub(super) fn refused(error: &rdkafka::error::KafkaError) -> KafkaError {
    match error {
        rdkafka::error::KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, _, key, _) => {
            KafkaError::UnknownOption(key.clone())
        }
        rdkafka::error::KafkaError::ClientConfig(_, _, key, _) => KafkaError::RefusedOption(key.clone()),
        rdkafka::error::KafkaError::ClientCreation(reason) => KafkaError::Options(reason.clone()),
        other => KafkaError::Options(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::{BaseConsumer, DefaultConsumerContext};

    use super::*;
    use crate::config::{Start, Topics};

    fn config(options: &[(&str, &str)]) -> KafkaConfig {
        KafkaConfig {
            brokers: "localhost:1".into(),
            topics: Topics::named(["t".to_owned()]),
            group: "g".into(),
            group_instance_id: None,
            from: Start::Earliest,
            fetch_bytes_max: 32 << 20,
            options: options.iter().map(|(k, v)| ((*k).to_owned(), Secret::new(*v))).collect::<BTreeMap<_, _>>(),
        }
    }

    fn made(options: &[(&str, &str)]) -> Result<(), KafkaError> {
        let client = consumer(&config(options), 4)?;
        client
            .create_with_context::<_, BaseConsumer<_>>(DefaultConsumerContext)
            .map(drop)
            .map_err(|error| refused(&error))
    }

    #[test]
    fn the_defaults_are_accepted_by_the_client_library() {
        assert_eq!(made(&[]), Ok(()));
    }

    #[test]
    fn an_unknown_option_is_named() {
        assert_eq!(made(&[("sasl.pasword", "x")]), Err(KafkaError::UnknownOption("sasl.pasword".into())));
    }

    #[test]
    fn a_refused_value_is_never_shown() {
        let error = made(&[("security.protocol", "hunter2")]).expect_err("no such protocol");
        assert_eq!(error, KafkaError::RefusedOption("security.protocol".into()));
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn every_reserved_option_is_refused_with_its_alternative() {
        for (key, _) in RESERVED {
            let error = made(&[(key, "1")]).expect_err("it is reserved");
            assert!(matches!(error, KafkaError::ReservedOption { .. }), "{error}");
        }
    }

    #[test]
    fn an_option_replaces_a_default_of_ours() {
        let client = consumer(&config(&[("fetch.wait.max.ms", "7")]), 4).expect("a valid option");
        assert_eq!(client.get("fetch.wait.max.ms"), Some("7"));
    }

    #[test]
    fn secrets_reach_the_consumer_as_they_are() {
        let client = consumer(&config(&[("sasl.password", "hunter2")]), 4).expect("a valid option");
        assert_eq!(client.get("sasl.password"), Some("hunter2"));
    }

    #[test]
    fn the_fetch_budget_is_divided_by_the_partitions_down_to_a_floor() {
        let kib = |partitions| {
            let client = consumer(&config(&[]), partitions).expect("valid");
            client.get("queued.max.messages.kbytes").expect("it is set").parse::<usize>().expect("a number")
        };
        assert_eq!(kib(1), 32 * 1024);
        assert_eq!(kib(4), 8 * 1024);
        assert_eq!(kib(256), 128);
        assert_eq!(kib(257), PARTITION_QUEUE_KIB_MIN);
    }

    #[test]
    fn the_events_that_wait_are_divided_by_the_partitions_within_bounds() {
        let events = |partitions| {
            let client = consumer(&config(&[]), partitions).expect("valid");
            client.get("queued.min.messages").expect("it is set").parse::<usize>().expect("a number")
        };
        assert_eq!([1, 2, 4, 32, 1_000].map(events), [20_000, 16_000, 8_000, 1_000, 1_000]);
    }
}
