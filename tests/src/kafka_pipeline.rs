//! A pipeline from a topic of its own to SQLite, whose rows say which event of which partition they are.

use std::ops::Range;

use crate::admin::Admin;
use crate::kafka::{Cluster, Record};
use crate::pipeline::{Pipeline, Ran, Running};
use crate::services::unique;

/// The pipeline with its topic, which is not made yet.
pub struct KafkaPipeline {
    /// Where the topic is, or will be.
    pub cluster: Cluster,
    /// The topic's name.
    pub topic: String,
    /// The folder and the file.
    pub pipeline: Pipeline,
}

/// A source of one topic in a group of its own that sees changes of topics quickly.
pub fn source(brokers: &str, topic: &str, from: &str) -> String {
    format!(
        "source: {{ kafka: {{ brokers: \"{brokers}\", topics: [{topic}], group: {topic}, from: {from}, \
         options: {{ topic.metadata.refresh.interval.ms: 500, session.timeout.ms: 10000 }} }} }}\n\
         retry: {{ initial: 50ms, max: 500ms }}\nadmin: 127.0.0.1:0\n"
    )
}

impl KafkaPipeline {
    /// Begins at the earliest event.
    ///
    /// # Panics
    /// When no client can be made.
    pub fn at(brokers: &str) -> Self {
        Self::from(brokers, "earliest")
    }

    /// Begins where `from` says.
    ///
    /// # Panics
    /// When no client can be made.
    pub fn from(brokers: &str, from: &str) -> Self {
        let topic = unique("rows");
        let yaml = format!(
            "name: rows\n{}plugins: plugins.d\nsinks:\n  rows:\n    sqlite:\n      {{ path: out.db, table: events, create: true, \
             columns: {{ id: id, part: $partition, place: $offset }} }}\n",
            source(brokers, &topic, from)
        );
        let cluster = Cluster::at(brokers).expect("a client can be made");
        Self { cluster, topic, pipeline: Pipeline::new(&yaml) }
    }

    /// Adds settings of the client library to the file.
    ///
    /// # Panics
    /// When the file cannot be changed.
    pub fn set_options(&self, options: &[(&str, &str)]) {
        let added: String = options.iter().map(|(name, value)| format!("{name}: {value}, ")).collect();
        self.replace("options: { ", &format!("options: {{ {added}"));
    }

    /// Replaces a part of the file.
    ///
    /// # Panics
    /// When it is not there.
    pub fn replace(&self, part: &str, by: &str) {
        let path = self.pipeline.path("pipeline.yaml");
        let yaml = std::fs::read_to_string(&path).expect("the pipeline has its file");
        assert!(yaml.contains(part), "{part} is not in {yaml}");
        std::fs::write(path, yaml.replace(part, by)).expect("the file can be written");
    }

    /// Makes the topic.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub fn create(&self, partitions: i32) {
        wait(self.cluster.create(&self.topic, partitions, &[])).expect("the topic can be made");
    }

    /// Writes the events `numbers` to a partition, in record batches of their own.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub fn produce(&self, partition: i32, numbers: Range<usize>) {
        let records = numbers.map(|n| Record::of(format!("{{\"id\":\"{partition}-{n}\"}}")));
        self.cluster.produce(&self.topic, partition, records).expect("the events are written");
    }

    /// Starts it, and finds its admin pages.
    pub fn start(&self) -> (Running, Admin) {
        let mut running = self.pipeline.start();
        let admin = Admin::of(&mut running);
        (running, admin)
    }

    /// Runs `wasmill offsets COMMAND` with the topic, partition 0 and these arguments.
    ///
    /// # Panics
    /// When it does not end.
    pub fn offsets(&self, command: &str, arguments: &[&str]) -> Ran {
        let place = ["offsets", command, "pipeline.yaml", "--topic", &self.topic, "--partition", "0"];
        let all: Vec<&str> = place.into_iter().chain(arguments.iter().copied()).collect();
        self.pipeline.start_with(&all, b"").wait(crate::pipeline::PATIENCE)
    }

    /// Asserts that the rows of a partition are exactly the events `numbers`, each once, in this order of offsets.
    ///
    /// # Panics
    /// When they are not.
    pub fn assert_rows(&self, partition: i32, numbers: impl IntoIterator<Item = usize>) {
        let sql = format!("SELECT id FROM events WHERE part = {partition} ORDER BY place, id");
        let rows: Vec<String> = self.pipeline.sqlite("out.db", &sql).into_iter().map(|mut row| row.remove(0)).collect();
        let expected: Vec<String> = numbers.into_iter().map(|n| format!("{partition}-{n}")).collect();
        assert_eq!(rows, expected, "the rows of partition {partition}");
    }
}

/// Waits for a request in a test without a runtime of its own.
///
/// # Panics
/// When no runtime can be made.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
