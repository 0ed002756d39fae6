//! A table of a database, and where its columns' values come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmill_core::Path;

use super::{Identifier, TableName};

/// A table and where its columns come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableConfig {
    /// Its name, with its schema if one is given.
    pub name: TableName,
    /// Whether to make table (and hypertable) where they are missing.
    pub create: bool,
    /// The column that partitions a hypertable.
    pub time: Option<Identifier>,
    /// The columns in the file's order; at least one, names distinct.
    pub columns: Vec<ColumnConfig>,
    /// The columns that tell one row from another; empty: every event is a row of its own.
    pub key: Vec<Identifier>,
    /// What becomes of a row whose key is there already.
    pub on_duplicate: OnDuplicate,
}

/// What becomes of a row whose key is in the table already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// The table decides: where it forbids it, the row becomes a dead letter.
    #[default]
    Reject,
    /// The row that is there stays.
    Ignore,
    /// The row that is there gets the new one's values.
    Update,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnConfig {
    /// Its name.
    pub name: Identifier,
    /// Where its value comes from.
    pub from: ValueFrom,
    /// Its type; `None`: as the table has it, or (where the table is made) text, jsonb for `$raw` and `$payload`,
    /// bigint for `$offset`, integer for `$partition`, timestamptz for `$timestamp`, bytea for `$key`, text[] for `$skipped`.
    pub column_type: Option<ColumnType>,
}

/// Where a column's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueFrom {
    /// A field of the event after enrichment.
    Path(Path),
    /// `$raw`: the source's bytes.
    Raw,
    /// `$payload`: the event after enrichment.
    Payload,
    /// `$key`.
    Key,
    /// `$topic`.
    Topic,
    /// `$partition`.
    Partition,
    /// `$offset`.
    Offset,
    /// `$timestamp`: the record's own time.
    Timestamp,
    /// `$headers.NAME`: the last header of that name.
    Header(String),
    /// `$digest`: of the generation.
    Digest,
    /// `$skipped`: the plugins that the event passed by; null where there is none.
    Skipped,
}

/// A column's type, by PostgreSQL's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "PostgreSQL's own names")]
pub enum ColumnType {
    Text,
    SmallInt,
    Integer,
    BigInt,
    Real,
    Double,
    Boolean,
    TimestampTz,
    Uuid,
    Inet,
    Jsonb,
    Bytea,
    #[serde(rename = "text[]")]
    TextArray,
}
