//! Events as JSON lines, appended to a file or printed on standard output. At least once: after a crash the lines since
//! the last commit are written again.
//!
//! Several processes may append to one file: workers of a pipeline, and a replay beside it. One that has to take a torn line back must not
//! take back what another one wrote behind it, so each holds the file's lock while it appends.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncWriteExt, Stdout};

use wasmill_core::Batch;

use crate::delivery::Rows;

/// The events after enrichment, one line each.
pub fn encode_lines(batch: &Batch, events: &[u32]) -> Rows {
    let mut rows = Rows::default();
    rows.bytes.reserve(events.iter().map(|event| batch.raw.payload(*event as usize).map_or(0, <[u8]>::len) + 1).sum());
    for event in events {
        append_on_one_line(&mut rows.bytes, &batch.payload(*event));
        rows.bytes.push(b'\n');
        rows.finish_row(*event);
    }
    rows
}

/// Line breaks in valid JSON are white space between tokens, so a space says the same.
pub fn append_on_one_line(line: &mut Vec<u8>, payload: &[u8]) {
    let start = line.len();
    line.extend_from_slice(payload);
    for byte in &mut line[start..] {
        if matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// Where lines go.
#[derive(Debug)]
pub struct LineSink {
    to: To,
}

#[derive(Debug)]
enum To {
    File(PathBuf, File, Arc<std::fs::File>),
    Stdout(Stdout),
}

impl LineSink {
    /// Appends to a file, made if it is missing.
    ///
    /// # Errors
    /// A sentence when it cannot be opened.
    pub async fn file(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot open {} for writing: {error}", path.display());
        let file = OpenOptions::new().create(true).append(true).open(path).await.map_err(failed)?;
        let lock = file.try_clone().await.map_err(failed)?.into_std().await;
        Ok(Self { to: To::File(path.to_owned(), file, Arc::new(lock)) })
    }

    /// Prints on standard output.
    pub fn stdout() -> Self {
        Self { to: To::Stdout(tokio::io::stdout()) }
    }

    /// Writes whole lines; a file is on disk when this returns. After an error part of `lines` may have been written,
    /// then all of it is written again.
    ///
    /// # Errors
    /// A sentence: a full disk, a closed pipe.
    pub async fn write(&mut self, lines: &[&[u8]]) -> Result<(), String> {
        match &mut self.to {
            To::File(path, file, lock) => {
                let _locked = Locked::take(lock).await;
                append(file, lines).await.map_err(|error| {
                    format!("cannot write to {}: {error}; make room or mend it, wasmill tries again", path.display())
                })
            }
            To::Stdout(out) => {
                print(out, lines).await.map_err(|error| format!("cannot write to standard output: {error}"))
            }
        }
    }
}

/// Holds a file's lock.
struct Locked<'f>(&'f Arc<std::fs::File>);

impl<'f> Locked<'f> {
    /// Waits for the lock. A file that knows no locks, on some shares, is written without.
    async fn take(file: &'f Arc<std::fs::File>) -> Self {
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let file = Arc::clone(file);
            // Fails as above, or at the end of the runtime.
            let _ = tokio::task::spawn_blocking(move || file.lock()).await;
        }
        Self(file)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Fails only where there are no locks.
        let _ = self.0.unlock();
    }
}

async fn append(file: &mut File, lines: &[&[u8]]) -> std::io::Result<()> {
    let whole = file.metadata().await?.len();
    let written = write_all(file, lines).await;
    if written.is_err() {
        // A torn last line would spoil the next one: take back what was written.
        file.set_len(whole).await?;
    }
    written
}

async fn write_all(file: &mut File, lines: &[&[u8]]) -> std::io::Result<()> {
    for part in lines {
        file.write_all(part).await?;
    }
    file.flush().await?;
    file.sync_data().await
}

async fn print(out: &mut Stdout, lines: &[&[u8]]) -> std::io::Result<()> {
    for part in lines {
        out.write_all(part).await?;
    }
    out.flush().await
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn lines_are_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        for _ in 0..2 {
            LineSink::file(&path).await.unwrap().write(&[b"{}\n", b"[]\n"]).await.unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n[]\n{}\n[]\n");
    }

    #[tokio::test]
    async fn full_disk_is_an_error_that_names_the_file() {
        let error = LineSink::file(Path::new("/dev/full")).await.unwrap().write(&[b"{}\n"]).await.unwrap_err();
        assert!(error.contains("/dev/full"), "{error}");
    }

    #[tokio::test]
    async fn lines_wait_for_those_that_another_process_is_appending() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        let other = Arc::new(std::fs::File::options().create(true).append(true).open(&path).unwrap());
        let locked = Locked::take(&other).await;
        let mut sink = LineSink::file(&path).await.unwrap();
        let mut writing = std::pin::pin!(sink.write(&[b"{}\n"]));
        assert!(writing.as_mut().now_or_never().is_none());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        drop(locked);
        writing.await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
        assert!(other.try_lock().is_ok(), "the lock is given back");
    }

    #[test]
    fn line_breaks_between_tokens_become_spaces() {
        let mut line = Vec::new();
        append_on_one_line(&mut line, b"{\r\n\"a\":1}");
        assert_eq!(line, b"{  \"a\":1}");
    }
}
