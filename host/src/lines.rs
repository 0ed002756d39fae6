//! JSON lines: the sources `stdin` and `file`, the sinks `file` and `stdout`.

mod sink;
mod source;

pub use sink::{LineSink, encode_lines};
pub use source::{LineSource, LineSourceError, Progress};
