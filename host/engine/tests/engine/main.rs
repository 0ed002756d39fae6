//! The engine with real components: `tests/guests/rogue`, built by `cargo xtask plugins`.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests fail as tests do")]
#![allow(clippy::cloned_ref_to_slice_refs, reason = "a list of one plugin is written as a list")]

mod home;
mod log;
mod support;

mod adversaries;
mod answers;
mod blaming;
mod compiling;
mod cutting;
mod determinism;
mod golden;
mod limiting;
mod loading;
mod looking;
mod printing;
mod reusing;
mod speed;
mod state;
mod wasi;
