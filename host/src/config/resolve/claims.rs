//! Which files a pipeline uses for what: no file may serve two masters, least of all the source's own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// How a file is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// By one reader or writer.
    Alone,
    /// As an SQLite database, which several may share.
    Database,
}

/// The files that are spoken for.
#[derive(Default)]
pub(super) struct Claims(HashMap<PathBuf, (String, Use)>);

impl Claims {
    /// `user` wants `path`; a sentence if somebody else has it.
    pub(super) fn claim(&mut self, path: &Path, user: &str, usage: Use) -> Result<(), String> {
        match self.0.get(path) {
            Some((_, Use::Database)) if usage == Use::Database => Ok(()),
            Some((other, _)) => Err(format!("this file is used by {other} already; give {user} another one")),
            None => {
                self.0.insert(path.to_owned(), (user.to_owned(), usage));
                Ok(())
            }
        }
    }
}
