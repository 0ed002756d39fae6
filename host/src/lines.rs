//! JSON lines: the sources stdin and file, the sinks file and stdout.
