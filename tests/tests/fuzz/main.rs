//! Whatever reads bytes from outside, with changed inputs: a few thousand in a test run, for minutes by `cargo xtask soak fuzz`.
//!
//! What must hold is in each target; that nothing panics, in all of them. Corpora are in `tests/corpora`, a folder for each test here.

#![allow(clippy::unwrap_used, reason = "a step that fails fails the target")]

mod answers;
mod engine;
mod letters;
mod projection;
mod settings;
