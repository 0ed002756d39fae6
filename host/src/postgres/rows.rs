//! The rows that a group of deliveries has for one table, numbered through.

use std::ops::Range;

use wasmill_core::Batch;

use crate::config::From;
use crate::delivery::{Delivery, Rows};

use super::binary::MICROS_1970_TO_2000;

/// Rows of several batches, in order.
#[derive(Debug)]
pub(super) struct RowSet<'d> {
    parts: Vec<Part<'d>>,
    len: usize,
}

/// The rows of one batch that are not below the ledger's offset.
#[derive(Debug)]
struct Part<'d> {
    rows: &'d Rows,
    batch: &'d Batch,
    /// The first of its rows that counts.
    first: usize,
    /// The number of that row in the set.
    number: usize,
}

impl<'d> RowSet<'d> {
    /// The rows for sink `sink` of events at `from_offset` and later: what lies before is stored already.
    pub(super) fn of(deliveries: &'d [Delivery], sink: usize, from: From, from_offset: i64) -> Self {
        let mut set = Self { parts: Vec::with_capacity(deliveries.len()), len: 0 };
        for delivery in deliveries {
            let batch = match from {
                From::Events => Some(&delivery.events),
                From::Alerts => delivery.alerts.as_ref(),
                // No table takes them: home has one.
                From::DeadLetters => None,
            };
            let (Some(batch), Some(rows)) = (batch, delivery.encoded.get(sink)) else { continue };
            let offset_of = |event: &u32| batch.raw.records()[*event as usize].offset;
            let first = rows.events.partition_point(|event| offset_of(event) < from_offset);
            set.parts.push(Part { rows, batch, first, number: set.len });
            set.len += rows.len() - first;
        }
        set
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The bytes of the rows in `range`, in as few pieces as there are batches.
    pub(super) fn pieces(&self, range: &Range<usize>) -> impl Iterator<Item = &'d [u8]> {
        self.parts.iter().filter_map(move |part| {
            let count = part.rows.len() - part.first;
            let start = range.start.clamp(part.number, part.number + count) - part.number + part.first;
            let end = range.end.clamp(part.number, part.number + count) - part.number + part.first;
            (start < end).then(|| {
                let from = if start == 0 { 0 } else { part.rows.ends[start - 1] as usize };
                &part.rows.bytes[from..part.rows.ends[end - 1] as usize]
            })
        })
    }

    /// The batch and the event of row `number`.
    pub(super) fn event(&self, number: usize) -> (&'d Batch, u32) {
        let part = &self.parts[self.parts.partition_point(|part| part.number <= number) - 1];
        (part.batch, part.rows.events[number - part.number + part.first])
    }

    /// Of each row its number and the timestamp in field `field`, microseconds since 1970; rows where it is null are left out.
    pub(super) fn times(&self, field: usize) -> impl Iterator<Item = (usize, i64)> {
        self.parts.iter().flat_map(move |part| {
            (part.first..part.rows.len())
                .filter_map(move |row| Some((row - part.first + part.number, time_in(part.rows.row(row), field)?)))
        })
    }
}

/// The timestamp in field `field` of an encoded row, microseconds since 1970.
fn time_in(row: &[u8], field: usize) -> Option<i64> {
    const FIELD_COUNT: usize = 2;
    let mut at = FIELD_COUNT;
    for _ in 0..field {
        at += 4 + usize::try_from(field_length(row, at)?).unwrap_or(0);
    }
    if field_length(row, at)? != 8 {
        return None;
    }
    let bytes = row.get(at + 4..at + 12)?.try_into().ok()?;
    i64::from_be_bytes(bytes).checked_add(MICROS_1970_TO_2000)
}

/// The length that stands at `at`; -1 for a null.
fn field_length(row: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(row.get(at..at + 4)?.try_into().ok()?))
}
