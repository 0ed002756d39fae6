//! Red where the operator's own thresholds say so: too many dead letters, too far behind.

use std::sync::Arc;
use std::time::Duration;

use crate::config::HealthConfig;
use crate::status::Status;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Fewer events in a minute say nothing about a rate.
const EVENTS_MIN: u64 = 100;
const ERROR_RATE: &str = "error rate";
const LAG: &str = "lag";

/// Looks every second, for ever.
pub async fn keep(status: Arc<Status>, config: HealthConfig) {
    if config == HealthConfig::default() {
        return;
    }
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        look(&status, config);
    }
}

fn look(status: &Status, config: HealthConfig) {
    if let Some(most) = config.error_rate_max {
        let (minute, _) = status.tally.recent();
        let too_many = minute.processed >= EVENTS_MIN && minute.error_rate > most;
        set(status, ERROR_RATE, too_many, || {
            format!(
                "{:.1} % of the last minute's events became dead letters, more than health.error_rate_max: look at their codes and reasons",
                minute.error_rate * 100.0
            )
        });
    }
    if let Some(most) = config.lag_max {
        let lag = status.lag();
        set(status, LAG, lag > most, || {
            format!(
                "{lag} events wait to be read, more than health.lag_max: look for what is slow, or start another process"
            )
        });
    }
}

fn set(status: &Status, part: &str, is_over: bool, reason: impl FnOnce() -> String) {
    match is_over {
        // Once for each time that it goes over: the numbers change all the time.
        true if !status.health.is_red(part) => status.health.red(part, reason()),
        true => {}
        false => status.health.green(part),
    }
}
