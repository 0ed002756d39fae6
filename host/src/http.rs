//! Webhooks, at least once: events, alerts or dead letters as the JSON bodies of POST requests.
//!
//! A request is sent until the receiver takes it or refuses it for what is in it. What it refuses is sent once more event by event,
//! so that none is blamed for its neighbours. Everything else (nobody there, no answer in time, 5xx, 408, 425, 429; and what somebody
//! must mend: 401, 403, 404, 405, a redirect, a certificate) is tried again for ever, by one lane at a time ([`Breaker`]).
//!
//! Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) describes: see `signature`.

mod answer;
mod client;
mod request;
mod row;
mod signature;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use wasmill_core::PartitionId;

use crate::breaker::Breaker;
use crate::config::{From, HttpConfig, RetryConfig};
use crate::dead_letters;
use crate::delivery::DeadLetter;
use crate::origin::{Origin, letter_id};
use crate::output::{Refused, Trouble};
use answer::Outcome;
use client::Client;
use request::{Request, Shape};

pub use client::HttpError;
pub use row::DocumentEncoder;
pub use signature::{SECRET_BYTES_MIN, SigningKey};

/// The code of an event that is larger than a request may be.
pub const TOO_LARGE: &str = "too_large";
/// The code of an event that the receiver refuses.
pub const REFUSED_BY_RECEIVER: &str = "refused_by_receiver";

/// The longest wait that a receiver may ask for by `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// A receiver, and what is sent to it.
#[derive(Debug)]
pub struct HttpSink {
    client: Client,
    shape: Shape,
    breaker: Breaker,
    /// Until when the receiver asked to be left alone. The lock guards a look or a change.
    rests_until: Mutex<Option<Instant>>,
}

impl HttpSink {
    /// Nothing is connected before the first request.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new(name: &str, from: From, config: &HttpConfig, retry: RetryConfig) -> Result<Self, HttpError> {
        Ok(Self {
            client: Client::new(config)?,
            shape: Shape::new(name, from, config),
            breaker: Breaker::new(retry),
            rests_until: Mutex::new(None),
        })
    }

    /// Asks the receiver of `config` what may be sent, which changes nothing; a sentence about its answer, whatever that is.
    ///
    /// # Errors
    /// A sentence that says why there was none.
    pub async fn reach(config: &HttpConfig) -> Result<String, String> {
        Client::new(config).map_err(|error| error.to_string())?.reach().await
    }

    /// Writes rows as [`DocumentEncoder`] made them, in order, and answers when the receiver has taken or refused every one. Goes on
    /// for ever, and says why in `told`. Dropping the future leaves it to chance which of them are there.
    pub async fn write(
        &self,
        partition: &PartitionId,
        rows: &[&[u8]],
        told: &(dyn Fn(Trouble<'_>) + Sync),
    ) -> Vec<Refused> {
        let mut origin = Origin::of(partition);
        let mut refused = Vec::new();
        let mut first = 0;
        while first < rows.len() {
            let request = self.shape.request(&mut origin, &rows[first..]);
            let next = first + request.rows;
            if let Some(reason) = self.deliver(&request, told).await {
                if request.rows == 1 {
                    refused.push(Refused { row: first, code: REFUSED_BY_RECEIVER, reason });
                } else {
                    refused.extend(self.write_singly(&mut origin, rows, first..next, told).await);
                }
            }
            first = next;
        }
        refused
    }

    /// A dead letter that was rejected at `time_us` (microseconds since 1970).
    pub fn letter(&self, partition: &PartitionId, letter: &DeadLetter, time_us: i64) -> Vec<u8> {
        let mut row = Vec::new();
        let id = letter_id(Origin::of(partition).at(letter.offset), letter);
        row::begin(&mut row, letter.offset, id.as_bytes());
        row.extend_from_slice(dead_letters::to_json(partition, letter, time_us).to_string().as_bytes());
        row
    }

    /// Finds out which of several rows the receiver refuses.
    async fn write_singly(
        &self,
        origin: &mut Origin,
        rows: &[&[u8]],
        suspects: std::ops::Range<usize>,
        told: &(dyn Fn(Trouble<'_>) + Sync),
    ) -> Vec<Refused> {
        let mut refused = Vec::new();
        for row in suspects {
            let request = self.shape.request(origin, &rows[row..=row]);
            if let Some(reason) = self.deliver(&request, told).await {
                refused.push(Refused { row, code: REFUSED_BY_RECEIVER, reason });
            }
        }
        refused
    }

    /// Sends a request until it is taken; or why it is refused for what is in it.
    async fn deliver(&self, request: &Request, told: &(dyn Fn(Trouble<'_>) + Sync)) -> Option<String> {
        let mut has_failed = false;
        loop {
            self.rest().await;
            let attempt = self.breaker.attempt().await;
            let outcome = self.client.send(request, now_s()).await;
            if let Outcome::Failed { reason, retry_after } = outcome {
                has_failed = true;
                told(Trouble::Failed(&reason));
                self.postpone(retry_after);
                attempt.failed();
                continue;
            }
            attempt.succeeded();
            if has_failed {
                told(Trouble::Over);
            }
            return match outcome {
                Outcome::Refused { reason } => Some(reason),
                _ => None,
            };
        }
    }

    /// Waits until the time is over for which the receiver asked to be left alone.
    async fn rest(&self) {
        let until = *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    fn postpone(&self, wait: Option<Duration>) {
        let until = wait.map(|wait| Instant::now() + wait.min(RETRY_AFTER_MAX));
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
