//! The PostgreSQL store against a real server. `DATABASE_URL` names it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answers;
mod blame;
mod chunks;
mod commit;
mod database;
mod letters;
mod pipeline;
mod server;
mod set_up;
mod upsert;
mod values;
