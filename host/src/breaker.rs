//! A circuit breaker: while a database is away, one lane at a time tries it, and the others wait without knocking.
//!
//! Closed, attempts pass. An attempt that fails opens it: from then on one attempt at a time is let through, each after a wait
//! that grows ([`Backoff`]), until one succeeds and closes it for all (Michael Nygard, "Release It!", whose half-open state is
//! the one attempt). Lanes that wait hold what they have and receive no more, so nothing is buffered and nothing dropped.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use crate::config::RetryConfig;
use crate::retry::Backoff;

/// Shared by all who write to one database.
#[derive(Debug)]
pub struct Breaker {
    open: AtomicBool,
    /// Held by the one who tries while it is open, over the wait as well.
    trial: Mutex<Backoff>,
}

/// One attempt that was let through. Dropping it leaves the breaker as it is and lets the next one try.
#[derive(Debug)]
pub struct Attempt<'a> {
    breaker: &'a Breaker,
    trial: Option<MutexGuard<'a, Backoff>>,
}

impl Breaker {
    /// Closed.
    pub fn new(config: RetryConfig) -> Self {
        Self { open: AtomicBool::new(false), trial: Mutex::new(Backoff::new(config)) }
    }

    /// Waits until an attempt may be made: not at all while it is closed.
    pub async fn attempt(&self) -> Attempt<'_> {
        if self.is_open() {
            let mut trial = self.trial.lock().await;
            // Whoever held it may have closed it meanwhile.
            if self.is_open() {
                trial.wait().await;
                return Attempt { breaker: self, trial: Some(trial) };
            }
        }
        Attempt { breaker: self, trial: None }
    }

    /// Whether attempts wait.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}

impl Attempt<'_> {
    /// It succeeded: closes the breaker. An attempt from before it opened does not, since it says nothing about now.
    pub fn succeeded(self) {
        if let Some(mut trial) = self.trial {
            trial.reset();
            self.breaker.open.store(false, Ordering::Release);
        }
    }

    /// It failed: opens the breaker, or leaves it open.
    pub fn failed(self) {
        self.breaker.open.store(true, Ordering::Release);
    }

    /// It failed, and what was tried will not be tried again. What comes next waits as after a first failure: the waits that have
    /// grown were those of what is given up. It is not let through at once, so nobody is knocked at without a pause.
    pub fn given_up(self) {
        self.breaker.open.store(true, Ordering::Release);
        if let Some(mut trial) = self.trial {
            trial.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    const AT_ONCE: RetryConfig = RetryConfig { initial: Duration::ZERO, max: Duration::ZERO };

    fn is_ready(future: impl Future) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[tokio::test]
    async fn while_it_is_closed_all_attempts_pass_at_once() {
        let breaker = Breaker::new(AT_ONCE);
        let (first, second) = (breaker.attempt().await, breaker.attempt().await);
        first.succeeded();
        second.succeeded();
        assert!(!breaker.is_open());
    }

    #[tokio::test]
    async fn while_it_is_open_one_attempt_at_a_time_is_let_through() {
        let breaker = Breaker::new(AT_ONCE);
        breaker.attempt().await.failed();
        assert!(breaker.is_open());
        let trial = breaker.attempt().await;
        assert!(!is_ready(breaker.attempt()), "another one is trying");
        trial.failed();
        let trial = breaker.attempt().await;
        let mut waiting = pin!(breaker.attempt());
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        trial.succeeded();
        assert!(!breaker.is_open());
        match waiting.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(attempt) => attempt.succeeded(),
            Poll::Pending => panic!("it is closed, so whoever waited goes on"),
        }
    }

    #[tokio::test]
    async fn late_success_of_an_attempt_from_before_does_not_close_it() {
        let breaker = Breaker::new(AT_ONCE);
        let before = breaker.attempt().await;
        breaker.attempt().await.failed();
        before.succeeded();
        assert!(breaker.is_open());
    }

    #[tokio::test]
    async fn what_follows_what_was_given_up_waits_as_after_a_first_failure() {
        let breaker = Breaker::new(RetryConfig { initial: Duration::from_nanos(1), max: Duration::from_secs(1) });
        breaker.attempt().await.failed();
        for _ in 0..3 {
            breaker.attempt().await.failed();
        }
        assert_eq!(breaker.trial.lock().await.full_wait(), Duration::from_nanos(8));
        breaker.attempt().await.given_up();
        assert_eq!(breaker.trial.lock().await.full_wait(), Duration::from_nanos(1));
        assert!(breaker.is_open(), "nothing was taken");
    }

    #[tokio::test]
    async fn dropped_trial_lets_the_next_one_try() {
        let breaker = Breaker::new(AT_ONCE);
        breaker.attempt().await.failed();
        drop(breaker.attempt().await);
        assert!(breaker.is_open());
        breaker.attempt().await.succeeded();
        assert!(!breaker.is_open());
    }
}
