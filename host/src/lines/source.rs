//! Events from JSON lines: standard input or a file.
//!
//! A line's offset is the byte at which it starts, so a file can be resumed where the ledger says. A file's identity is
//! its device, inode and the hash of its first 4 KiB: a file that was replaced is another one. Blank lines are skipped.
//! A line over the limit is read to its end, but only its beginning is kept.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use wasmill_core::{Digest, PartitionId, RawBatch};

use crate::config::BatchConfig;

/// How much of a file's beginning goes into its identity.
const IDENTITY_BYTES: usize = 4096;
/// Read buffer.
const BUFFER_BYTES: usize = 256 * 1024;
/// Batches read ahead.
const READ_AHEAD: usize = 2;

/// Why lines cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LineSourceError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {reason}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: std::io::Error,
    },
    /// The ledger is ahead of the file.
    #[error(
        "{path} has {size} bytes but the ledger is at byte {offset}: the file was cut; move it away and write a new one, or set the position with `wasmill offsets set`",
        path = path.display()
    )]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The ledger's position.
        offset: i64,
    },
}

/// How far a source with an end has come, in bytes.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// Bytes read and bytes in all; `None` where the end is not known.
    pub fn bytes(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.read.load(Ordering::Relaxed), total))
    }
}

/// A source of lines: one partition with one reader thread.
#[derive(Debug)]
pub struct LineSource {
    partition: Arc<PartitionId>,
    input: Input,
    progress: Arc<Progress>,
}

#[derive(Debug)]
enum Input {
    Stdin,
    File(PathBuf, File),
}

impl LineSource {
    /// Standard input; every run is a new topic.
    pub fn stdin() -> Self {
        let run = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos();
        let topic_id = format!("{run:x}-{:x}", std::process::id());
        Self { partition: identity("stdin", "stdin", topic_id), input: Input::Stdin, progress: Arc::default() }
    }

    /// A file.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn file(path: &Path) -> Result<Self, LineSourceError> {
        let failed = |reason| LineSourceError::Io { path: path.to_owned(), reason };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
        }
        let topic_id = if metadata.is_file() {
            let mut head = Vec::with_capacity(IDENTITY_BYTES);
            (&mut file).take(IDENTITY_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
            format!("{:x}:{:x}:{:#}", metadata.dev(), metadata.ino(), Digest::of(&head))
        } else {
            format!("{:x}:{:x}", metadata.dev(), metadata.ino())
        };
        let partition = identity("file", &path.display().to_string(), topic_id);
        Ok(Self { partition, input: Input::File(path.to_owned(), file), progress: Arc::default() })
    }

    /// Its one partition.
    pub fn partition(&self) -> &Arc<PartitionId> {
        &self.partition
    }

    /// How far it has come.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Reads on from `offset`. Batches come over the channel; it closes at the end, after an error as the last entry.
    /// Dropping the receiver ends the thread (for standard input with the next line).
    ///
    /// # Errors
    /// When the file is shorter than `offset`, or cannot be read there.
    pub fn start(
        self,
        offset: i64,
        limits: BatchConfig,
    ) -> Result<mpsc::Receiver<Result<RawBatch, LineSourceError>>, LineSourceError> {
        let (path, reader): (PathBuf, Box<dyn Read + Send>) = match self.input {
            Input::Stdin => (PathBuf::from("standard input"), Box::new(std::io::stdin())),
            Input::File(path, file) => {
                let file = seek(&path, file, offset, &self.progress)?;
                (path, Box::new(file))
            }
        };
        let (batches, receiver) = mpsc::channel(READ_AHEAD);
        let lines = Lines {
            reader: BufReader::with_capacity(BUFFER_BYTES, reader),
            partition: self.partition,
            offset,
            limits,
            line: Vec::new(),
            progress: self.progress,
        };
        std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn({
                let path = path.clone();
                move || lines.run(&batches, &path)
            })
            .map_err(|reason| LineSourceError::Io { path, reason })?;
        Ok(receiver)
    }
}

fn identity(source: &str, topic: &str, topic_id: String) -> Arc<PartitionId> {
    Arc::new(PartitionId {
        source: source.to_owned(),
        cluster: String::new(),
        topic: topic.to_owned(),
        topic_id,
        partition: 0,
    })
}

fn seek(path: &Path, mut file: File, offset: i64, progress: &Progress) -> Result<File, LineSourceError> {
    let failed = |reason| LineSourceError::Io { path: path.to_owned(), reason };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Ok(file);
    }
    let at = u64::try_from(offset).unwrap_or(0);
    if metadata.len() < at {
        return Err(LineSourceError::Shrunk { path: path.to_owned(), size: metadata.len(), offset });
    }
    file.seek(SeekFrom::Start(at)).map_err(failed)?;
    progress.total.store(metadata.len(), Ordering::Relaxed);
    progress.read.store(at, Ordering::Relaxed);
    Ok(file)
}

struct Lines<R> {
    reader: BufReader<R>,
    partition: Arc<PartitionId>,
    offset: i64,
    limits: BatchConfig,
    line: Vec<u8>,
    progress: Arc<Progress>,
}

impl<R: Read> Lines<R> {
    fn run(mut self, batches: &mpsc::Sender<Result<RawBatch, LineSourceError>>, path: &Path) {
        loop {
            let batch = self.next_batch();
            let failed = batch.is_err();
            let batch = batch.map_err(|reason| LineSourceError::Io { path: path.to_owned(), reason });
            let end = matches!(&batch, Ok(batch) if batch.next_offset() == batch.first_offset());
            if end || batches.blocking_send(batch).is_err() || failed {
                return;
            }
        }
    }

    /// A batch of what is there: it ends when the buffer is empty and reading on would wait, so a slow writer's lines are not
    /// held back. An empty batch that has not moved on is the end.
    fn next_batch(&mut self) -> std::io::Result<RawBatch> {
        let mut batch = RawBatch::new(Arc::clone(&self.partition), self.offset);
        loop {
            let length = self.read_line()?;
            if length == 0 {
                return Ok(batch);
            }
            self.take_line(&mut batch, length);
            let full = batch.len() >= self.limits.events_max || batch.bytes() >= self.limits.bytes_max;
            if full || self.reader.buffer().is_empty() {
                return Ok(batch);
            }
        }
    }

    fn take_line(&mut self, batch: &mut RawBatch, length: u64) {
        let start = self.offset;
        self.offset += length as i64;
        self.progress.read.store(self.offset as u64, Ordering::Relaxed);
        let kept = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let kept = kept.strip_suffix(b"\r").unwrap_or(kept);
        if !kept.is_empty() {
            batch.push(start, arrival_ns(), None, Some(kept), []);
            if length > self.line.len() as u64 {
                batch.mark_cut(length);
            }
        }
        batch.advance_to(self.offset);
    }

    /// Reads one line into `self.line`, keeping at most one byte over the limit of an event; answers the bytes consumed, 0 at the end.
    fn read_line(&mut self) -> std::io::Result<u64> {
        self.line.clear();
        let kept_max = self.limits.event_bytes_max + 2;
        let mut consumed = 0;
        loop {
            let buffer = match self.reader.fill_buf() {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if buffer.is_empty() {
                return Ok(consumed);
            }
            let newline = buffer.iter().position(|byte| *byte == b'\n');
            let taken = newline.map_or(buffer.len(), |at| at + 1);
            let room = kept_max.saturating_sub(self.line.len());
            self.line.extend_from_slice(&buffer[..taken.min(room)]);
            self.reader.consume(taken);
            consumed += taken as u64;
            if newline.is_some() {
                return Ok(consumed);
            }
        }
    }
}

fn arrival_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BatchConfig = BatchConfig { events_max: 3, bytes_max: 1 << 20, event_bytes_max: 8 };

    fn read(content: &[u8], offset: i64) -> Vec<RawBatch> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.jsonl");
        std::fs::write(&path, content).unwrap();
        let mut batches = LineSource::file(&path).unwrap().start(offset, LIMITS).unwrap();
        std::iter::from_fn(|| batches.blocking_recv()).map(Result::unwrap).collect()
    }

    fn payloads(batches: &[RawBatch]) -> Vec<String> {
        let events = batches.iter().flat_map(|batch| (0..batch.len()).filter_map(|n| batch.payload(n)));
        events.map(|payload| String::from_utf8_lossy(payload).into_owned()).collect()
    }

    #[test]
    fn offset_of_a_line_is_its_first_byte_and_blank_lines_are_skipped() {
        let batches = read(b"{}\n\n{\"a\":1}\r\nlast", 0);
        assert_eq!(payloads(&batches), ["{}", "{\"a\":1}", "last"]);
        let offsets: Vec<_> = batches.iter().flat_map(|batch| batch.records()).map(|record| record.offset).collect();
        assert_eq!(offsets, [0, 4, 13]);
        assert_eq!(batches.last().unwrap().next_offset(), 17);
    }

    #[test]
    fn file_is_resumed_at_an_offset() {
        assert_eq!(payloads(&read(b"{}\n{\"a\":1}\n", 3)), ["{\"a\":1}"]);
    }

    #[test]
    fn batch_is_cut_at_events_max() {
        assert_eq!(read(b"1\n2\n3\n4\n", 0).iter().map(RawBatch::len).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn line_at_the_limit_is_whole_and_a_longer_one_is_cut_and_says_so() {
        let batches = read(b"12345678\n12345678901234567890\n1\n", 0);
        assert_eq!(payloads(&batches), ["12345678", "1234567890", "1"]);
        let cut: Vec<_> = batches.iter().flat_map(|batch| batch.records()).map(|record| record.cut_from).collect();
        assert_eq!(cut, [None, Some(21), None]);
    }

    #[test]
    fn file_that_shrank_is_refused_with_its_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let error = LineSource::file(&path).unwrap().start(10, LIMITS).unwrap_err();
        assert!(matches!(error, LineSourceError::Shrunk { size: 3, offset: 10, .. }));
    }

    #[test]
    fn replaced_file_is_another_topic() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let before = LineSource::file(&path).unwrap().partition().topic_id.clone();
        std::fs::write(&path, "[]\n").unwrap();
        assert_ne!(LineSource::file(&path).unwrap().partition().topic_id, before);
    }
}
