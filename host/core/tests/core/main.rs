//! What the core promises of payloads, held against `serde_json::Value` as the reference.
//!
//! `WASMILL_SOAK_CASES` sets the number of cases per property; the default is quick.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod agreement;
mod columns;
mod gathering;
mod hostile;
mod spacing;
mod support;
mod writes;
