//! The life of alerts at a sink, by processing time: an alert of a rule and key that is not open is sent as `firing`, further ones are
//! counted (and told now and then as `repeated`), and after silence one `resolved` says how many there were.
//!
//! What is decided about a group is sent first, then noted in home, and only then remembered, all before home commits the group. So the
//! first `firing` is never lost: a crash before that has the alert come again, and it fires again with the same id. A crash after it
//! counts some alerts twice. A turn is one group's, or the look for silence: while the receiver is away, all wait for it.
//!
//! Several processes of a pipeline share what home has: each fires what it does not know, and none resolves what another one still
//! counts. Without a home what is open is forgotten at the end of the process.

mod book;
mod notice;

use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use wasmill_core::{Digest, Projection};

use crate::config::{LifeConfig, RetryConfig};
use crate::encode::SinkEncoder;
use crate::output::{Output, Refused, Trouble};
use crate::retry::Backoff;
use crate::store::{OpenAlert, Store, StoreError};
use book::{Book, Change, Step};
use notice::Notice;

pub use notice::RaisedAlert;

/// Open alerts that the pages show; all are counted.
const SHOWN_MAX: usize = 100;
/// What is said of an alert that its encoder refuses for a reason of its own.
const NOT_ENCODED: &str = "not_encoded";

/// How a write tells what it waits for.
type Told<'t> = &'t (dyn Fn(Trouble<'_>) + Sync);

/// The life of the alerts of one sink.
#[derive(Debug)]
pub struct Life {
    sink: Arc<str>,
    config: LifeConfig,
    retry: RetryConfig,
    encoder: SinkEncoder,
    projection: Arc<Projection>,
    generation: Digest,
    /// Held for the whole of a turn.
    turn: Mutex<Turn>,
    // Guards the book for the length of a look or a change.
    book: StdMutex<Book>,
}

#[derive(Debug)]
struct Turn {
    /// When home was last asked what is open.
    asked: Instant,
}

impl Life {
    /// Nothing is open yet. `encoder` has no condition: what comes here is wanted.
    pub fn new(
        config: LifeConfig,
        retry: RetryConfig,
        encoder: SinkEncoder,
        projection: Arc<Projection>,
        generation: Digest,
    ) -> Self {
        Self {
            sink: Arc::clone(&encoder.name),
            config,
            retry,
            encoder,
            projection,
            generation,
            turn: Mutex::new(Turn { asked: Instant::now() }),
            book: StdMutex::new(Book::new(config)),
        }
    }

    /// The sink's name.
    pub fn sink(&self) -> &str {
        &self.sink
    }

    /// Takes up what was open when the last process ended. Silence counts from now on: nobody listened meanwhile.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn restore(&self, home: &Store) -> Result<(), StoreError> {
        let stored = home.open_alerts(&self.sink).await?;
        let now = Instant::now();
        let mut book = self.book();
        stored.into_iter().for_each(|open| book.adopt(open, now));
        Ok(())
    }

    /// Sends what is to be said of these alerts of one partition, in order, and remembers the rest. Answers which of them are refused.
    pub async fn write(
        &self,
        output: &Output,
        home: Option<&Store>,
        alerts: &[RaisedAlert<'_>],
        told: Told<'_>,
    ) -> Vec<Refused> {
        let _turn = self.turn.lock().await;
        let now = Instant::now();
        let (steps, mut changes) = self.book().observe(alerts, now);
        let mut refused = Vec::new();
        for Step { row, state, key, entry } in steps {
            if let Some((code, reason)) = self.send(output, &Notice::of(&entry, state), told).await {
                refused.push(Refused { row, code, reason });
                if state == "firing" {
                    // Nobody heard of it: the next one fires again.
                    changes.retain(|change| change.key != key);
                }
            }
        }
        self.note(home, &changes, told).await;
        self.book().apply(changes);
        refused
    }

    /// Says `resolved` of what has been silent for long enough; whether it could find out what that is.
    pub async fn look_for_silence(&self, output: &Output, home: Option<&Store>, told: Told<'_>) -> bool {
        let mut turn = self.turn.lock().await;
        let now = Instant::now();
        let is_due = now.duration_since(turn.asked) >= self.config.resolved_after;
        if !is_due && self.book().silent(now).is_empty() {
            return true;
        }
        if let Some(home) = home {
            // Another process may have counted on, resolved, or gone and left something open.
            match home.open_alerts(&self.sink).await {
                Ok(stored) => self.book().reconcile(stored, now),
                Err(error) => {
                    told(Trouble::Failed(&error.to_string()));
                    return false;
                }
            }
        }
        turn.asked = now;
        let silent = self.book().silent(now);
        for (key, entry) in silent {
            let notice = Notice::of(&entry, "resolved");
            if let Some((_, reason)) = self.send(output, &notice, told).await {
                tracing::error!("sink {}: that an alert is resolved is not taken: {reason}", self.sink);
            }
            let changes = vec![Change { key, entry, added: 0, is_over: true }];
            self.note(home, &changes, told).await;
            self.book().apply(changes);
        }
        true
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.book().len()
    }

    /// What is open, as the pages show it.
    pub fn shown(&self) -> Value {
        let book = self.book();
        let alerts = book.entries().take(SHOWN_MAX).map(|(key, entry)| {
            json!({ "rule": key.0, "key": key.1, "count": entry.count, "first_at": entry.first_at(), "last_at": entry.last_at })
        });
        let alerts: Vec<Value> = alerts.collect();
        json!({ "open": book.len(), "untracked": book.untracked, "alerts": alerts })
    }

    /// Encodes and writes one notice; why it is refused, if it is.
    async fn send(&self, output: &Output, notice: &Notice, told: Told<'_>) -> Option<(&'static str, String)> {
        let (batch, _) = self.projection.extract(notice.as_batch());
        let (rows, mut refused) = self.encoder.encode(&batch, &self.generation);
        if let Some(refused) = refused.pop() {
            let code = match refused.code {
                std::borrow::Cow::Borrowed(code) => code,
                std::borrow::Cow::Owned(_) => NOT_ENCODED,
            };
            return Some((code, refused.reason));
        }
        let rows: Vec<&[u8]> = rows.iter().collect();
        output.write(notice.partition(), &rows, told).await.pop().map(|refused| (refused.code, refused.reason))
    }

    /// Notes changes in home, trying for ever.
    async fn note(&self, home: Option<&Store>, changes: &[Change], told: Told<'_>) {
        let Some(home) = home.filter(|_| !changes.is_empty()) else { return };
        let changes: Vec<OpenAlert> = changes.iter().map(Change::stored).collect();
        let mut backoff = Backoff::new(self.retry);
        while let Err(error) = home.note_open_alerts(&self.sink, &changes).await {
            told(Trouble::Failed(&format!("what is open cannot be noted in home: {error}")));
            backoff.wait().await;
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
