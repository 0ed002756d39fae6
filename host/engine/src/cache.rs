//! Compiled code, kept between runs. It is trusted like our own binary, so the folder must be ours alone, and every entry
//! carries the hash of its bytes: what is foreign, broken or half-written is made anew. The folder is bounded: what was used
//! longest ago goes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wasmill_core::Digest;

use crate::compile::{CompileLimits, frame, unframe};
use crate::error::EngineError;
use crate::prepare::{Prepared, Request};

/// Entries that are kept: several times what a directory of plugins may hold.
const ENTRIES_MAX: usize = 1_024;
/// Bytes of all entries that are kept. Of a component that brings JavaScript or Python one has some 40 MB, and whoever writes such a
/// plugin makes one at each change.
const BYTES_MAX: u64 = 4 << 30;
/// Bytes of an entry that are read at most.
const ENTRY_BYTES_MAX: u64 = 600 << 20;
const SUFFIX: &str = "cwasm";
/// How the names of entries begin that are being written.
const UNFINISHED: &str = "unfinished-";
/// Nobody writes an entry for so long: one that is older was left by a process that was killed.
const WRITING_MAX: Duration = Duration::from_secs(3_600);
/// Part of each key: another number when entries look otherwise than before, so that old ones are not asked for.
const FORMAT: u8 = 4;

/// A folder of compiled code.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// Opens the folder, and makes it with mode 0700 if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, is no folder, belongs to somebody else, or others may enter it.
    pub(crate) fn open(folder: &Path) -> Result<Self, EngineError> {
        let refuse = |problem: String| EngineError::Cache { path: folder.to_owned(), problem };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| refuse(format!("{error}; name a folder that can be written")))?;
        let found = fs::symlink_metadata(folder).map_err(|error| refuse(error.to_string()))?;
        if !found.is_dir() {
            return Err(refuse("it is no folder; name a folder".into()));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse("it belongs to another user; name a folder of your own".into()));
        }
        if found.mode() & 0o077 != 0 {
            return Err(refuse(format!("others may enter it (mode {:o}); chmod 700 it", found.mode() & 0o777)));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// What was stored under `key`, if it is whole.
    pub(crate) fn get(&self, key: &Digest) -> Option<(Prepared, Vec<u8>)> {
        let path = self.path(key);
        let entry = match read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled code cannot be read and is made anew");
                return None;
            }
        };
        let whole = open(key, entry);
        if whole.is_none() {
            tracing::warn!(path = %path.display(), "compiled code is broken and is made anew");
        }
        whole
    }

    /// Stores under `key`, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn put(&self, key: &Digest, prepared: &Prepared, code: Vec<u8>) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.folder)?;
        file.write_all(&close(key, prepared, code))?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        self.prune()
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{key}.{SUFFIX}"))
    }

    /// Removes what is too much, and what was left unfinished.
    fn prune(&self) -> io::Result<()> {
        let now = SystemTime::now();
        let mut entries = Vec::new();
        for found in fs::read_dir(&self.folder)? {
            let found = found?;
            // Other processes prune as well.
            let Ok(about) = found.metadata() else { continue };
            let (path, used) = (found.path(), about.modified()?);
            if path.extension().is_some_and(|suffix| suffix == SUFFIX) {
                entries.push(Entry { used, bytes: about.len(), path });
            } else if found.file_name().to_string_lossy().starts_with(UNFINISHED) && used + WRITING_MAX < now {
                remove(&path)?;
            }
        }
        surplus(entries).iter().try_for_each(|entry| remove(&entry.path))
    }
}

/// A file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// When it was made, or last taken.
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

/// Those that are too many, or too much together: all but the ones that were used last.
fn surplus(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|one, other| other.used.cmp(&one.used).then_with(|| one.path.cmp(&other.path)));
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += entry.bytes;
        bytes <= BYTES_MAX
    };
    let kept = entries.iter().take(ENTRIES_MAX).take_while(fits).count();
    entries.split_off(kept)
}

/// Removes a file, unless another process just did.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The key of what `request` asks for, given the set-up of the engine and what compiling may use: what is refused without a cache
/// is so with one, whatever was compiled under other limits.
pub(crate) fn key(request: &Request, fingerprint: u64, compile: CompileLimits) -> Digest {
    let limits = serde_json::to_vec(&(&request.limits, compile)).expect("limits are plain numbers");
    Digest::of_parts([
        &[FORMAT],
        env!("CARGO_PKG_VERSION").as_bytes(),
        &fingerprint.to_le_bytes(),
        request.digest.as_bytes(),
        request.config.as_bytes(),
        &limits,
    ])
}

/// An entry: code, what was found when it was made, and the hash of both under the key. Such a hash costs a start a tenth of
/// what the plugins' SHA-256 does, and shows as well what is broken.
fn close(key: &Digest, prepared: &Prepared, code: Vec<u8>) -> Vec<u8> {
    let mut entry = frame(prepared, code);
    let hash = blake3::keyed_hash(key.as_bytes(), &entry);
    entry.extend_from_slice(hash.as_bytes());
    entry
}

fn open(key: &Digest, mut entry: Vec<u8>) -> Option<(Prepared, Vec<u8>)> {
    let (content, hash) = entry.split_last_chunk::<32>()?;
    if blake3::keyed_hash(key.as_bytes(), content) != *hash {
        return None;
    }
    entry.truncate(entry.len() - hash.len());
    unframe(entry)
}

/// Reads an entry, and has it stand as used now.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > ENTRY_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {bytes} bytes")));
    }
    let mut entry = Vec::with_capacity(bytes as usize);
    file.read_to_end(&mut entry)?;
    // A folder that can only be read serves as well.
    let _ = file.set_modified(SystemTime::now());
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of so many bytes each, used one after the other.
    fn entries(bytes: &[u64]) -> Vec<Entry> {
        let entry = |(n, bytes): (usize, &u64)| Entry {
            used: SystemTime::UNIX_EPOCH + Duration::from_secs(n as u64),
            bytes: *bytes,
            path: n.to_string().into(),
        };
        bytes.iter().enumerate().map(entry).collect()
    }

    fn gone(entries: Vec<Entry>) -> Vec<String> {
        surplus(entries).iter().map(|entry| entry.path.display().to_string()).collect()
    }

    #[test]
    fn entry_that_was_used_longest_ago_goes_when_there_is_one_too_many() {
        assert!(gone(entries(&[1; ENTRIES_MAX])).is_empty());
        assert_eq!(gone(entries(&[1; ENTRIES_MAX + 1])), ["0"]);
    }

    #[test]
    fn entries_that_were_used_longest_ago_go_when_all_have_a_byte_too_many() {
        assert!(gone(entries(&[1, BYTES_MAX - 2, 1])).is_empty());
        assert_eq!(gone(entries(&[1, 1, BYTES_MAX - 2, 1])), ["0"]);
        assert_eq!(gone(entries(&[1, 1, BYTES_MAX, 1])), ["2", "1", "0"]);
    }
}
