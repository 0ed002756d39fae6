//! Which files a pipeline uses for what: no file may serve two masters, least of all the source's own.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// How a file is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// By one reader or writer.
    Alone,
    /// As an SQLite database, which several may share.
    Database,
}

/// What tells a file from others: where it lies, by whatever names and links it goes; its path, as long as it is not there.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Inode { device: u64, number: u64 },
    Path(PathBuf),
}

impl Identity {
    fn of(path: &Path) -> Self {
        match std::fs::metadata(path) {
            Ok(file) => Self::Inode { device: file.dev(), number: file.ino() },
            Err(_) => Self::Path(path.to_owned()),
        }
    }
}

/// The files that are spoken for.
#[derive(Default)]
pub(super) struct Claims(HashMap<Identity, (String, Use)>);

impl Claims {
    /// `user` wants `path`; a sentence if somebody else has it.
    pub(super) fn claim(&mut self, path: &Path, user: &str, usage: Use) -> Result<(), String> {
        let file = Identity::of(path);
        match self.0.get(&file) {
            Some((_, Use::Database)) if usage == Use::Database => Ok(()),
            Some((other, _)) => Err(format!("this file is used by {other} already; give {user} another one")),
            None => {
                self.0.insert(file, (user.to_owned(), usage));
                Ok(())
            }
        }
    }
}
