//! Letters that no home keeps, taken into a ledger: an SQLite database of this machine in which they can be listed, and in which
//! stands what became of them.
//!
//! What is in the file or the topic stays there and is never changed. Each look takes in what was added since the one before; letters
//! and the mark of how far that is are one transaction. A letter that a crash wrote twice is there twice, with one identity, and is
//! replayed once.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmill_core::RawBatch;

use crate::config::{BatchConfig, Config, From, KafkaOutput, SinkKind, SourceConfig};
use crate::dead_letters;
use crate::kafka::LettersTopic;
use crate::lines::LineSource;
use crate::sqlite::SqliteStore;
use crate::store::StoredDeadLetter;

/// Lines taken in at a time.
const BATCH: BatchConfig =
    BatchConfig { events_max: 500, bytes_max: 8 << 20, event_bytes_max: 256 << 20, linger: Duration::ZERO };

/// Where letters are kept that no home has.
#[derive(Clone, Copy, Debug)]
pub enum Feed<'c> {
    /// Lines of a file.
    File(&'c Path),
    /// Messages of a topic.
    Kafka(&'c KafkaOutput),
}

impl Feed<'_> {
    /// Where its ledger is unless somebody names another place; `None`: somebody has to.
    pub fn ledger(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(PathBuf::from(format!("{}.ledger.db", path.display()))),
            Self::Kafka(_) => None,
        }
    }

    /// Takes in what was added.
    ///
    /// # Errors
    /// A sentence.
    pub async fn take_in(&self, config: &Config, ledger: &SqliteStore) -> Result<(), String> {
        match self {
            Self::File(path) => take_in_file(path, ledger).await,
            Self::Kafka(output) => {
                let source = match config.source {
                    SourceConfig::Kafka(_) => "kafka",
                    SourceConfig::Stdin => "stdin",
                    SourceConfig::File { .. } => "file",
                };
                take_in_topic(output, source, ledger).await
            }
        }
    }
}

/// The places to which a pipeline writes dead letters and which can be read again, by their names.
pub fn feeds(config: &Config) -> Vec<(&str, Feed<'_>)> {
    let file = config.dead_letters.file.as_deref().map(|path| ("file", Feed::File(path)));
    let kafka = config.dead_letters.kafka.as_ref().map(|output| ("kafka", Feed::Kafka(output)));
    let sinks = config.sinks.iter().filter(|sink| sink.from == From::DeadLetters).filter_map(|sink| match &sink.kind {
        SinkKind::File { path } => Some((sink.name.as_str(), Feed::File(path))),
        SinkKind::Kafka(kafka) => Some((sink.name.as_str(), Feed::Kafka(&kafka.output))),
        _ => None,
    });
    file.into_iter().chain(kafka).chain(sinks).collect()
}

async fn take_in_file(path: &Path, ledger: &SqliteStore) -> Result<(), String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        // Nothing was rejected so far.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let feed = name_of(&metadata);
    let mark = ledger.relay_mark(&feed).await.map_err(|error| error.to_string())?;
    // Cut by whoever rotates it.
    let start = if mark.cast_unsigned() > metadata.len() { 0 } else { mark };
    let source = LineSource::file(path).map_err(|error| error.to_string())?;
    let mut batches = source.start(start, BATCH).map_err(|error| error.to_string())?;
    let mut unreadable = None;
    while let Some(batch) = batches.recv().await {
        let batch = batch.map_err(|error| error.to_string())?;
        let letters = letters_of(&batch, path, &mut unreadable);
        // A line that is being written is looked at again.
        let mark = unreadable.unwrap_or_else(|| batch.next_offset());
        ledger.feed(&feed, &letters, mark).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The letters of a batch. The offset of a last line that is none is left in `unreadable`; one before it is told and passed over.
fn letters_of(batch: &RawBatch, path: &Path, unreadable: &mut Option<i64>) -> Vec<StoredDeadLetter> {
    let mut letters = Vec::with_capacity(batch.len());
    for (index, record) in batch.records().iter().enumerate() {
        if let Some(before) = unreadable.take() {
            tracing::warn!("{}: the line at byte {before} is no dead letter", path.display());
        }
        match dead_letters::from_line(batch.payload(index).unwrap_or_default()) {
            Ok(letter) => letters.push(letter),
            Err(_) => *unreadable = Some(record.offset),
        }
    }
    letters
}

/// A file that is moved away and made anew is another one.
fn name_of(metadata: &Metadata) -> String {
    format!("from file {:x}:{:x}", metadata.dev(), metadata.ino())
}

async fn take_in_topic(output: &KafkaOutput, source: &'static str, ledger: &SqliteStore) -> Result<(), String> {
    let topic = LettersTopic::find(output, source).await.map_err(|error| error.to_string())?;
    for stretch in topic.partitions() {
        let partition = &stretch.partition;
        let feed = format!("from {}/{partition}/{}", partition.cluster, partition.topic_id);
        let mark = ledger.relay_mark(&feed).await.map_err(|error| error.to_string())?;
        let mut reader = topic.read(stretch, mark).await.map_err(|error| error.to_string())?;
        while let Some(fed) = reader.next().await? {
            ledger.feed(&feed, &fed.letters, fed.next_offset).await.map_err(|error| error.to_string())?;
        }
    }
    topic.close().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::letters::{LetterFilter, Page};
    use crate::store::Facts;

    const ALL: Page = Page { after: 0, before: i64::MAX, is_newest_first: false, limit: 100 };

    async fn ledger(path: &Path) -> SqliteStore {
        let facts = Facts {
            provenance: crate::config::Provenance::Off,
            config: wasmill_core::Digest::of(b""),
            engine: String::new(),
        };
        SqliteStore::open(path, "p", Vec::new(), true, facts).await.unwrap()
    }

    fn line(offset: i64) -> String {
        format!(
            "{{\"origin\":{{\"source\":\"kafka\",\"topic\":\"t\",\"partition\":0,\"offset\":{offset},\
             \"timestamp\":\"2026-01-01T00:00:00Z\"}},\"stage\":\"parse\",\"code\":\"empty\",\"reason\":\"r\",\
             \"time\":\"2026-01-01T00:00:00Z\",\"headers\":[]}}\n"
        )
    }

    async fn offsets(path: &Path, ledger: &SqliteStore) -> Vec<i64> {
        take_in_file(path, ledger).await.unwrap();
        let letters = ledger.letters(&LetterFilter::default(), ALL).await.unwrap();
        letters.iter().map(|letter| letter.stored.letter.offset).collect()
    }

    #[tokio::test]
    async fn each_line_is_taken_in_once_and_one_that_is_being_written_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (path, ledger) = (folder.path().join("dead.jsonl"), ledger(&folder.path().join("ledger.db")).await);
        assert_eq!(offsets(&path, &ledger).await, Vec::<i64>::new());
        let mut file = std::fs::File::options().create(true).append(true).open(&path).unwrap();
        let torn = line(3);
        write!(file, "{}no letter\n{}{}", line(1), line(2), &torn[..20]).unwrap();
        for _ in 0..2 {
            assert_eq!(offsets(&path, &ledger).await, [1, 2]);
        }
        write!(file, "{}", &torn[20..]).unwrap();
        assert_eq!(offsets(&path, &ledger).await, [1, 2, 3]);
        file.set_len(0).unwrap();
        write!(file, "{}", line(4)).unwrap();
        for _ in 0..2 {
            assert_eq!(offsets(&path, &ledger).await, [1, 2, 3, 4]);
        }
    }
}
