//! PostgreSQL and TimescaleDB as a store.
