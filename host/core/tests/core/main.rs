//! What the core promises of payloads, held against `serde_json::Value` as the reference.
//!
//! `PROPTEST_CASES` sets the number of cases per property, see `.cargo/config.toml`.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod agreement;
mod columns;
mod hostile;
mod spacing;
mod support;
mod text;
mod writes;
