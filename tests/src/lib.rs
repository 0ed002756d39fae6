//! What the end-to-end tests and benchmarks share.

pub mod admin;
pub mod chaos;
pub mod dns;
pub mod events;
pub mod example;
pub mod exposition;
pub mod fuzz;
pub mod kafka;
pub mod kafka_pipeline;
pub mod letters;
pub mod pipeline;
pub mod proxy;
pub mod public_logs;
pub mod receiver;
pub mod services;
pub mod tap;
pub mod variants;
