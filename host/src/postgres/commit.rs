//! The commit: rows of all sinks, dead letters and the new position in one transaction.
//!
//! The ledger row is updated only where it still says what this lane read; so whatever was lost, repeated or taken
//! over in between, an offset's rows go in once. When the answer to COMMIT is lost, the ledger is read again on a new
//! connection, after the old transaction has ended.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::PgConnection;
use tokio::time::timeout;
use wasmill_core::{Rejection, Stage};

use crate::delivery::{DeadLetter, Delivery};
use crate::store::{Committed, Lease, StoreError};

use super::connection::Taken;
use super::errors::{self, Class, class_of};
use super::load::{Refused, SAVEPOINT, load};
use super::rows::RowSet;
use super::{PostgresStore, SinkTable, chunks};

/// How long a transaction may take before it is given up and done again: a server that is gone without a word must not
/// hold a lane for ever.
pub(super) const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(120);

/// A commit whose answer was lost.
#[derive(Debug)]
pub(super) struct Unsettled {
    epoch: i64,
    target: i64,
    committed: Committed,
    reason: String,
}

/// When constraints that the table defers are checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Constraints {
    /// When they say so.
    Deferred,
    /// With each COPY, so that a row can be blamed: the COMMIT failed for one.
    Immediate,
}

/// How one transaction ended.
enum Outcome {
    Committed(Committed),
    /// The ledger does not say what the lane read; nothing was stored.
    NotAsRead,
    /// The database refused at COMMIT; nothing was stored.
    RefusedAtCommit(String),
    Unknown(Unsettled),
}

/// Why a transaction could not be ended; nothing was stored.
enum Failure {
    Store(StoreError),
    /// The connection had lain idle and was dead: worth another one at once.
    StaleConnection,
}

impl PostgresStore {
    /// Stores `deliveries`, which follow one another in the partition of `lease`, and moves the lease on. Events that are
    /// stored already (below the lease's offset, or by an earlier commit whose answer was lost) are left out. Rows that
    /// only the database refuses become dead letters.
    ///
    /// # Errors
    /// Nothing has been stored then, or it is not known: calling again finds out.
    pub async fn commit(&self, lease: &mut Lease, deliveries: &[Delivery]) -> Result<Committed, StoreError> {
        let mut total = Committed::default();
        let Some(last) = deliveries.last() else { return Ok(total) };
        total.delivered.resize(last.encoded.len(), 0);
        total.refused.resize(last.encoded.len(), 0);
        let target = last.events.raw.next_offset();
        self.settle(lease, &mut total).await?;
        let mut constraints = Constraints::Deferred;
        while lease.next_offset < target {
            match self.attempt(lease, deliveries, constraints).await? {
                Outcome::Committed(committed) => {
                    add(&mut total, &committed);
                    lease.next_offset = target;
                }
                Outcome::NotAsRead => self.reread(lease).await?,
                Outcome::RefusedAtCommit(message) if constraints == Constraints::Immediate => {
                    return Err(StoreError::Setup(format!(
                        "the database refuses each COMMIT: {message}; look for a trigger or extension that acts at COMMIT"
                    )));
                }
                Outcome::RefusedAtCommit(_) => constraints = Constraints::Immediate,
                Outcome::Unknown(unsettled) => {
                    self.unsettled().insert(Arc::clone(&lease.partition), unsettled);
                    self.settle(lease, &mut total).await?;
                }
            }
        }
        Ok(total)
    }

    /// Finds out how the lane's last commit ended, if its answer was lost.
    async fn settle(&self, lease: &mut Lease, total: &mut Committed) -> Result<(), StoreError> {
        let is_unsettled = self.unsettled().get(&lease.partition).is_some_and(|lost| lost.epoch == lease.epoch);
        if !is_unsettled {
            return Ok(());
        }
        let position = self.settled_position(&lease.partition).await?;
        let Some(lost) = self.unsettled().remove(&lease.partition) else { return Ok(()) };
        match position {
            Some(position) if position.epoch != lease.epoch => Err(fenced(lease, position.epoch)),
            Some(position) if position.next_offset == lost.target => {
                add(total, &lost.committed);
                lease.next_offset = lost.target;
                Ok(())
            }
            _ => Err(StoreError::Transient(format!("the connection was lost during COMMIT: {}", lost.reason))),
        }
    }

    /// Takes over what the ledger says, unless the lane is another's now.
    async fn reread(&self, lease: &mut Lease) -> Result<(), StoreError> {
        match self.settled_position(&lease.partition).await? {
            Some(position) if position.epoch != lease.epoch => Err(fenced(lease, position.epoch)),
            Some(position) if position.next_offset > lease.next_offset => {
                lease.next_offset = position.next_offset;
                Ok(())
            }
            Some(position) => Err(StoreError::Transient(format!(
                "the ledger of partition {} changed from {} to {} and back; trying again",
                lease.partition, lease.next_offset, position.next_offset
            ))),
            None => Err(StoreError::Setup(format!(
                "the ledger row of partition {} is gone; start again, so that the partition is taken over anew",
                lease.partition
            ))),
        }
    }

    async fn attempt(
        &self,
        lease: &Lease,
        deliveries: &[Delivery],
        constraints: Constraints,
    ) -> Result<Outcome, StoreError> {
        loop {
            let taken = self.connections.take().await?;
            match self.transaction(taken, lease, deliveries, constraints).await {
                Ok(outcome) => return Ok(outcome),
                Err(Failure::Store(error)) => return Err(error),
                // Forgetting the idle ones makes the next connection a new one, so this ends.
                Err(Failure::StaleConnection) => self.connections.forget_idle(),
            }
        }
    }

    async fn transaction(
        &self,
        mut taken: Taken<'_>,
        lease: &Lease,
        deliveries: &[Delivery],
        constraints: Constraints,
    ) -> Result<Outcome, Failure> {
        let begin = match constraints {
            Constraints::Deferred => format!("BEGIN; {SAVEPOINT}"),
            Constraints::Immediate => format!("BEGIN; SET CONSTRAINTS ALL IMMEDIATE; {SAVEPOINT}"),
        };
        let is_reused = taken.is_reused;
        let connection = &mut taken.connection;
        let sets: Vec<_> = self
            .sinks
            .iter()
            .map(|sink| (sink, RowSet::of(deliveries, sink.index, sink.from, lease.next_offset)))
            .collect();
        let begun = within(async {
            for (sink, rows) in &sets {
                chunks::prepare(connection, sink, rows).await?;
                if let Some(stage) = &sink.way.stage {
                    connection.execute(stage.make.as_str()).await?;
                }
            }
            connection.execute(begin.as_str()).await
        });
        match begun.await {
            Some(Err(error)) if is_reused && errors::is_connection_lost(&error) => {
                return Err(Failure::StaleConnection);
            }
            begun => self.done("begin a transaction", begun)?,
        };
        let prepared = within(self.fill(connection, lease, deliveries, &sets));
        let Some(committed) = self.done("store a group of events", prepared.await)? else {
            return Ok(Outcome::NotAsRead);
        };
        let unsettled = |reason| Unsettled {
            epoch: lease.epoch,
            target: target_of(deliveries),
            committed: committed.clone(),
            reason,
        };
        match within(connection.execute("COMMIT")).await {
            Some(Ok(_)) => {
                taken.give_back();
                Ok(Outcome::Committed(committed))
            }
            Some(Err(error)) if errors::is_connection_lost(&error) => {
                Ok(Outcome::Unknown(unsettled(errors::message(&error))))
            }
            Some(Err(error)) if class_of(&error) == Class::Row => Ok(Outcome::RefusedAtCommit(errors::message(&error))),
            Some(Err(error)) => Err(Failure::Store(self.failed("commit", &error))),
            None => Ok(Outcome::Unknown(unsettled("no answer".into()))),
        }
    }

    /// Everything of the transaction between BEGIN and COMMIT; `None` when the ledger does not say what the lane read.
    async fn fill(
        &self,
        connection: &mut PgConnection,
        lease: &Lease,
        deliveries: &[Delivery],
        sets: &[(&SinkTable, RowSet<'_>)],
    ) -> Result<Option<Committed>, sqlx::Error> {
        let sinks = deliveries.last().map_or(0, |delivery| delivery.encoded.len());
        let mut committed = Committed { delivered: vec![0; sinks], refused: vec![0; sinks], dead_letters: 0 };
        let mut refused_letters = Vec::new();
        for (sink, rows) in sets {
            let refused = load(connection, &sink.way, rows).await?;
            committed.delivered[sink.index] = (rows.len() - refused.len()) as u64;
            committed.refused[sink.index] = refused.len() as u64;
            refused_letters.extend(refused.into_iter().map(|refused| letter(sink, rows, refused)));
        }
        let of_deliveries = deliveries.iter().filter(|_| self.is_home).flat_map(|delivery| &delivery.dead_letters);
        let letters: Vec<_> =
            of_deliveries.filter(|letter| letter.offset >= lease.next_offset).chain(&refused_letters).collect();
        committed.dead_letters = letters.len() as u64;
        self.write_dead_letters(connection, &lease.partition, &letters).await?;
        self.record(connection, &lease.partition, lease.next_offset, deliveries).await?;
        self.note_skipped(connection, &lease.partition, lease.next_offset, deliveries).await?;
        self.keep_answers(connection, &lease.partition, lease.next_offset, deliveries).await?;
        self.store_states(connection, &lease.partition, lease.next_offset, deliveries).await?;
        let Some(last) = deliveries.last() else { return Ok(Some(committed)) };
        let is_ours = self.advance(connection, lease, target_of(deliveries), &last.generation).await?;
        Ok(is_ours.then_some(committed))
    }

    /// The result of work that was in time, or the error as the store's callers see it.
    fn done<T>(&self, doing: &str, result: Option<Result<T, sqlx::Error>>) -> Result<T, Failure> {
        match result {
            Some(Ok(done)) => Ok(done),
            Some(Err(error)) => Err(Failure::Store(self.failed(doing, &error))),
            None => {
                let seconds = TRANSACTION_TIMEOUT.as_secs();
                let message =
                    format!("could not {doing}: {} did not answer within {seconds} s", self.connections.address());
                Err(Failure::Store(StoreError::Transient(message)))
            }
        }
    }
}

async fn within<T>(work: impl Future<Output = T>) -> Option<T> {
    timeout(TRANSACTION_TIMEOUT, work).await.ok()
}

fn target_of(deliveries: &[Delivery]) -> i64 {
    deliveries.last().map_or(0, |delivery| delivery.events.raw.next_offset())
}

fn add(total: &mut Committed, more: &Committed) {
    total.delivered.iter_mut().zip(&more.delivered).for_each(|(total, more)| *total += more);
    total.refused.iter_mut().zip(&more.refused).for_each(|(total, more)| *total += more);
    total.dead_letters += more.dead_letters;
}

fn fenced(lease: &Lease, found: i64) -> StoreError {
    StoreError::Fenced { partition: lease.partition.to_string(), mine: lease.epoch, found }
}

/// The dead letter of a row that the database refused.
pub(super) fn letter(sink: &SinkTable, rows: &RowSet<'_>, refused: Refused) -> DeadLetter {
    let (batch, event) = rows.event(refused.row);
    DeadLetter::new(
        batch,
        Rejection {
            event,
            stage: Stage::Sink,
            plugin: None,
            sink: Some(Arc::clone(&sink.name)),
            code: Cow::Borrowed("refused_by_database"),
            reason: format!("the database refused the row: {}", refused.message),
        },
    )
}
