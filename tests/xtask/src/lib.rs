//! Every chore of this repository, and the real services that its tests and benchmarks run against.
//!
//! The library part is for tests: [`services`] starts servers that a test may kill and restart, [`workspace`] knows
//! what cargo knows, [`cli`] is the command line. The binary `cargo xtask` is in `main.rs` and `commands/`.

#![allow(clippy::print_stderr, reason = "the progress of chores goes to standard error")]

pub mod cli;
pub mod services;
pub mod skip;
pub mod workspace;
