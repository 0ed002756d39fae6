//! COPY with exact blame: rows that the database refuses are found and left out, the others go in.
//!
//! The whole range is tried first. When it fails, the line in the error's context tells where; without one the range is
//! halved. A row is refused only when it was tried alone, after all rows before it: its own error is the reason. After
//! a failure the next range is only as long as the way to the failure was, and doubles with each success, so that rows
//! are copied twice on average however many are refused.

use std::ops::Range;

use sqlx::Executor;
use sqlx::postgres::PgConnection;

use super::binary;
use super::errors::{self, Class, class_of};
use super::rows::RowSet;

/// Bytes handed to the connection at a time: more only makes its buffer larger.
const PIECE_BYTES: usize = 256 * 1024;

/// The savepoint that the transaction of a commit begins with.
pub(super) const SAVEPOINT: &str = "SAVEPOINT wasmill_rows";
const KEEP: &str = "RELEASE SAVEPOINT wasmill_rows; SAVEPOINT wasmill_rows";
const UNDO: &str = "ROLLBACK TO SAVEPOINT wasmill_rows";

/// How rows get into a table.
#[derive(Debug)]
pub(super) struct Way {
    /// The COPY statement: into the table, or into the stage.
    pub(super) copy: String,
    /// Where rows may be there already.
    pub(super) stage: Option<Stage>,
}

/// A temporary table of the connection, from which rows go to the table by their keys: COPY knows no ON CONFLICT.
#[derive(Debug)]
pub(super) struct Stage {
    /// Makes it where the connection has none yet.
    pub(super) make: String,
    /// Moves all of its rows on and empties it.
    pub(super) move_on: String,
}

/// A row that the database alone refuses.
#[derive(Debug)]
pub(super) struct Refused {
    /// Its number in the row set.
    pub(super) row: usize,
    /// The database's message with its SQLSTATE.
    pub(super) message: String,
}

/// Copies all rows but the refused ones, which it answers in order. The transaction has its savepoint, and has one
/// again afterwards.
pub(super) async fn load(
    connection: &mut PgConnection,
    way: &Way,
    rows: &RowSet<'_>,
) -> Result<Vec<Refused>, sqlx::Error> {
    let mut refused = Vec::new();
    let mut pending: Vec<_> = (rows.len() > 0).then_some(0..rows.len()).into_iter().collect();
    let mut longest = usize::MAX;
    while let Some(mut range) = pending.pop() {
        if range.len() > longest {
            pending.push(range.start + longest..range.end);
            range.end = range.start + longest;
        }
        match store(connection, way, rows, &range).await {
            Ok(()) => {
                longest = longest.saturating_mul(2);
                connection.execute(KEEP).await?;
            }
            Err(error) if class_of(&error) == Class::Row => {
                connection.execute(UNDO).await?;
                if range.len() == 1 {
                    refused.push(Refused { row: range.start, message: errors::message(&error) });
                } else {
                    longest = split(range, line_of(&error), &mut pending);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}

/// Replaces a failed range by smaller ones, the first on top, and answers how long the next may be.
fn split(range: Range<usize>, line: Option<usize>, pending: &mut Vec<Range<usize>>) -> usize {
    let guilty = line.map(|line| range.start + line - 1).filter(|row| range.contains(row));
    match guilty {
        Some(row) => {
            let parts = [row + 1..range.end, row..row + 1, range.start..row];
            pending.extend(parts.into_iter().filter(|part| !part.is_empty()));
            ((row - range.start) * 2).max(1)
        }
        None => {
            let middle = range.start + range.len() / 2;
            let half = range.len().div_ceil(2);
            pending.extend([middle..range.end, range.start..middle]);
            half
        }
    }
}

/// The line, counted from 1, in a context such as `COPY events, line 7, column n`.
fn line_of(error: &sqlx::Error) -> Option<usize> {
    let context = errors::database(error)?.r#where()?;
    let copy = context.lines().find(|line| line.starts_with("COPY "))?;
    let digits = copy.split_once(", line ")?.1;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok().filter(|line| *line > 0)
}

async fn store(
    connection: &mut PgConnection,
    way: &Way,
    rows: &RowSet<'_>,
    range: &Range<usize>,
) -> Result<(), sqlx::Error> {
    copy(connection, &way.copy, rows, range).await?;
    if let Some(stage) = &way.stage {
        connection.execute(stage.move_on.as_str()).await?;
    }
    Ok(())
}

/// Copies the rows of `range`.
pub(super) async fn copy(
    connection: &mut PgConnection,
    statement: &str,
    rows: &RowSet<'_>,
    range: &Range<usize>,
) -> Result<(), sqlx::Error> {
    copy_bytes(connection, statement, rows.pieces(range)).await
}

/// Copies encoded rows.
pub(super) async fn copy_bytes(
    connection: &mut PgConnection,
    statement: &str,
    pieces: impl Iterator<Item = &[u8]>,
) -> Result<(), sqlx::Error> {
    let mut copy = connection.copy_in_raw(statement).await?;
    copy.send(binary::HEADER).await?;
    for piece in pieces {
        for part in piece.chunks(PIECE_BYTES) {
            copy.send(part).await?;
        }
    }
    copy.send(binary::TRAILER).await?;
    copy.finish().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_range_is_split_around_its_line_and_retried_in_order() {
        let mut pending = Vec::new();
        assert_eq!(split(10..20, Some(4), &mut pending), 6);
        assert_eq!(pending, [14..20, 13..14, 10..13]);
    }

    #[test]
    fn failed_range_is_halved_without_a_line_or_with_one_outside() {
        for line in [None, Some(11), Some(usize::MAX / 2)] {
            let mut pending = Vec::new();
            assert_eq!(split(10..20, line, &mut pending), 5);
            assert_eq!(pending, [15..20, 10..15]);
        }
    }

    #[test]
    fn first_and_last_row_leave_no_empty_range() {
        let mut pending = Vec::new();
        assert_eq!(split(0..3, Some(1), &mut pending), 1);
        assert_eq!(pending, [1..3, 0..1]);
        pending.clear();
        assert_eq!(split(0..3, Some(3), &mut pending), 4);
        assert_eq!(pending, [2..3, 0..2]);
    }
}
