//! Connections: made on demand, at most so many writers at a time and one beside them, kept only while they are known to be whole.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Executor};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::config::Secret;
use crate::store::StoreError;

use super::errors::store_error;

/// How long a connection may take to be made, log-in included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What every session is told. Notices are off, because nobody reads them while a COPY is being written: a trigger that
/// raises one per row would fill both socket buffers and stop both sides. The time-outs let the server give up the
/// locks of a writer that is gone without a word.
const SESSION: &str = "SET client_min_messages = error; SET idle_in_transaction_session_timeout = '60s'; \
                       SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3";

/// The connections of one store.
#[derive(Debug)]
pub(super) struct Connections {
    options: PgConnectOptions,
    /// Whole, idle connections; the lock is held only to push or pop.
    idle: Mutex<Vec<PgConnection>>,
    permits: Semaphore,
    /// The one for what is no writer's, while it is idle.
    aside: Mutex<Option<PgConnection>>,
}

/// A connection taken out. Dropping it closes it, in whatever state it is; [`Taken::give_back`] keeps it.
#[derive(Debug)]
pub(super) struct Taken<'c> {
    pub(super) connection: PgConnection,
    /// Whether it lay idle before, so that the server may have gone in the meantime.
    pub(super) is_reused: bool,
    from: &'c Connections,
    /// A writer's.
    permit: Option<SemaphorePermit<'c>>,
}

impl Connections {
    /// At most `writers` connections to `url`. Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none. It is not repeated: it may hold a password.
    pub(super) fn new(url: &Secret, writers: usize) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url.reveal()).map_err(|_| {
            StoreError::Setup(
                "the sink's url is no PostgreSQL address; write postgres://user:password@host:5432/database".into(),
            )
        })?;
        let options = options.application_name("wasmill").disable_statement_logging();
        let permits = Semaphore::new(writers.max(1));
        Ok(Self { options, idle: Mutex::default(), permits, aside: Mutex::default() })
    }

    /// The user whose rights count.
    pub(super) fn user(&self) -> &str {
        self.options.get_username()
    }

    /// `host:port/database`, without user and password.
    pub(super) fn address(&self) -> String {
        let database = self.options.get_database().unwrap_or(self.options.get_username());
        format!("{}:{}/{database}", self.options.get_host(), self.options.get_port())
    }

    /// Waits until a connection may be used, and makes one if none is idle.
    pub(super) async fn take(&self) -> Result<Taken<'_>, StoreError> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let is_reused = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Taken { connection, is_reused, from: self, permit: Some(permit) })
    }

    /// A connection that waits for no writer, nor keeps one waiting: for what is done beside the stream.
    pub(super) async fn take_aside(&self) -> Result<Taken<'_>, StoreError> {
        let idle = self.aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        let is_reused = idle.is_some();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Taken { connection, is_reused, from: self, permit: None })
    }

    /// A connection beside the others, for what must not wait for a writer.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let doing = || format!("connect to {}", self.address());
        let connected = timeout(CONNECT_TIMEOUT, async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            connection.execute(SESSION).await?;
            Ok(connection)
        });
        match connected.await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(store_error(&doing(), &error)),
            Err(_) => Err(StoreError::Transient(format!("could not {}: no answer within 10 s", doing()))),
        }
    }

    /// Closes all idle connections: one of them was found dead.
    pub(super) fn forget_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Taken<'_> {
    /// Keeps the connection, which must be outside of a transaction, for the next one.
    pub(super) fn give_back(self) {
        match self.permit {
            Some(_) => self.from.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection),
            None => *self.from.aside.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.connection),
        }
    }
}
