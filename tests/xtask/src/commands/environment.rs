//! The servers that a run of tests or benchmarks uses, and the variables that lead to them.

use std::process::Command;

use anyhow::{Context, Result};
use xtask::services::{self, DATABASE_URL, KAFKA_BROKERS, Kafka, KafkaRecipe, Timescale, TimescaleRecipe};
use xtask::skip;
use xtask::workspace::{self, Metadata};

use super::run::outlive_interrupts;

/// Fresh servers, gone when this is dropped; or those of the user, which are left alone.
pub(crate) struct Environment {
    variables: Vec<(&'static str, String)>,
    _kafka: Option<Kafka>,
    _timescale: Option<Timescale>,
}

impl Environment {
    /// Starts what is not given. A server that cannot be started is said and left out; with `CI=true` it is an error.
    pub(crate) fn start(kafka: KafkaRecipe) -> Result<Self> {
        outlive_interrupts();
        let kafka = one("Kafka", KAFKA_BROKERS, || Kafka::start_with(kafka))?;
        let timescale = one("TimescaleDB", DATABASE_URL, || Timescale::start_with(TimescaleRecipe::default()))?;
        let target = Metadata::of_workspace()?.target_directory;
        let mut variables = vec![
            ("WASMILL_BIN", target.join("release/wasmill").display().to_string()),
            ("WASMILL_PLUGINS", workspace::root().join("target/plugins").display().to_string()),
            ("WASMILL_GUESTS", workspace::root().join("target/guests").display().to_string()),
        ];
        variables.extend(kafka.iter().map(|kafka| (KAFKA_BROKERS, kafka.brokers())));
        variables.extend(timescale.iter().map(|timescale| (DATABASE_URL, timescale.url("postgres"))));
        Ok(Self { variables, _kafka: kafka, _timescale: timescale })
    }

    /// Gives the variables to a command.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }
}

fn one<S>(title: &str, variable: &str, start: impl FnOnce() -> Result<S>) -> Result<Option<S>> {
    if let Some(value) = services::given(variable) {
        services::is_reachable(variable, &value)?;
        eprintln!("using the {title} that {variable} gives");
        return Ok(None);
    }
    eprintln!("starting {title} ...");
    match start() {
        Ok(server) => Ok(Some(server)),
        Err(error) if skip::in_ci() => Err(error).with_context(|| format!("cannot start {title}")),
        Err(error) => {
            eprintln!("cannot start {title}, tests that need it will be SKIPPED: {error:#}");
            Ok(None)
        }
    }
}
