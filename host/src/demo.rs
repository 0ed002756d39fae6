//! The demo: the main job with no server. An in-process Kafka broker (librdkafka's mock one, through the real client), the
//! shipped plugins, SQLite. Only the broker is small.

pub mod events;
mod files;
mod results;

pub use files::{DemoFiles, TOPIC};
pub use results::results;
