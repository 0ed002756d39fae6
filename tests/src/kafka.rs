//! Topics and records for tests, by clients of their own: what the source reads is not written through it.

pub mod door;
pub mod read;
pub mod rig;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};

/// How long a request may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster, as those see it who write to it.
pub struct Cluster {
    brokers: String,
    admin: AdminClient<DefaultClientContext>,
    producer: BaseProducer<Failures>,
}

/// One record to be written.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Its time, milliseconds since 1970; `None`: now.
    pub time_ms: Option<i64>,
}

impl Record {
    /// A record with this value and nothing else.
    pub fn of(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }
}

/// The first delivery that failed.
#[derive(Default)]
struct Failures(Mutex<Option<String>>);

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let text = format!("{}[{}]: {error}", message.topic(), message.partition());
            self.0.lock().expect("no panic while it is held").get_or_insert(text);
        }
    }
}

impl Cluster {
    /// Of these bootstrap servers; values are compressed by lz4.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn at(brokers: &str) -> Result<Self> {
        Self::with(brokers, &[("compression.type", "lz4"), ("linger.ms", "5")])
    }

    /// Of these bootstrap servers, with settings for the producer.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn with(brokers: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers).set("topic.metadata.refresh.interval.ms", "1000");
        let admin = config.create().context("cannot make an admin client")?;
        config.set("enable.idempotence", "true").set("queue.buffering.max.messages", "1000000");
        for (key, value) in settings {
            config.set(*key, *value);
        }
        let producer: BaseProducer<Failures> =
            config.create_with_context(Failures::default()).context("cannot make a producer")?;
        if config.get("transactional.id").is_some() {
            producer.init_transactions(PATIENCE)?;
        }
        Ok(Self { brokers: brokers.to_owned(), admin, producer })
    }

    /// The bootstrap servers.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// Makes a topic with these settings, and waits until every partition has a leader.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn create(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) -> Result<()> {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        for (key, value) in settings {
            new = new.set(key, value);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answers = self.admin.create_topics([&new], &AdminOptions::new()).await?;
            match answers.first() {
                Some(Ok(_)) => break,
                // Its deletion is still under way.
                Some(Err(_)) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(50)).await,
                other => bail!("cannot make the topic {topic}: {other:?}"),
            }
        }
        self.wait_for(topic, partitions).await
    }

    /// Adds partitions up to this number.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn enlarge(&self, topic: &str, partitions: usize) -> Result<()> {
        let answers =
            self.admin.create_partitions([&NewPartitions::new(topic, partitions)], &AdminOptions::new()).await?;
        ensure!(matches!(answers.first(), Some(Ok(_))), "cannot enlarge the topic {topic}: {answers:?}");
        self.wait_for(topic, i32::try_from(partitions)?).await
    }

    /// Changes one setting of a topic; its others become the cluster's defaults.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn set(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let answers = self.admin.alter_configs([&change], &AdminOptions::new()).await?;
        ensure!(matches!(answers.first(), Some(Ok(_))), "cannot change the topic {topic}: {answers:?}");
        Ok(())
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn delete(&self, topic: &str) -> Result<()> {
        let answers = self.admin.delete_topics(&[topic], &AdminOptions::new()).await?;
        ensure!(matches!(answers.first(), Some(Ok(_))), "cannot delete the topic {topic}: {answers:?}");
        Ok(())
    }

    /// Deletes the records of a partition before `offset`, as retention would.
    ///
    /// # Errors
    /// When the cluster refuses.
    pub async fn delete_records(&self, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_offset(topic, partition, rdkafka::Offset::Offset(offset))?;
        let answer = self.admin.delete_records(&list, &AdminOptions::new()).await?;
        for element in answer.elements() {
            element.error().with_context(|| format!("cannot delete records of {topic}[{partition}]"))?;
        }
        Ok(())
    }

    async fn wait_for(&self, topic: &str, partitions: i32) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let metadata = self.producer.client().fetch_metadata(Some(topic), PATIENCE)?;
            let led = metadata.topics().iter().flat_map(|topic| topic.partitions()).filter(|p| p.leader() >= 0).count();
            if led == usize::try_from(partitions)? {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the topic {topic} has {led} of {partitions} partitions");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes records to one partition, in order, and waits until all are there.
    ///
    /// # Errors
    /// When one was not written.
    pub fn produce(&self, topic: &str, partition: i32, records: impl IntoIterator<Item = Record>) -> Result<()> {
        for record in records {
            self.send(topic, partition, &record)?;
        }
        self.flush()
    }

    /// Hands one record to the producer; [`Cluster::flush`] waits for it.
    ///
    /// # Errors
    /// When the producer refuses it.
    pub fn send(&self, topic: &str, partition: i32, record: &Record) -> Result<()> {
        loop {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: value.as_ref() });
            }
            let mut base = BaseRecord::<[u8], [u8]>::to(topic).partition(partition);
            base.key = record.key.as_deref();
            base.payload = record.value.as_deref();
            base.timestamp = record.time_ms;
            if !record.headers.is_empty() {
                base.headers = Some(headers);
            }
            match self.producer.send(base) {
                Ok(()) => return Ok(()),
                Err((error, _)) if error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull) => {
                    self.producer.poll(Duration::from_millis(10));
                }
                Err((error, _)) => bail!("cannot write to {topic}[{partition}]: {error}"),
            }
        }
    }

    /// Waits until everything is written.
    ///
    /// # Errors
    /// When a record was not written.
    pub fn flush(&self) -> Result<()> {
        self.producer.flush(PATIENCE)?;
        match self.producer.context().0.lock().expect("no panic while it is held").take() {
            Some(error) => bail!("a record was not written: {error}"),
            None => Ok(()),
        }
    }

    /// Writes records to one partition in a transaction of their own. For a cluster made with a `transactional.id`.
    ///
    /// # Errors
    /// When the transaction fails otherwise than by being aborted.
    pub fn transaction(&self, topic: &str, records: impl IntoIterator<Item = Record>, commit: bool) -> Result<()> {
        self.producer.begin_transaction()?;
        self.produce(topic, 0, records)?;
        match commit {
            true => self.producer.commit_transaction(PATIENCE)?,
            false => self.producer.abort_transaction(PATIENCE)?,
        }
        Ok(())
    }
}
