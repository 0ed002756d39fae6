//! Lines: the sources `stdin` and `file`, the sinks `file` and `stdout`.

mod input;
mod sink;
mod source;

pub use input::Progress;
pub use sink::{LineSink, append_on_one_line, encode_lines};
pub use source::{LineSource, LineSourceError};
