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

/// The code of an event that was not taken in as many attempts as there may be.
pub const UNDELIVERED: &str = "undelivered";

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
    /// Most attempts of a request; `None`: for ever.
    attempts_max: Option<u32>,
}

/// Why a request is given up.
enum GivenUp {
    /// The receiver refuses what is in it.
    Refused(String),
    /// There were as many attempts as there may be.
    Undelivered(String),
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
            attempts_max: config.attempts_max,
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
            match self.deliver(&request, told).await {
                Ok(()) => {}
                Err(GivenUp::Refused(_)) if request.rows > 1 => {
                    refused.extend(self.write_singly(&mut origin, rows, first..next, told).await);
                }
                Err(given_up) => refused.extend((first..next).map(|row| given_up.of(row))),
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
            refused.extend(self.deliver(&request, told).await.err().map(|given_up| given_up.of(row)));
        }
        refused
    }

    /// Sends a request until it is taken or given up.
    async fn deliver(&self, request: &Request, told: &(dyn Fn(Trouble<'_>) + Sync)) -> Result<(), GivenUp> {
        let mut failures = 0;
        loop {
            self.rest().await;
            let attempt = self.breaker.attempt().await;
            let outcome = self.client.send(request, now_s()).await;
            if let Outcome::Failed { reason, retry_after } = outcome {
                failures += 1;
                told(Trouble::Failed(&reason));
                self.postpone(retry_after);
                if self.attempts_max.is_some_and(|most| failures >= most) {
                    attempt.given_up();
                    return Err(GivenUp::Undelivered(format!(
                        "not taken in {failures} attempts (`attempts`): {reason}"
                    )));
                }
                attempt.failed();
                continue;
            }
            attempt.succeeded();
            if failures > 0 {
                told(Trouble::Over);
            }
            return match outcome {
                Outcome::Refused { reason } => Err(GivenUp::Refused(reason)),
                _ => Ok(()),
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

impl GivenUp {
    fn of(&self, row: usize) -> Refused {
        let (code, reason) = match self {
            Self::Refused(reason) => (REFUSED_BY_RECEIVER, reason),
            Self::Undelivered(reason) => (UNDELIVERED, reason),
        };
        Refused { row, code, reason: reason.clone() }
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
