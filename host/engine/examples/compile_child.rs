//! The smallest program that can be a compile child: what the host's binary does before anything else. The tests use it.

use std::process::ExitCode;

use wasmill_engine::{COMPILE_ARGUMENT, compile_child_main};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(COMPILE_ARGUMENT) {
        return compile_child_main();
    }
    ExitCode::from(2)
}
