//! Trying again: for ever, with jittered exponential backoff, saying why.

use std::time::Duration;

use crate::config::RetryConfig;

/// The waits between attempts: doubling from `initial` to `max`, each between half and all of that, so that many lanes do not
/// come back at the same moment ("equal jitter").
#[derive(Debug)]
pub struct Backoff {
    config: RetryConfig,
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    pub fn new(config: RetryConfig) -> Self {
        Self { config, failures: 0 }
    }

    /// Waits before the next attempt.
    pub async fn wait(&mut self) {
        let full = self.full_wait();
        self.failures = self.failures.saturating_add(1);
        tokio::time::sleep(full.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
    }

    /// Forgets the failures: the next wait is the first one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The longest that the next wait may be.
    pub(crate) fn full_wait(&self) -> Duration {
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.config.initial.saturating_mul(factor).min(self.config.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_doubles_up_to_its_maximum() {
        let config = RetryConfig { initial: Duration::from_millis(100), max: Duration::from_secs(1) };
        let waits = [0, 1, 3, 4, 31, 32, 1000].map(|failures| Backoff { config, failures }.full_wait().as_millis());
        assert_eq!(waits, [100, 200, 800, 1000, 1000, 1000, 1000]);
    }
}
