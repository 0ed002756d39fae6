//! Real Kafka, TimescaleDB and DNS servers without Docker: for tests, benchmarks and the demo.
//!
//! [`Kafka`], [`Timescale`] and [`Dns`] are servers of one's own: [`Server::start`] gives a fresh one on a free port of
//! 127.0.0.1, which can be stopped, killed and restarted, and which dropping ends and wipes. What `cargo xtask services
//! up` starts outlives it and is one per checkout: [`Server::up`], [`Server::find`], [`Server::down`].

mod debian;
mod dns;
mod folders;
mod given;
mod kafka;
mod packages;
mod port;
mod process;
mod requirements;
mod server;
mod timescale;

use std::process::Command;

pub use dns::{Dns, DnsRecipe};
pub use given::{given, is_reachable};
pub use kafka::{Kafka, KafkaRecipe};
pub use packages::{node_modules, python_environment};
pub use process::{ProcessId, Signal};
pub use requirements::Requirement;
pub use server::{Recipe, Server};
pub use timescale::{Timescale, TimescaleRecipe};

/// The variable with Kafka's bootstrap servers.
pub const KAFKA_BROKERS: &str = "KAFKA_BROKERS";
/// The variable with the database's URL.
pub const DATABASE_URL: &str = "DATABASE_URL";
/// The variable with the address and port of the DNS server.
pub const DNS_SERVER: &str = "DNS_SERVER";

/// A tool of a server, such as `psql` or `kafka-topics`, that is told where the server is.
///
/// # Errors
/// When there is no such tool, or it cannot be made ready.
pub fn tool(name: &str, address: &str) -> anyhow::Result<Command> {
    let mut command = if name == "psql" { TimescaleRecipe::psql()? } else { KafkaRecipe::tool(name)? };
    match name {
        "psql" => command.arg(address),
        "kafka-producer-perf-test" => &mut command,
        _ => command.args(["--bootstrap-server", address]),
    };
    Ok(command)
}
