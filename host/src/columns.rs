//! Column values: from an event to a typed cell.
//!
//! A table's columns are bound once to the projection ([`BoundColumns::bind`]). Then each event gives a [`Value`] per
//! column, or a [`Refusal`] that makes it a dead letter: whatever a database would refuse for its type is refused here,
//! so that one event never costs its batch. What a database does with a value (its wire form) is the database's matter.

mod convert;
mod json;
mod refusal;
mod text;
mod value;

use wasmill_core::{Batch, Digest, FieldKind, ProjectionBuilder};

use crate::config::{ColumnType, Identifier, ValueFrom};

pub use refusal::{Refusal, type_name};
pub use value::{Inet, Value};

/// How far the time column of a hypertable may lie before the record's own time, in microseconds: ten years. Each
/// week outside would be a chunk of its own.
pub const TIME_BEFORE_RECORD_MAX_US: i64 = 3_653 * 86_400_000_000;
/// How far the time column of a hypertable may lie after the record's own time, in microseconds: a year.
pub const TIME_AFTER_RECORD_MAX_US: i64 = 366 * 86_400_000_000;

/// A column whose type is known: from the configuration, or from the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedColumn {
    /// Its name.
    pub name: Identifier,
    /// Where its value comes from.
    pub from: ValueFrom,
    /// Its type.
    pub column_type: ColumnType,
    /// Whether it takes null.
    pub nullable: bool,
    /// The most characters that a text column takes, if it has a limit.
    pub length_max: Option<u32>,
    /// Whether it partitions a hypertable: its values must then lie near the record's own time.
    pub is_time: bool,
}

/// A column that cannot be filled from where the configuration says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} cannot be {column_type} from {from}; {from} goes into {allowed}")]
pub struct BindError {
    column: Identifier,
    column_type: &'static str,
    from: String,
    allowed: &'static str,
}

/// The columns of one table, bound to a projection.
#[derive(Clone, Debug)]
pub struct BoundColumns {
    columns: Vec<BoundColumn>,
    reads_payload: bool,
}

/// One column with its place in the batch.
#[derive(Clone, Debug)]
struct BoundColumn {
    typed: TypedColumn,
    source: Source,
}

/// Where a bound column's value stands.
#[derive(Clone, Debug)]
enum Source {
    Cell(usize),
    Raw,
    Payload,
    Key,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Header(Box<[u8]>),
    Digest,
    Skipped,
}

impl BoundColumns {
    /// Asks `projection` for the fields that `columns` need.
    ///
    /// # Errors
    /// When a column's type does not suit where its value comes from.
    pub fn bind(columns: &[TypedColumn], projection: &mut ProjectionBuilder) -> Result<Self, BindError> {
        let columns = columns.iter().map(|column| bind(column, projection)).collect::<Result<Vec<_>, _>>()?;
        let reads_payload = columns.iter().any(|column| matches!(column.source, Source::Payload));
        Ok(Self { columns, reads_payload })
    }

    /// Number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The column at `index`, as it was bound.
    pub fn column(&self, index: usize) -> &TypedColumn {
        &self.columns[index].typed
    }

    /// Begins to read `batch`, which has run in `generation`.
    pub fn reader<'b>(&'b self, batch: &'b Batch, generation: &'b Digest) -> Reader<'b> {
        Reader {
            columns: self,
            batch,
            generation,
            generation_hex: generation.to_string(),
            has_nul: batch.text.contains(&0),
            payload: Vec::new(),
        }
    }
}

fn bind(column: &TypedColumn, projection: &mut ProjectionBuilder) -> Result<BoundColumn, BindError> {
    let refused = |allowed| BindError {
        column: column.name.clone(),
        column_type: type_name(column.column_type),
        from: refusal::origin_of(&column.from),
        allowed,
    };
    let require = |fits: bool, allowed| if fits { Ok(()) } else { Err(refused(allowed)) };
    let kind = column.column_type;
    let source = match &column.from {
        ValueFrom::Path(path) => Source::Cell(projection.column(Some(path), field_kind(kind))),
        ValueFrom::Raw | ValueFrom::Payload => {
            require(matches!(kind, ColumnType::Jsonb | ColumnType::Text | ColumnType::Bytea), "jsonb, text or bytea")?;
            if column.from == ValueFrom::Raw { Source::Raw } else { Source::Payload }
        }
        ValueFrom::Key => {
            require(kind != ColumnType::TextArray, "any type but text[]")?;
            Source::Key
        }
        ValueFrom::Header(name) => {
            require(kind != ColumnType::TextArray, "any type but text[]")?;
            Source::Header(name.as_bytes().into())
        }
        ValueFrom::Topic => {
            require(kind == ColumnType::Text, "text")?;
            Source::Topic
        }
        ValueFrom::Partition | ValueFrom::Offset => {
            let fits = matches!(kind, ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt);
            require(fits, "bigint, integer or smallint")?;
            if column.from == ValueFrom::Offset { Source::Offset } else { Source::Partition }
        }
        ValueFrom::Timestamp => {
            let fits = matches!(kind, ColumnType::TimestampTz | ColumnType::BigInt);
            require(fits, "timestamptz, or bigint as milliseconds since 1970")?;
            Source::Timestamp
        }
        ValueFrom::Digest => {
            require(matches!(kind, ColumnType::Text | ColumnType::Bytea), "text or bytea")?;
            Source::Digest
        }
        ValueFrom::Skipped => {
            require(kind == ColumnType::TextArray, "text[]")?;
            Source::Skipped
        }
    };
    Ok(BoundColumn { typed: column.clone(), source })
}

/// What is read from the payload for a column of this type. Text slots name the raw token of what is no string, so
/// numbers can go into text columns and milliseconds into timestamps.
fn field_kind(column_type: ColumnType) -> FieldKind {
    match column_type {
        ColumnType::SmallInt | ColumnType::Integer | ColumnType::BigInt => FieldKind::Integer,
        ColumnType::Real | ColumnType::Double => FieldKind::Float,
        ColumnType::Boolean => FieldKind::Boolean,
        ColumnType::Jsonb | ColumnType::TextArray => FieldKind::Json,
        ColumnType::Text | ColumnType::TimestampTz | ColumnType::Uuid | ColumnType::Inet | ColumnType::Bytea => {
            FieldKind::Text
        }
    }
}

/// Reads the columns of one batch.
#[derive(Debug)]
pub struct Reader<'b> {
    columns: &'b BoundColumns,
    batch: &'b Batch,
    generation: &'b Digest,
    generation_hex: String,
    /// Whether any text of the batch may hold a NUL: looked for once, not per value.
    has_nul: bool,
    /// The payload of the event that is read, after enrichment; filled only where a column wants it.
    payload: Vec<u8>,
}

impl Reader<'_> {
    /// The event at `index` of the batch.
    pub fn event(&mut self, index: u32) -> Event<'_> {
        if self.columns.reads_payload {
            self.payload.clear();
            self.batch.payload_into(index, &mut self.payload);
        }
        Event { reader: self, index }
    }
}

/// Reads the columns of one event.
#[derive(Debug)]
pub struct Event<'r> {
    reader: &'r Reader<'r>,
    index: u32,
}

impl Event<'_> {
    /// The value of the column at `index`, fit for its type.
    ///
    /// # Errors
    /// Why the column cannot take it; the event is a dead letter then.
    #[inline]
    pub fn value(&self, index: usize) -> Result<Value<'_>, Refusal> {
        let column = &self.reader.columns.columns[index];
        let value = convert::value(self, column);
        // Looked at where it stands: to move such a value costs more than to make it.
        if !column.typed.nullable && matches!(value, Ok(Value::Null)) {
            return Err(refusal::missing(&column.typed));
        }
        value
    }
}
