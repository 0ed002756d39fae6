//! The Kafka source against a real broker: every event once, in order, from the offset that was asked for, whatever
//! happens to members, brokers and topics meanwhile.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;
use wasmill::config::{Secret, Start};
use wasmill::kafka::{Begin, KafkaError, KafkaSource, NoticeKind, Read, ReadError, TopicPartition};
use wasmill_tests::kafka::door::Door;
use wasmill_tests::kafka::rig::{BATCH, One, Store, Worker, config, numbered, soon, spoil, until};
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::services::{self, unique};

#[tokio::test(flavor = "multi_thread")]
async fn every_event_of_four_partitions_comes_once_and_in_order() -> Result<()> {
    const EVENTS: usize = 5_000;
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("order"));
    cluster.create(&topic, 4, &[]).await?;
    for partition in 0..4 {
        cluster.produce(&topic, partition, numbered(EVENTS))?;
    }
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Earliest), Arc::clone(&store));
    until("reading everything", &store, |store| store.events.len() == 4 * EVENTS).await;
    worker.stop().await?;
    let store = store.lock().expect("no panic");
    for ((partition, offset), payload) in &store.events {
        assert_eq!(*payload, format!("event {offset}").into_bytes(), "partition {partition}");
    }
    assert_eq!(store.errors, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn key_value_headers_and_time_come_as_they_were_written() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("parts"));
    cluster.create(&topic, 1, &[("message.timestamp.after.max.ms", "9223372036854775807")]).await?;
    let headers = vec![
        ("a".to_owned(), Some(b"1".to_vec())),
        ("a".to_owned(), Some(vec![0xff, 0])),
        ("null".to_owned(), None),
        ("empty".to_owned(), Some(Vec::new())),
    ];
    let full = Record { key: Some(b"k".to_vec()), value: Some(b"v".to_vec()), headers, time_ms: Some(1_234) };
    let tombstone = Record { key: Some(Vec::new()), time_ms: Some(1), ..Record::default() };
    let empty = Record { value: Some(Vec::new()), time_ms: Some(i64::MAX), ..Record::default() };
    cluster.produce(&topic, 0, [full, tombstone, empty])?;

    let mut one = One::begin(&config(&brokers, &topic, Start::Earliest), None, false).await?;
    let mut batch = one.batch().await?;
    while batch.len() < 3 {
        batch = one.batch().await.context("all three in one batch, since they were there before")?;
    }
    assert_eq!((batch.key(0), batch.payload(0)), (Some(&b"k"[..]), Some(&b"v"[..])));
    assert_eq!((batch.key(1), batch.payload(1)), (Some(&b""[..]), None));
    assert_eq!((batch.key(2), batch.payload(2)), (None, Some(&b""[..])));
    let times: Vec<i64> = batch.records().iter().map(|record| record.timestamp_ns).collect();
    assert_eq!(times, [1_234_000_000, 1_000_000, i64::MAX]);
    assert_eq!(
        batch.headers(0),
        [
            (&b"a"[..], Some(&b"1"[..])),
            (&b"a"[..], Some(&[0xff, 0][..])),
            (&b"null"[..], None),
            (&b"empty"[..], Some(&b""[..]))
        ]
    );
    assert_eq!(batch.headers(1), []);
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_keeps_its_bytes_when_its_reader_its_partition_and_its_source_are_gone() -> Result<()> {
    const EVENTS: usize = 3_000;
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::with(&brokers, &[("compression.type", "lz4")])?, unique("kept"));
    cluster.create(&topic, 1, &[]).await?;
    let headers = |number: i64| vec![("number".to_owned(), Some(number.to_string().into_bytes()))];
    let record = |number| Record { headers: headers(number), ..Record::of(format!("event {number}")) };
    cluster.produce(&topic, 0, (0..EVENTS as i64).map(record))?;
    let mut one = One::begin(&config(&brokers, &topic, Start::Earliest), None, false).await?;
    let first = one.batch().await?;

    // Its buffers would be used again by what is fetched next.
    let mut later = Vec::new();
    while one.reader.next_offset() < EVENTS as i64 {
        later.push(one.batch().await?);
    }
    let name = TopicPartition { topic: topic.clone(), partition: 0 };
    drop(one.reader);
    one.source.release(vec![name]).await;
    drop(later);
    soon("closing", one.source.close()).await;

    let batch = Arc::new(first);
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let batch = Arc::clone(&batch);
            std::thread::spawn(move || {
                for (index, record) in batch.records().iter().enumerate() {
                    let number = record.offset.to_string();
                    assert_eq!(batch.payload(index), Some(format!("event {number}").as_bytes()));
                    assert_eq!(batch.headers(index), [(&b"number"[..], Some(number.as_bytes()))]);
                }
            })
        })
        .collect();
    for reader in readers {
        reader.join().expect("both threads see what was written");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_begins_where_it_was_asked_to() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("start"));
    cluster.create(&topic, 1, &[]).await?;
    let records = (0..100).map(|n| Record { time_ms: Some(1_000_000 + n * 10), ..Record::of(n.to_string()) });
    cluster.produce(&topic, 0, records)?;
    cluster.delete_records(&topic, 0, 10).await?;

    let settings = config(&brokers, &topic, Start::Committed);
    let one = One::begin(&settings, None, false).await?;
    let start = |from, later| one.source.start_offset(&one.partition, from, later);
    assert_eq!(start(Start::Earliest, false).await?, 10);
    assert_eq!(start(Start::Latest, false).await?, 100);
    assert_eq!(start(Start::Latest, true).await?, 10, "a partition found later begins at its earliest event");
    assert_eq!(start(Start::Timestamp(1_000_500), false).await?, 50);
    assert_eq!(start(Start::Timestamp(1_000_501), false).await?, 51);
    assert_eq!(start(Start::Timestamp(-5), false).await?, 10);
    assert_eq!(start(Start::Timestamp(i64::MAX), false).await?, 100, "nothing is that new: what comes from now on");
    assert_eq!(start(Start::Committed, false).await?, 10, "nothing was committed: the earliest");
    one.source.committer().commit(&one.partition, 77);
    one.close().await;

    let one = One::begin(&settings, None, false).await?;
    assert_eq!(one.reader.next_offset(), 77, "the group's offset was sent before the group was left");
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_until_the_end_stops_at_the_end_as_it_was() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("end"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(100))?;
    let mut one = One::begin(&config(&brokers, &topic, Start::Earliest), None, true).await?;
    cluster.produce(&topic, 0, numbered(50))?;
    let mut events = 0;
    while let Read::Batch(batch) = soon("a batch", one.reader.next(&BATCH)).await? {
        events += batch.len();
    }
    assert_eq!((events, one.reader.next_offset()), (100, 100));
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_while_the_queue_is_looked_at_are_not_taken_for_markers() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("race"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(4))?;
    let One { source, partition, mut reader } =
        One::begin(&config(&brokers, &topic, Start::Earliest), None, true).await?;
    let name = TopicPartition { topic, partition: 0 };
    // Each time the events arrive at another moment of the reader's loop.
    for round in 0..100 {
        let mut events = 0;
        while let Read::Batch(batch) = soon("a batch", reader.next(&BATCH)).await? {
            events += batch.len();
        }
        assert_eq!(events, 4, "round {round}");
        // Before the next one: it takes the queue's callback along.
        drop(reader);
        source.release(vec![name.clone()]).await;
        let begin = Begin { partition: Arc::clone(&partition), offset: 0, until: Some(4) };
        reader = source.begin(vec![begin]).await?.remove(0);
    }
    One { source, partition, reader }.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn markers_and_aborted_events_are_passed_and_the_end_is_still_reached() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let topic = unique("transactions");
    let cluster = Cluster::with(&brokers, &[("transactional.id", &topic)])?;
    cluster.create(&topic, 1, &[]).await?;
    cluster.transaction(&topic, numbered(10), true)?; // 0-9, marker 10
    cluster.transaction(&topic, numbered(5), false)?; // 11-15, marker 16
    cluster.transaction(&topic, numbered(3), true)?; // 17-19, marker 20
    cluster.transaction(&topic, numbered(2), false)?; // 21-22, marker 23
    let settings = config(&brokers, &topic, Start::Earliest);
    let mut one = One::begin(&settings, None, true).await?;
    let mut offsets = Vec::new();
    while let Read::Batch(batch) = soon("a batch", one.reader.next(&BATCH)).await? {
        offsets.extend(batch.records().iter().map(|record| record.offset));
    }
    assert_eq!(offsets, (0..10).chain(17..20).collect::<Vec<_>>());
    assert_eq!(one.reader.next_offset(), 24);
    one.close().await;

    // Without an end, a quiet partition still moves on past its last marker: else retention would overtake the ledger.
    let mut one = One::begin(&settings, Some(17), false).await?;
    while one.reader.next_offset() < 24 {
        soon("a batch", one.reader.next(&BATCH)).await?;
    }
    assert_eq!(one.reader.lag(), Some(0));
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offset_that_retention_passed_is_told_with_the_numbers() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("range"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(100))?;
    cluster.delete_records(&topic, 0, 40).await?;
    let mut one = One::begin(&config(&brokers, &topic, Start::Earliest), Some(20), false).await?;
    let name = TopicPartition { topic: topic.clone(), partition: 0 };
    let expected = ReadError::OutOfRange { partition: name.clone(), asked: 20, first: 40, last: 100 };
    assert_eq!(soon("the error", one.reader.next(&BATCH)).await.expect_err("20 is gone"), expected);
    assert_eq!(soon("again", one.reader.next(&BATCH)).await.expect_err("it stays an error"), expected);

    // The gap is accepted: begun anew, it reads on.
    drop(one.reader);
    one.source.release(vec![name.clone()]).await;
    let begin = Begin { partition: Arc::clone(&one.partition), offset: 40, until: None };
    one.reader = one.source.begin(vec![begin]).await?.remove(0);
    assert_eq!(one.batch().await?.records()[0].offset, 40);

    // Past the end is out of range too.
    drop(one.reader);
    one.source.release(vec![name.clone()]).await;
    let begin = Begin { partition: Arc::clone(&one.partition), offset: 101, until: None };
    one.reader = one.source.begin(vec![begin]).await?.remove(0);
    let error = soon("the error", one.reader.next(&BATCH)).await.expect_err("101 is not there");
    assert_eq!(error, ReadError::OutOfRange { partition: name, asked: 101, first: 40, last: 100 });
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_member_joins_and_leaves_without_loss_or_doubles() -> Result<()> {
    const EACH: usize = 3_000;
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("members"));
    cluster.create(&topic, 4, &[]).await?;
    let settings = config(&brokers, &topic, Start::Earliest);
    let store = Arc::new(Mutex::new(Store::default()));
    let produce = |cluster: &Cluster| -> Result<()> {
        (0..4).try_for_each(|partition| cluster.produce(&topic, partition, numbered(EACH)))
    };
    let first = Worker::start(settings.clone(), Arc::clone(&store));
    produce(&cluster)?;
    until("the first reads", &store, |store| !store.events.is_empty()).await;
    let second = Worker::start(settings.clone(), Arc::clone(&store));
    produce(&cluster)?;
    until("a partition is handed over", &store, |store| {
        store.errors.iter().filter(|error| matches!(error, ReadError::Revoked(_))).count() >= 2
    })
    .await;
    produce(&cluster)?;
    until("both read everything", &store, |store| store.events.len() == 3 * 4 * EACH).await;
    first.stop().await?;
    produce(&cluster)?;
    until("the second reads everything alone", &store, |store| store.events.len() == 4 * 4 * EACH).await;
    second.stop().await?;
    let store = store.lock().expect("no panic");
    assert!(store.errors.iter().all(|error| matches!(error, ReadError::Revoked(_))), "{:?}", store.errors);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_added_while_running_are_read_from_their_first_event() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("more"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(10))?;
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Latest), Arc::clone(&store));
    until("the assignment", &store, |store| store.ledger.len() == 1).await;
    cluster.enlarge(&topic, 3).await?;
    // Cluster's own producer learns of them within a second.
    cluster.produce(&topic, 2, numbered(10))?;
    until("the added partition", &store, |store| store.events.len() == 10).await;
    worker.stop().await?;
    let store = store.lock().expect("no panic");
    assert!(store.events.keys().all(|(partition, _)| *partition == 2));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_absent_at_the_start_is_told_and_read_once_it_is_there() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("absent"));
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Earliest), Arc::clone(&store));
    until("the notice", &store, |store| {
        store.notices.iter().any(|notice| notice.kind == NoticeKind::TopicAbsent && notice.text.contains("create it"))
    })
    .await;
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(10))?;
    until("reading", &store, |store| store.events.len() == 10).await;
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_is_read_as_another_topic() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("anew"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(100))?;
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Earliest), Arc::clone(&store));
    until("the old topic", &store, |store| store.events.len() == 100).await;
    store.lock().expect("no panic").events.clear();
    cluster.delete(&topic).await?;
    let anew = Cluster::at(&brokers)?;
    anew.create(&topic, 1, &[]).await?;
    anew.produce(&topic, 0, (0..20).map(|number| Record::of(format!("new {number}"))))?;
    until("the new topic", &store, |store| store.events.len() == 20).await;
    worker.stop().await?;
    let store = store.lock().expect("no panic");
    assert_eq!(store.topic_ids.len(), 2, "two topics of one name");
    assert!(store.events.values().all(|payload| payload.starts_with(b"new")));
    let is_gap = |error: &ReadError| matches!(error, ReadError::OutOfRange { .. });
    assert!(!store.errors.iter().any(is_gap), "nobody is told to accept a gap: {:?}", store.errors);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_while_it_is_read_ends_its_readers_and_is_told() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("deleted"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(10))?;
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Earliest), Arc::clone(&store));
    until("reading", &store, |store| store.events.len() == 10).await;
    cluster.delete(&topic).await?;
    until("the notice", &store, |store| {
        store.notices.iter().any(|notice| notice.kind == NoticeKind::TopicAbsent) && !store.errors.is_empty()
    })
    .await;
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_the_broker_is_killed_and_restarted() -> Result<()> {
    let Some(mut kafka) = services::own_kafka() else { return Ok(()) };
    let brokers = kafka.brokers();
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("killed"));
    cluster.create(&topic, 4, &[]).await?;
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Earliest), Arc::clone(&store));
    let (sent, mut written) = mpsc::channel::<()>(1);
    let producing = {
        let topic = topic.clone();
        tokio::task::spawn_blocking(move || -> Result<()> {
            for round in 0..50 {
                (0..4).try_for_each(|partition| cluster.produce(&topic, partition, numbered(200)))?;
                if round == 5 {
                    let _ = sent.blocking_send(());
                }
            }
            Ok(())
        })
    };
    soon("some writing", written.recv()).await;
    until("some reading", &store, |store| !store.events.is_empty()).await;
    let kafka = tokio::task::spawn_blocking(move || -> Result<_> {
        kafka.kill()?;
        kafka.restart()?;
        Ok(kafka)
    })
    .await??;
    soon("the producer", producing).await??;
    until("reading everything", &store, |store| store.events.len() == 50 * 4 * 200).await;
    worker.stop().await?;
    drop(kafka);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_at_the_start_is_waited_for() -> Result<()> {
    let Some(mut kafka) = services::own_kafka() else { return Ok(()) };
    let brokers = kafka.brokers();
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("away"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(10))?;
    kafka.stop()?;
    let store = Arc::new(Mutex::new(Store::default()));
    let worker = Worker::start(config(&brokers, &topic, Start::Earliest), Arc::clone(&store));
    tokio::time::timeout(Duration::from_secs(5), until("nothing", &store, |store| !store.ledger.is_empty()))
        .await
        .expect_err("nothing can be assigned while the broker is away");
    kafka.restart()?;
    until("reading", &store, |store| store.events.len() == 10).await;
    worker.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_batch_that_cannot_be_read_stops_its_reader_before_it() -> Result<()> {
    let Some(mut kafka) = services::own_kafka() else { return Ok(()) };
    let brokers = kafka.brokers();
    let cluster = Cluster::at(&brokers)?;
    let (compression, checksum) = (unique("compression"), unique("checksum"));
    for topic in [&compression, &checksum] {
        cluster.create(topic, 1, &[]).await?;
        for _ in 0..3 {
            cluster.produce(topic, 0, numbered(100))?;
        }
    }
    kafka.stop()?;
    let log = |topic: &str| kafka.folder().join(format!("data/{topic}-0/00000000000000000000.log"));
    spoil(&log(&compression), 100, true)?;
    spoil(&log(&checksum), 100, false)?;
    kafka.restart()?;
    for topic in [&compression, &checksum] {
        let mut one = One::begin(&config(&brokers, topic, Start::Earliest), None, false).await?;
        let mut events = 0;
        let error = loop {
            match soon("a batch or the error", one.reader.next(&BATCH)).await {
                Ok(Read::Batch(batch)) => events += batch.len(),
                Ok(Read::End) => bail!("no end was asked for"),
                Err(error) => break error,
            }
        };
        assert_eq!(events, 100, "everything before it, and nothing after it");
        assert!(
            matches!(&error, ReadError::Undecodable { offset: 100, partition, .. } if partition.topic == *topic),
            "{error}"
        );
        one.close().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_and_tls_to_a_plain_port_are_wrong_set_ups_with_a_remedy() -> Result<()> {
    let Some(mut kafka) = services::own_kafka() else { return Ok(()) };
    let door = Door::to(&kafka)?;
    door.set(&mut kafka, "right", true)?;
    let (cluster, topic) = (Cluster::at(&kafka.brokers())?, unique("secure"));
    cluster.create(&topic, 1, &[]).await?;
    cluster.produce(&topic, 0, numbered(10))?;
    let with = |brokers: String, options: &[(&str, &str)]| {
        let mut config = config(&brokers, &topic, Start::Earliest);
        config.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), Secret::new(*value))));
        config
    };
    let sasl = |password| with(door.brokers(), &Door::options(password));
    let refused = |config| async move { soon("the refusal", KafkaSource::connect(&config)).await.err() };
    let wrong = refused(sasl("wrong")).await.context("it is the wrong password")?;
    assert!(matches!(wrong, KafkaError::Authentication(_)), "{wrong}");
    assert!(wrong.to_string().contains("`sasl.password`") && !wrong.to_string().contains("wrong"), "{wrong}");
    let tls =
        refused(with(kafka.brokers(), &[("security.protocol", "ssl")])).await.context("the port speaks no TLS")?;
    assert!(matches!(tls, KafkaError::Tls(_)) && tls.to_string().contains("`security.protocol`"), "{tls}");
    let unknown = refused(with(kafka.brokers(), &[("sasl.pasword", "x")])).await;
    assert_eq!(unknown, Some(KafkaError::UnknownOption("sasl.pasword".into())));

    let mut one = One::begin(&sasl("right"), None, false).await?;
    assert_eq!(one.batch().await?.records()[0].offset, 0);
    one.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_member_comes_back_to_its_partition_without_a_rebalance() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (cluster, topic) = (Cluster::at(&brokers)?, unique("static"));
    cluster.create(&topic, 1, &[]).await?;
    let mut settings = config(&brokers, &topic, Start::Earliest);
    settings.group_instance_id = Some("only".into());
    cluster.produce(&topic, 0, numbered(10))?;
    for _ in 0..2 {
        let mut one = One::begin(&settings, None, false).await?;
        assert_eq!(one.batch().await?.records()[0].offset, 0);
        one.close().await;
    }
    Ok(())
}
