//! Dead letters as JSON lines.
