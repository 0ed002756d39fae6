//! Events from lines: standard input or a file.
//!
//! A line's offset is the byte at which it starts, so a file can be resumed where the ledger says; of a compressed file that is
//! the byte of what was compressed, and what lies before it is decompressed once more. A file's identity is its device, inode
//! and the hash of its first 4 KiB: a file that was replaced is another one. Blank lines are skipped. A line over the limit is
//! read to its end, but only its beginning is kept.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, copy, sink};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use wasmill_core::{Digest, PartitionId, RawBatch};

use super::input::{Compression, Counted, Progress};
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
        "{path} has {size} bytes of lines but the ledger is at byte {offset}: the file was cut; move it away and write a new one, or set the position with `wasmill offsets set`",
        path = path.display()
    )]
    Shrunk {
        /// The file.
        path: PathBuf,
        /// Its size in bytes, decompressed.
        size: u64,
        /// The ledger's position.
        offset: i64,
    },
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
    File { path: PathBuf, file: File, compression: Compression },
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
        // What is no file, a pipe for instance, cannot be looked at before it is read.
        let (topic_id, compression) = if metadata.is_file() {
            let mut head = Vec::with_capacity(IDENTITY_BYTES);
            (&mut file).take(IDENTITY_BYTES as u64).read_to_end(&mut head).map_err(failed)?;
            let topic_id = format!("{:x}:{:x}:{:#}", metadata.dev(), metadata.ino(), Digest::of(&head));
            (topic_id, Compression::of(&head))
        } else {
            (format!("{:x}:{:x}", metadata.dev(), metadata.ino()), Compression::None)
        };
        let partition = identity("file", &path.display().to_string(), topic_id);
        let input = Input::File { path: path.to_owned(), file, compression };
        Ok(Self { partition, input, progress: Arc::default() })
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
        let Opened { path, reader, skip } = match self.input {
            Input::Stdin => {
                Opened { path: PathBuf::from("standard input"), reader: Box::new(std::io::stdin()), skip: 0 }
            }
            Input::File { path, file, compression } => open(path, file, compression, offset, &self.progress)?,
        };
        let (batches, receiver) = mpsc::channel(READ_AHEAD);
        let lines = Lines {
            reader: BufReader::with_capacity(BUFFER_BYTES, reader),
            partition: self.partition,
            offset,
            skip,
            limits,
            line: Vec::new(),
            failed: None,
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

/// What is read, from where on.
struct Opened {
    path: PathBuf,
    reader: Box<dyn Read + Send>,
    /// Bytes that come before the first line.
    skip: u64,
}

/// Opens a file at `offset` of its lines.
fn open(
    path: PathBuf,
    mut file: File,
    compression: Compression,
    offset: i64,
    progress: &Arc<Progress>,
) -> Result<Opened, LineSourceError> {
    let failed = |reason| LineSourceError::Io { path: path.clone(), reason };
    let metadata = file.metadata().map_err(failed)?;
    let mut skip = 0;
    if metadata.is_file() {
        let mut at = u64::try_from(offset).unwrap_or(0);
        if compression != Compression::None {
            (skip, at) = (at, 0);
        } else if metadata.len() < at {
            return Err(LineSourceError::Shrunk { path, size: metadata.len(), offset });
        }
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        progress.begin(at, metadata.len());
    }
    let reader = compression.reader(Counted { file, progress: Arc::clone(progress) }).map_err(failed)?;
    Ok(Opened { path, reader, skip })
}

struct Lines<R> {
    reader: BufReader<R>,
    partition: Arc<PartitionId>,
    offset: i64,
    skip: u64,
    limits: BatchConfig,
    line: Vec<u8>,
    /// What went wrong after the lines of the batch before.
    failed: Option<std::io::Error>,
}

impl<R: Read> Lines<R> {
    fn run(mut self, batches: &mpsc::Sender<Result<RawBatch, LineSourceError>>, path: &Path) {
        if let Err(error) = self.skip(path) {
            // Fails only when nobody reads any more.
            let _ = batches.blocking_send(Err(error));
            return;
        }
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

    fn skip(&mut self, path: &Path) -> Result<(), LineSourceError> {
        let skipped = copy(&mut (&mut self.reader).take(self.skip), &mut sink());
        let size = skipped.map_err(|reason| LineSourceError::Io { path: path.to_owned(), reason })?;
        if size < self.skip {
            return Err(LineSourceError::Shrunk { path: path.to_owned(), size, offset: self.offset });
        }
        Ok(())
    }

    /// A batch of what is there: it ends when the buffer is empty and reading on would wait, so a slow writer's lines are not
    /// held back. An empty batch that has not moved on is the end.
    fn next_batch(&mut self) -> std::io::Result<RawBatch> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut batch = RawBatch::new(Arc::clone(&self.partition), self.offset);
        loop {
            let length = match self.read_line() {
                Err(error) if !batch.is_empty() => {
                    self.failed = Some(error);
                    return Ok(batch);
                }
                length => length?,
            };
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
mod tests;
