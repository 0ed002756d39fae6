//! The guide's examples, which are tests.

#[doc = include_str!("../../docs/plugins/fields.md")]
mod fields {}

#[doc = include_str!("../../docs/plugins/state.md")]
mod state {}
