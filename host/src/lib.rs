//! The wasmill host: everything that does I/O.

pub mod columns;
pub mod commands;
pub mod config;
pub mod dead_letters;
pub mod delivery;
pub mod kafka;
pub mod lane;
pub mod lines;
pub mod postgres;
pub mod report;
pub mod sqlite;
pub mod store;
