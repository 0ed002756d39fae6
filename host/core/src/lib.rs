//! Values and decisions of wasmill: what a batch is, how fields are found in a payload, how written fields go back.
//!
//! Everything here is pure: no I/O, no clock, no async, no wasmtime. What needs time or randomness takes it as an
//! argument.

mod alert;
mod apply;
mod batch;
mod digest;
mod documents;
mod fault;
mod field;
mod keys;
mod marks;
mod members;
mod number;
mod origin;
mod overlay;
mod path;
mod projection;
mod raw_batch;
mod rejection;
mod row;
mod scan;
mod skip;
mod splice;
mod string;
mod text;
mod tokens;
mod trie;
mod writes;
mod written;

pub use alert::{Alert, AlertId, Severity};
pub use batch::{Batch, Skipped, Written, WrittenRows};
pub use digest::{Digest, DigestError};
pub use documents::Format;
pub use field::{Field, FieldKind, JsonType, Lookup, SlotState, State};
pub use origin::PartitionId;
pub use path::{PATH_BYTES_MAX, PATH_KEYS_MAX, Path, PathError};
pub use projection::{Column, EventTime, LookupColumns, Projection, ProjectionBuilder};
pub use raw_batch::{HeaderRef, Lender, RawBatch, Record, Span};
pub use rejection::{PluginRef, Rejection, Stage};
pub use scan::DEPTH_MAX;
pub use text::TextArena;
pub use written::WRITTEN_BYTES_MAX;
