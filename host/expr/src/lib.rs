//! The expression language of `when:` and of alert rules: a documented subset of CEL over the fields of one event.
//!
//! An expression is compiled once, off the data path, into a [`Program`]. The program names the [`Column`]s that it
//! reads (a path and a kind each), so that whoever runs it can project just those; it then reads them by slot through
//! [`Fields`], allocating nothing unless text with JSON escapes has to be looked into or an object is measured.
//! The crate does no I/O and is the same code in the host and inside plugins.
//!
//! `docs/expressions.md` is the language's reference. Deliberately absent: macros other than `has`, conversions,
//! maps, bytes, concatenation and every function that could build a value larger than its inputs.

mod ast;
mod columns;
mod compiler;
mod decimal;
mod error;
mod eval;
mod json;
mod lexer;
pub mod limits;
mod literal;
mod needle;
mod numbers;
mod parser;
mod parts;
mod path;
mod pattern;
mod program;
pub mod time;
mod value;

pub use columns::{Column, Fields, Kind, State};
pub use error::{CompileError, EvalError, Problem};
pub use json::unescaped;
pub use path::join_path;
pub use pattern::{Pattern, PatternError};
pub use program::Program;
pub use value::{Constant, Value};
