//! The writing of one replayed letter: to what is no database first, then to the other databases, each with a mark of its own, and at
//! last to where the letter is kept, with what became of it.

use std::slice;

use super::{SinkOutput, Sinks, StoreSinks, Written, now_us};
use crate::config::RetryConfig;
use crate::delivery::Delivery;
use crate::letters::{Letter, Replay, Replayed};
use crate::retry::Backoff;
use crate::store::{Store, StoreError};

/// Where a letter is kept.
#[derive(Clone, Copy, Debug)]
pub enum Kept<'s> {
    /// In this one of the pipeline's databases.
    Store(usize),
    /// In a ledger that is no database of the pipeline.
    Ledger(&'s Store),
}

/// How far a replay goes.
#[derive(Clone, Copy, Debug)]
pub struct ReplayLimits {
    /// After how many attempts a letter is parked.
    pub attempts_max: i32,
    /// The waits while a database is away.
    pub retry: RetryConfig,
}

impl Sinks {
    /// Writes what the replay of a letter made. What is away is waited for, for ever. `None`: the letter is no longer as it was read.
    ///
    /// # Errors
    /// A sentence: somebody must act.
    pub async fn replay(
        &self,
        letter: &Letter,
        delivery: &mut Delivery,
        kept: Kept<'_>,
        limits: ReplayLimits,
    ) -> Result<Option<Replayed>, String> {
        let identity = letter.identity();
        let store = match kept {
            Kept::Store(store) => &self.stores[store].store,
            Kept::Ledger(ledger) => ledger,
        };
        // Its letter is there twice.
        if patiently(limits, || store.was_replayed(&identity)).await? {
            delivery.clear();
        }
        let mut was_there = false;
        if !is_rejected(letter, delivery) {
            self.replay_to_outputs(delivery).await;
            was_there = self.replay_to_others(letter, &identity, delivery, kept, limits).await?;
        }
        if self.home.is_none() && letter.sink().is_none() && !is_rejected(letter, delivery) {
            // A letter of a sink that the event had not reached before goes where all letters go.
            for relay in &self.relays {
                relay.write_directly(slice::from_ref(delivery), now_us(), &self.health).await;
            }
        }
        let replay = Replay { letter, identity: &identity, delivery, attempts_max: Some(limits.attempts_max) };
        let replayed = patiently(limits, || store.replay(replay)).await?;
        Ok(replayed.map(|replayed| Replayed { was_there: replayed.was_there || was_there, ..replayed }))
    }

    async fn replay_to_outputs(&self, delivery: &mut Delivery) {
        let group = slice::from_mut(delivery);
        for output in &self.outputs {
            let SinkOutput { sink, .. } = output;
            if let Some(Written { refused, .. }) = self.write_rows(output, group).await {
                self.refuse(*sink, refused, group);
            }
        }
    }

    /// The databases that do not keep the letter; whether one of them had its rows.
    async fn replay_to_others(
        &self,
        letter: &Letter,
        identity: &str,
        delivery: &mut Delivery,
        kept: Kept<'_>,
        limits: ReplayLimits,
    ) -> Result<bool, String> {
        let mut was_there = false;
        for (index, StoreSinks { store, sinks, .. }) in self.stores.iter().enumerate() {
            let has_rows = sinks.iter().any(|sink| !delivery.encoded[*sink].is_empty());
            if matches!(kept, Kept::Store(store) if store == index) || !has_rows {
                continue;
            }
            let replay = Replay { letter, identity, delivery, attempts_max: None };
            let replayed = patiently(limits, || store.replay(replay)).await?.unwrap_or_default();
            was_there |= replayed.was_there;
            delivery.dead_letters.extend(replayed.refused);
        }
        Ok(was_there)
    }
}

/// Asks a database until it answers.
async fn patiently<T, F>(limits: ReplayLimits, ask: impl Fn() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut backoff = Backoff::new(limits.retry);
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(StoreError::Transient(reason)) => tracing::warn!("waiting for a database: {reason}"),
            Err(error) => return Err(error.to_string()),
        }
        backoff.wait().await;
    }
}

fn is_rejected(letter: &Letter, delivery: &Delivery) -> bool {
    delivery.dead_letters.iter().any(|made| letter.is_rejected_by(made))
}
