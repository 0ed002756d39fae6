//! Logs: for people on a terminal, JSON lines otherwise; always on standard error, so that standard output is data only.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What is logged by a command that answers and ends, where neither variable is set.
const QUIET_FILTER: &str = "warn";
/// What is logged elsewhere then: ours, and what libraries warn of.
const DEFAULT_FILTER: &str = "warn,wasmill=info,wasmill_core=info,wasmill_engine=info";
/// Libraries that warn once per packet from outside; what matters of that is counted, and in `/health/ready`.
const TALKATIVE: &str = "hickory_net=off,hickory_proto=off,hickory_resolver=off";

/// Starts logging; of a quiet command warnings alone. `RUST_LOG` decides what is logged, else `LOG_LEVEL` (a level, or a filter in `RUST_LOG`'s form).
///
/// # Errors
/// A sentence, when the variable's value is no filter.
pub fn start(is_quiet: bool) -> Result<(), String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let (name, value) = match (variable("RUST_LOG"), variable("LOG_LEVEL")) {
        (Some(value), _) => ("RUST_LOG", value),
        (None, Some(value)) => ("LOG_LEVEL", value),
        (None, None) => {
            let filter = if is_quiet { QUIET_FILTER } else { DEFAULT_FILTER };
            ("LOG_LEVEL", format!("{filter},{TALKATIVE}"))
        }
    };
    let filter = filter(&value)
        .map_err(|error| format!("{name} is no level or filter ({error}); write error, warn, info, debug or trace"))?;
    let is_terminal = std::io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails only where a test has set one up already.
    let _ = if is_terminal {
        logs.with_target(false).compact().try_init()
    } else {
        logs.with_ansi(false).json().flatten_event(true).try_init()
    };
    Ok(())
}

/// A level alone is for our own logs: libraries stay at warnings, unless it is a full filter. `WARNING`, `FATAL` and other
/// programs' words for levels are understood.
fn filter(value: &str) -> Result<EnvFilter, ParseError> {
    let word = value.trim().to_lowercase();
    let level = match word.as_str() {
        "off" | "error" | "warn" | "info" | "debug" | "trace" => word.as_str(),
        "warning" => "warn",
        "fatal" | "critical" => "error",
        _ => return EnvFilter::try_new(value),
    };
    let libraries = if matches!(level, "off" | "error") { level } else { "warn" };
    EnvFilter::try_new(format!("{libraries},{TALKATIVE},wasmill={level},wasmill_core={level},wasmill_engine={level}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_is_for_our_own_logs_and_a_filter_for_all() {
        for (value, parsed) in [
            ("DEBUG", "wasmill_engine=debug"),
            ("warning", "wasmill=warn"),
            ("rdkafka=trace", "rdkafka=trace"),
            ("off", "wasmill=off"),
        ] {
            assert!(filter(value).unwrap().to_string().contains(parsed), "{value}");
        }
        assert!(filter("wasmill=loud").is_err());
    }
}
