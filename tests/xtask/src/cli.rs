//! The command line of `cargo xtask`.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Every chore of this repository. Each does its own set-up.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub chore: Chore,
}

/// One chore.
#[derive(Debug, Subcommand)]
pub enum Chore {
    /// Build all and run `wasmill demo`: the main job on this machine, without any server
    #[command(after_help = "Example: cargo xtask demo --events 200000 --seed 7")]
    Demo {
        /// Passed on to `wasmill demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Build all, start real services and run every test
    #[command(after_help = "Example: cargo xtask test recovery\nWith CI=true a test that cannot run fails.")]
    Test {
        /// Only tests whose names contain one of these
        filter: Vec<String>,
    },
    /// Build every plugin into target/plugins and every guest of the tests into target/guests
    Plugins,
    /// Start and stop real Kafka, TimescaleDB and DNS servers on this machine, without Docker
    #[command(subcommand)]
    Services(ServicesChore),
    /// Start services for load and run the benchmarks
    #[command(after_help = "Example: cargo xtask bench --json bench.json kafka_discard")]
    Bench {
        /// Passed on to `wasmill-bench bench`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Run every property with 10 000 cases; then start services, kill, restart, rebalance and take sinks away under load, and look
    /// for each of a million events and for each alert
    #[command(after_help = "Examples:\n  cargo xtask soak properties --seed 7\n  \
        cargo xtask soak fuzz verdicts --minutes 10\n  \
        cargo xtask soak --seed 7 --events 200000 timescale sqlite\n  cargo xtask soak --kills 10 kafka\n  \
        cargo xtask soak --away 30 away\n  cargo xtask soak --logs ../loghub public_logs")]
    Soak {
        /// `properties` for these alone, `fuzz` for changed inputs of whatever reads bytes; everything else is passed on to `wasmill-bench soak`, and then it is that part alone
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Check format, lints, documentation, dependencies (licences, origins, advisories) and the house rules
    Lint,
}

/// What to do with the services of this checkout.
#[derive(Debug, Subcommand)]
pub enum ServicesChore {
    /// Start those that do not run, and print the variables that lead to them
    #[command(after_help = "Example: eval \"$(cargo xtask services up)\"\n\
        A service whose address is given (KAFKA_BROKERS, DATABASE_URL, DNS_SERVER) is not started but looked for there.")]
    Up {
        /// Which ones; Kafka and TimescaleDB when none is named
        names: Vec<ServiceName>,
        /// Their settings
        #[command(flatten)]
        settings: Settings,
    },
    /// Stop them and delete their data
    Down {
        /// Which ones; all when none is named
        names: Vec<ServiceName>,
        /// Keep the data for the next `up`
        #[arg(long)]
        keep: bool,
    },
    /// Show what runs, where, and its memory
    Status {
        /// Which ones; all when none is named
        names: Vec<ServiceName>,
    },
    /// Print the variables that lead to those that run
    Env {
        /// Which ones; all when none is named
        names: Vec<ServiceName>,
    },
    /// Run psql or one of Kafka's command line tools against them
    #[command(after_help = "Examples:\n  cargo xtask services exec psql -c 'select 1'\n  \
        cargo xtask services exec kafka-topics --create --topic raw-events --partitions 4\n\
        Tools: psql, kafka-topics, kafka-console-producer, kafka-console-consumer, kafka-consumer-groups,\n\
        kafka-producer-perf-test (which wants --bootstrap-server itself).")]
    Exec {
        /// The tool
        tool: String,
        /// Its arguments; the server's address is added
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// Settings of the services.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Settings {
    /// Kafka with Java's optimising compiler: slower to start, for runs under load
    #[arg(long)]
    pub full_jit: bool,
    /// TimescaleDB that does not wait for the disk on commit
    #[arg(long)]
    pub no_fsync: bool,
}

/// A service by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceName {
    /// Apache Kafka
    Kafka,
    /// PostgreSQL with TimescaleDB
    Timescale,
    /// dnsmasq
    Dns,
}
