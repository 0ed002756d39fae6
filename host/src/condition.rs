//! A sink's `when:`: an expression over the events of a batch.

use std::str;

use wasmill_core::{Batch, FieldKind, Path, PathError, ProjectionBuilder, State};
use wasmill_expr::{CompileError, Fields, Kind, Program};

/// A compiled condition, bound to a projection's columns.
#[derive(Debug)]
pub struct Condition {
    program: Program,
}

/// Why a condition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConditionError {
    /// It is no expression.
    #[error("{0}")]
    Compile(#[from] CompileError),
    /// It names a field that cannot be read.
    #[error("{0}")]
    Path(#[from] PathError),
}

impl Condition {
    /// Compiles `source` and has the projection read what it needs.
    ///
    /// # Errors
    /// With the position in the expression.
    pub fn bind(source: &str, projection: &mut ProjectionBuilder) -> Result<Self, ConditionError> {
        let mut program = Program::condition(source)?;
        let mut slots = Vec::with_capacity(program.columns().len());
        for column in program.columns() {
            let path: Path = column.path.parse()?;
            slots.push(projection.column(Some(&path), field_kind(column.kind)));
        }
        program.bind(&slots);
        Ok(Self { program })
    }

    /// The events that flow and that it is true for. An event that it cannot be evaluated for is not chosen.
    pub fn choose(&self, batch: &Batch) -> Vec<u32> {
        let chosen = |event: &u32| self.program.matches(&Event { batch, event: *event });
        batch.live.iter().copied().filter(chosen).collect()
    }
}

fn field_kind(kind: Kind) -> FieldKind {
    match kind {
        Kind::Text => FieldKind::Text,
        Kind::Float => FieldKind::Float,
        Kind::Boolean => FieldKind::Boolean,
        Kind::Json => FieldKind::Json,
    }
}

struct Event<'a> {
    batch: &'a Batch,
    event: u32,
}

impl Event<'_> {
    fn present(&self, slot: usize) -> Option<u64> {
        let (state, slot) = self.batch.cell(self.event, slot);
        (state.state() == State::Present).then_some(slot)
    }
}

impl Fields for Event<'_> {
    fn state(&self, slot: usize) -> wasmill_expr::State {
        match self.batch.cell(self.event, slot).0.state() {
            State::Absent => wasmill_expr::State::Absent,
            State::Null => wasmill_expr::State::Null,
            State::Present => wasmill_expr::State::Present,
            State::OtherType => wasmill_expr::State::OtherType,
        }
    }

    fn text(&self, slot: usize) -> Option<&str> {
        str::from_utf8(self.batch.text_of(self.present(slot)?)).ok()
    }

    fn float(&self, slot: usize) -> Option<f64> {
        self.present(slot).map(f64::from_bits)
    }

    fn boolean(&self, slot: usize) -> Option<bool> {
        self.present(slot).map(|bits| bits != 0)
    }

    fn json(&self, slot: usize) -> Option<&str> {
        self.text(slot)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wasmill_core::{EventTime, PartitionId, RawBatch};

    use super::*;

    #[test]
    fn events_that_the_condition_is_true_for_are_chosen() {
        let mut builder = ProjectionBuilder::new(EventTime::Record, 1 << 20);
        let condition = Condition::bind("severity != 'DEBUG' && n > 1", &mut builder).unwrap();
        let partition = PartitionId {
            source: "stdin".to_owned(),
            cluster: String::new(),
            topic: "stdin".to_owned(),
            topic_id: String::new(),
            partition: 0,
        };
        let mut raw = RawBatch::new(Arc::new(partition), 0);
        let payloads =
            [r#"{"severity":"INFO","n":2}"#, r#"{"severity":"DEBUG","n":2}"#, r#"{"severity":"INFO","n":"x"}"#, "{}"];
        for (offset, payload) in payloads.iter().enumerate() {
            raw.push(offset as i64, 0, None, Some(payload.as_bytes()), []);
        }
        let (batch, rejections) = builder.build().extract(raw);
        assert!(rejections.is_empty());
        assert_eq!(condition.choose(&batch), [0]);
    }
}
