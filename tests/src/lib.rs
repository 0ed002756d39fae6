//! What the end-to-end tests and benchmarks share.

pub mod events;
pub mod kafka;
pub mod pipeline;
pub mod services;
