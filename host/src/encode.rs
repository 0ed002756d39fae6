//! What each sink makes of a batch: rows or lines, on the engine thread, while the batch is warm.

use std::sync::Arc;

use wasmill_core::{Batch, Digest, Rejection};

use crate::condition::Condition;
use crate::config::From;
use crate::delivery::Rows;
use crate::http::DocumentEncoder;
use crate::kafka::sink::MessageEncoder;
use crate::lines::encode_lines;
use crate::postgres::CopyEncoder;
use crate::sqlite::CellEncoder;
use crate::terminal::TextLines;

/// One sink's encoder with its condition.
#[derive(Debug)]
pub struct SinkEncoder {
    /// The sink's name.
    pub name: Arc<str>,
    /// What it takes.
    pub from: From,
    /// Only what this is true for.
    pub when: Option<Condition>,
    /// Its format.
    pub format: Format,
}

/// The format of a sink's rows.
#[derive(Debug)]
pub enum Format {
    /// Tuples of COPY BINARY.
    Copy(CopyEncoder),
    /// Cells for SQLite.
    Cells(CellEncoder),
    /// Messages of Kafka.
    Messages(MessageEncoder),
    /// Documents of a webhook.
    Documents(DocumentEncoder),
    /// JSON lines.
    Lines,
    /// Lines for people.
    Text(TextLines),
    /// Rows without content: counted, not kept.
    Nothing,
}

impl SinkEncoder {
    /// Of a sink of dead letters, which are no part of a batch: encodes nothing.
    pub fn of_letters(name: &str) -> Self {
        Self { name: name.into(), from: From::DeadLetters, when: None, format: Format::Nothing }
    }

    /// Of alerts that live: which of them are wanted is found out with the batch, and what is sent of them later.
    pub fn of_lives(name: &str, when: Option<Condition>) -> Self {
        Self { name: name.into(), from: From::Alerts, when, format: Format::Nothing }
    }

    /// Whether it takes alerts and no events.
    pub fn takes_alerts(&self) -> bool {
        self.from == From::Alerts
    }

    /// Encodes what flows in `batch`; with it the events that do not fit.
    pub fn encode(&self, batch: &Batch, generation: &Digest) -> (Rows, Vec<Rejection>) {
        let chosen;
        let events: &[u32] = match &self.when {
            None => &batch.live,
            Some(condition) => {
                chosen = condition.choose(batch);
                &chosen
            }
        };
        let (mut rows, refused) = match &self.format {
            Format::Copy(encoder) => encoder.encode(batch, events, generation, &self.name),
            Format::Cells(encoder) => encoder.encode(batch, events, generation, &self.name),
            Format::Messages(encoder) => encoder.encode(batch, events, &self.name),
            Format::Documents(encoder) => encoder.encode(batch, events, &self.name),
            Format::Lines => (encode_lines(batch, events), Vec::new()),
            Format::Text(lines) => (lines.encode(batch, events), Vec::new()),
            Format::Nothing => (count_only(events), Vec::new()),
        };
        rows.of_alerts = self.takes_alerts();
        rows.filtered = (batch.live.len() - events.len()) as u64;
        rows.refused = refused.len() as u64;
        (rows, refused)
    }
}

fn count_only(events: &[u32]) -> Rows {
    Rows { ends: vec![0; events.len()], events: events.to_vec(), ..Rows::default() }
}
