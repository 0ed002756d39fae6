//! Compiled code, kept between runs. It is trusted like our own binary, so the folder must be ours alone, and every entry
//! carries the hash of its bytes: what is foreign, broken or half-written is made anew.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use wasmill_core::Digest;

use crate::compile::{frame, unframe};
use crate::error::EngineError;
use crate::prepare::{Prepared, Request};

/// Entries that are kept; the oldest go.
const ENTRIES_MAX: usize = 256;
/// Bytes of an entry that are read at most.
const ENTRY_BYTES_MAX: u64 = 600 << 20;
const SUFFIX: &str = "cwasm";
/// Part of each key: another number when entries look otherwise than before, so that old ones are not asked for.
const FORMAT: u8 = 3;

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
        let mut file = NamedTempFile::new_in(&self.folder)?;
        file.write_all(&close(key, prepared, code))?;
        file.persist(self.path(key)).map_err(|error| error.error)?;
        self.prune()
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.folder.join(format!("{key}.{SUFFIX}"))
    }

    fn prune(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.path().extension().is_some_and(|suffix| suffix == SUFFIX) {
                entries.push((entry.metadata()?.modified()?, entry.path()));
            }
        }
        entries.sort_unstable();
        let surplus = entries.len().saturating_sub(ENTRIES_MAX);
        entries[..surplus].iter().try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// The key of what `request` asks for, given the set-up of the engine.
pub(crate) fn key(request: &Request, fingerprint: u64) -> Digest {
    let limits = serde_json::to_vec(&request.limits).expect("limits are plain numbers");
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

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = fs::metadata(path)?.len();
    if bytes > ENTRY_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has {bytes} bytes")));
    }
    fs::read(path)
}
