//! What an error of the database means: wait, blame one row, or ask somebody to act.

use std::io;

use sqlx::postgres::PgDatabaseError;

use crate::store::StoreError;

/// The most characters of the database's own message that a sentence repeats: a trigger may raise anything.
const MESSAGE_CHARS_MAX: usize = 400;

/// The SQLSTATE of what the user may not do.
const NO_RIGHT: &str = "42501";

/// The three kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The database is away or busy.
    Transient,
    /// One row is to blame.
    Row,
    /// Somebody must act.
    Setup,
}

/// What `error` means.
pub(super) fn class_of(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(_) => database(error).map_or(Class::Setup, |error| class_of_code(error.code())),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Class::Transient,
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Class::Transient,
        _ => Class::Setup,
    }
}

/// What an SQLSTATE means.
fn class_of_code(code: &str) -> Class {
    match (code, code.get(..2).unwrap_or_default()) {
        // A read-only server is a standby, or a primary in a switch-over.
        ("25006", _) => Class::Transient,
        // The bytes do not have the column's form: the table was altered after the start. No row is to blame for that.
        ("22P03" | "22P04", _) => Class::Setup,
        // Connection lost, rolled back (deadlock), no resources, locked, cancelled or shutting down, its disk, its bug.
        (_, "08" | "40" | "53" | "55" | "57" | "58" | "XX") => Class::Transient,
        // Data, cardinality, constraint, CHECK OPTION, limits, raised by a trigger.
        (_, "21" | "22" | "23" | "44" | "54" | "P0") => Class::Row,
        _ => Class::Setup,
    }
}

/// The database's own error, if it answered with one.
pub(super) fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error().and_then(|error| error.try_downcast_ref())
}

/// Whether the connection broke, so that a statement in flight may or may not have been done.
pub(super) fn is_connection_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(_) => {
            database(error).is_some_and(|error| matches!(error.code().get(..2), Some("08" | "57")))
        }
        _ => true,
    }
}

/// The database's message with its SQLSTATE, or the error of the connection.
pub(super) fn message(error: &sqlx::Error) -> String {
    let Some(error) = database(error) else {
        return match error {
            sqlx::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                "the database closed the connection".into()
            }
            other => other.to_string(),
        };
    };
    let mut text: String = error.message().chars().take(MESSAGE_CHARS_MAX).collect();
    if text.len() < error.message().len() {
        text.push('…');
    }
    format!("{text} (SQLSTATE {})", error.code())
}

/// The error as the store's callers see it; `doing` completes "could not ...".
pub(super) fn store_error(doing: &str, error: &sqlx::Error) -> StoreError {
    let message = message(error);
    match class_of(error) {
        Class::Transient => StoreError::Transient(format!("could not {doing}: {message}")),
        Class::Row => StoreError::Setup(format!("could not {doing}: {message}")),
        Class::Setup => StoreError::Setup(format!("could not {doing}: {message}{}", remedy(error))),
    }
}

/// The same of tables that are made or changed, which may be for their owner to do.
pub(super) fn making_error(doing: &str, error: &sqlx::Error) -> StoreError {
    match database(error).map(PgDatabaseError::code) {
        Some(NO_RIGHT) => StoreError::Setup(format!(
            "could not {doing}: {}; have the tables' owner run what `wasmill validate` prints with `--sql`",
            message(error)
        )),
        _ => store_error(doing, error),
    }
}

/// What to do about a wrong set-up.
fn remedy(error: &sqlx::Error) -> &'static str {
    if let sqlx::Error::Tls(_) = error {
        return "; turn TLS on at the server, or set sslmode=disable in the URL if the way to it is trusted";
    }
    let Some(error) = database(error) else { return "" };
    match error.code() {
        "22P03" | "22P04" => "; a column's type was altered: start again, so that the table is looked at anew",
        "28P01" => "; check user and password in the sink's url",
        "28000" => "; check the user in the sink's url, and pg_hba.conf on the server",
        "3D000" => "; create the database, or correct its name in the sink's url",
        NO_RIGHT => "; grant the right to the user of the sink's url",
        "42P01" | "42703" => "; put back what was dropped or renamed, or correct the sink's table and columns",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_classed_as_the_design_says() {
        for code in ["08006", "40001", "40P01", "53300", "55P03", "57P01", "57014", "25006"] {
            assert_eq!(class_of_code(code), Class::Transient, "{code}");
        }
        for code in ["22001", "22021", "23505", "23514", "54000", "P0001"] {
            assert_eq!(class_of_code(code), Class::Row, "{code}");
        }
        for code in ["28P01", "42P01", "42501", "3D000", "22P03", "0A000", ""] {
            assert_eq!(class_of_code(code), Class::Setup, "{code}");
        }
    }
}
