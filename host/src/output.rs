//! Destinations that are no databases. They have no transaction that a position could be part of, so all of them are written before
//! home commits, and what they are given comes at least once.

use tokio::sync::Mutex;
use wasmill_core::PartitionId;

use crate::config::RetryConfig;
use crate::dead_letters;
use crate::delivery::DeadLetter;
use crate::http::HttpSink;
use crate::kafka::sink::KafkaSink;
use crate::lines::LineSink;
use crate::retry::Backoff;
use crate::terminal::TextLines;

/// One destination, connected.
#[derive(Debug)]
pub enum Output {
    /// Topics of a Kafka cluster.
    Kafka(KafkaSink),
    /// A webhook.
    Http(Box<HttpSink>),
    /// A file or standard output.
    Lines(Lines),
}

/// Lines, and how a failed write is repeated.
#[derive(Debug)]
pub struct Lines {
    /// The lock keeps the lines of a group together.
    to: Mutex<LineSink>,
    retry: RetryConfig,
    /// Where they are for people.
    text: Option<TextLines>,
}

/// What the owner of a destination is told while rows wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble<'t> {
    /// Nothing is acknowledged; the client goes on trying.
    Waiting(&'t str),
    /// Rows failed and are sent again.
    Failed(&'t str),
    /// Rows are taken again, and there are more to come.
    Over,
}

/// A row that a destination refuses for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which of those that were handed over.
    pub row: usize,
    /// A short stable word.
    pub code: &'static str,
    /// A sentence.
    pub reason: String,
}

impl Output {
    /// Lines to a file or standard output.
    pub fn lines(to: LineSink, retry: RetryConfig) -> Self {
        Self::Lines(Lines { to: Mutex::new(to), retry, text: None })
    }

    /// Lines for people on standard output.
    pub fn text(lines: TextLines, retry: RetryConfig) -> Self {
        Self::Lines(Lines { to: Mutex::new(LineSink::stdout()), retry, text: Some(lines) })
    }

    /// Writes rows of one partition as the destination's encoder made them, in order, and answers when every one is there or refused.
    /// Goes on for ever, and says why in `told`. Dropping the future leaves it to chance which of them are written.
    pub async fn write(
        &self,
        partition: &PartitionId,
        rows: &[&[u8]],
        told: &(dyn Fn(Trouble<'_>) + Sync),
    ) -> Vec<Refused> {
        match self {
            Self::Kafka(kafka) => kafka.write(rows, told).await,
            Self::Http(http) => http.write(partition, rows, told).await,
            Self::Lines(lines) => {
                lines.write(rows, told).await;
                Vec::new()
            }
        }
    }

    /// A dead letter that was rejected at `time_us` (microseconds since 1970) as a row of this destination.
    pub fn letter(&self, partition: &PartitionId, letter: &DeadLetter, time_us: i64) -> Vec<u8> {
        match self {
            Self::Kafka(kafka) => kafka.letter(partition, letter, time_us),
            Self::Http(http) => http.letter(partition, letter, time_us),
            Self::Lines(Lines { text: Some(lines), .. }) => lines.letter(partition, letter, time_us).into_bytes(),
            Self::Lines(_) => dead_letters::line(partition, letter, time_us),
        }
    }
}

impl Lines {
    async fn write(&self, rows: &[&[u8]], told: &(dyn Fn(Trouble<'_>) + Sync)) {
        let mut backoff = Backoff::new(self.retry);
        // Held over the waits on purpose: while the file is away every lane waits for it.
        let mut to = self.to.lock().await;
        while let Err(reason) = to.write(rows).await {
            told(Trouble::Failed(&reason));
            backoff.wait().await;
        }
    }
}
