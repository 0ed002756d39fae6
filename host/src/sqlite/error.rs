//! What an SQLite error means for a pipeline.

use std::path::Path;

use crate::store::StoreError;

/// Primary result codes, from sqlite3.h.
mod code {
    pub(super) const ERROR: i32 = 1;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const TOOBIG: i32 = 18;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const MISMATCH: i32 = 20;
    pub(super) const NOTADB: i32 = 26;
}

/// The error of opening `path`.
pub(super) fn on_open(path: &Path, error: &sqlx::Error) -> StoreError {
    StoreError::Setup(format!(
        "cannot open the SQLite database {}: {}; check that the folder exists and may be written",
        path.display(),
        text(error)
    ))
}

/// Transient unless the code says that somebody must act.
pub(super) fn classify(error: sqlx::Error) -> StoreError {
    let reason = format!("SQLite: {}", text(&error));
    match primary_code(&error) {
        Some(code::ERROR | code::READONLY | code::CORRUPT | code::CANTOPEN | code::NOTADB) => StoreError::Setup(reason),
        Some(code::FULL) => StoreError::Transient(format!("{reason}; make room on the disk of the database")),
        Some(code::IOERR) => StoreError::Transient(format!(
            "{reason}; look at the disk of the database: its room, its quota, the largest file that is allowed"
        )),
        _ => StoreError::Transient(reason),
    }
}

/// Whether the error is the row's fault: a constraint, a trigger's RAISE, a value that is too big or of a wrong type.
pub(super) fn refuses_row(error: &sqlx::Error) -> Option<String> {
    matches!(primary_code(error), Some(code::CONSTRAINT | code::TOOBIG | code::MISMATCH)).then(|| text(error))
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

fn text(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(error) => error.message().to_owned(),
        None => error.to_string(),
    }
}
