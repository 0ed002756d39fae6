//! Taps: what happens to events inside of a running pipeline, shown to who connects while it happens.
//!
//! Lanes copy the events that a tap asks for as they are before and after each plugin ([`Tapping`]), into a queue of the tap that is bounded
//! in events and in bytes. They never wait: what finds no room is lost and counted. A task of the tap makes lines of what is in its queue,
//! with secrets taken out ([`Redaction`]), and hands them to the client ([`stream`]). While nobody is connected, a batch pays one relaxed load.

mod capture;
mod line;
mod pace;
mod redaction;
mod request;
mod sample;
mod stream;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use wasmill_core::Format;

use crate::config::TapConfig;
use pace::Pace;
use request::Filter;

pub use capture::Tapping;
pub use redaction::{Redaction, SECRET_NAMES, SecretField, SecretFieldError};
pub use request::{LOOKED_AT_MAX, RATE_MAX, SAMPLE_MAX, TapRequest};
pub use stream::stream;

/// Most events in the queue of a tap.
const QUEUE_EVENTS: usize = 1_024;
/// Most bytes of payloads in the queue of a tap.
const QUEUE_BYTES: usize = 4 << 20;

/// The taps of a pipeline.
#[derive(Debug)]
pub struct Taps {
    /// How many are connected: saves lanes the look at `connected`.
    count: AtomicUsize,
    // Guards the list for the length of a copy or a change of it.
    connected: Mutex<Vec<Arc<Tap>>>,
    numbers: AtomicU64,
    /// Answers that are not written to their end.
    answers: watch::Sender<usize>,
    /// `None`: turned off.
    config: Option<TapConfig>,
    format: Format,
    event_bytes_max: usize,
}

/// A client that is connected, as lanes see it.
#[derive(Debug)]
struct Tap {
    number: u64,
    filter: Filter,
    /// Guards the pace for the length of a question.
    pace: Mutex<Pace>,
    queue: mpsc::Sender<sample::Told>,
    gauge: Arc<Gauge>,
}

/// What is in the queue of a tap, and what found no room.
#[derive(Debug, Default)]
struct Gauge {
    bytes: AtomicUsize,
    lost: AtomicU64,
}

/// Room for so many bytes in a queue, until it is dropped.
#[derive(Debug)]
struct Reserved {
    gauge: Arc<Gauge>,
    bytes: usize,
}

/// A client that is connected, as its task sees it.
#[derive(Debug)]
pub struct Connected {
    queue: mpsc::Receiver<sample::Told>,
    gauge: Arc<Gauge>,
    redaction: Redaction,
    limit: u64,
    seat: Seat,
}

/// A place among the taps, until it is dropped.
#[derive(Debug)]
struct Seat {
    taps: Arc<Taps>,
    number: u64,
}

/// Why a client is not connected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody may tap this pipeline.
    #[error(
        "the tap of this pipeline is turned off: `admin.tap` of its file says so, or its pages are not on a loopback address; write \
         admin: {{ address: IP:PORT, tap: true }} to turn it on"
    )]
    Off,
    /// Somebody else has to go first.
    #[error(
        "{0} taps are connected, and that is all that `admin.tap.connections_max` allows; end one of them, or raise it"
    )]
    Full(usize),
    /// What is asked for makes no sense.
    #[error("{0}")]
    Request(String),
}

impl Taps {
    /// Nobody is connected. `None`: nobody may be.
    pub fn new(config: Option<TapConfig>, format: Format, event_bytes_max: usize) -> Self {
        Self {
            count: AtomicUsize::new(0),
            connected: Mutex::default(),
            numbers: AtomicU64::new(0),
            answers: watch::Sender::new(0),
            config,
            format,
            event_bytes_max,
        }
    }

    /// Whether only this machine is to be answered: its name in the request must be a loopback one.
    pub fn is_local(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.is_local)
    }

    /// Connects a client to a pipeline with these plugins.
    ///
    /// # Errors
    /// Why not, with what to do.
    pub fn connect(self: &Arc<Self>, request: &TapRequest, plugins: &[&str]) -> Result<Connected, Refused> {
        let config = self.config.as_ref().ok_or(Refused::Off)?;
        let filter = Filter::new(request, plugins, self.format, self.event_bytes_max).map_err(Refused::Request)?;
        let asked = request.redact.iter().map(|name| name.parse());
        let asked: Result<Vec<SecretField>, _> = asked.collect();
        let asked = asked.map_err(|error| Refused::Request(format!("redact: {error}")))?;
        let redaction = Redaction::new(config.redact.iter().cloned().chain(asked));
        let (sender, queue) = mpsc::channel(QUEUE_EVENTS);
        let gauge = Arc::new(Gauge::default());
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let pace = Mutex::new(Pace::new(request.rate));
        let mut connected = self.lock();
        if connected.len() >= config.connections_max {
            return Err(Refused::Full(config.connections_max));
        }
        connected.push(Arc::new(Tap { number, filter, pace, queue: sender, gauge: Arc::clone(&gauge) }));
        self.count.store(connected.len(), Ordering::Relaxed);
        drop(connected);
        let limit = request.limit.unwrap_or(u64::MAX);
        Ok(Connected { queue, gauge, redaction, limit, seat: Seat { taps: Arc::clone(self), number } })
    }

    /// Ends all taps, and waits for as long as `patience` until their clients have what is in the queues.
    pub async fn close(&self, patience: Duration) {
        self.lock().clear();
        self.count.store(0, Ordering::Relaxed);
        let mut answers = self.answers.subscribe();
        // A client that does not read by then goes without its end.
        let _ = tokio::time::timeout(patience, answers.wait_for(|open| *open == 0)).await;
    }

    /// Those who are connected; mostly nobody.
    fn now(&self) -> Vec<Arc<Tap>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Tap>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut connected = self.taps.lock();
        connected.retain(|tap| tap.number != self.number);
        self.taps.count.store(connected.len(), Ordering::Relaxed);
    }
}

impl Gauge {
    /// Room for more bytes; `None`, and one more event is lost: there is none.
    fn reserve(self: &Arc<Self>, bytes: usize) -> Option<Reserved> {
        // Lanes that ask at once may pass the limit by an event each.
        if self.bytes.load(Ordering::Relaxed).saturating_add(bytes) > QUEUE_BYTES {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Some(Reserved { gauge: Arc::clone(self), bytes })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.gauge.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taps(connections_max: usize) -> Arc<Taps> {
        let config = TapConfig { is_local: true, redact: Vec::new(), connections_max };
        Arc::new(Taps::new(Some(config), Format::Json, 1 << 20))
    }

    #[test]
    fn taps_are_limited_at_the_limit_and_one_above_and_a_place_is_free_again() {
        let taps = taps(2);
        let request = TapRequest::default();
        let first = taps.connect(&request, &[]).unwrap();
        let _second = taps.connect(&request, &[]).unwrap();
        assert_eq!(taps.connect(&request, &[]).unwrap_err(), Refused::Full(2));
        drop(first);
        assert_eq!(taps.now().len(), 1);
        assert!(taps.connect(&request, &[]).is_ok());
    }

    #[test]
    fn nobody_is_connected_where_the_tap_is_turned_off() {
        let taps = Arc::new(Taps::new(None, Format::Json, 1 << 20));
        assert_eq!(taps.connect(&TapRequest::default(), &[]).unwrap_err(), Refused::Off);
    }

    #[test]
    fn bytes_are_limited_at_the_limit_and_one_above_and_what_finds_no_room_is_counted() {
        let gauge = Arc::new(Gauge::default());
        let all = gauge.reserve(QUEUE_BYTES).unwrap();
        assert!(gauge.reserve(1).is_none());
        drop(all);
        assert!(gauge.reserve(1).is_some());
        assert_eq!(gauge.lost.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn closing_waits_for_nobody_where_nobody_is_connected() {
        taps(1).close(Duration::from_secs(3600)).await;
    }
}
