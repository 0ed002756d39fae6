//! Deletes from home what is older than it is kept, in small parts between the commits.

use std::sync::Arc;
use std::time::Duration;

use crate::config::RetentionConfig;
use crate::sinks::{Sinks, StoreSinks};
use crate::store::{Forget, Store, StoreError};

/// How often it is looked for; the first time at the start.
const INTERVAL: Duration = Duration::from_secs(3600);
/// Rows that are deleted at a time: some milliseconds.
const SLICE: u32 = 500;
/// What lies between two parts, so that commits have the database in the meantime.
const REST: Duration = Duration::from_millis(50);

/// Goes on until it is dropped. A home that is away is tried again an hour later.
pub(super) async fn keep(sinks: Arc<Sinks>, retention: RetentionConfig) {
    let Some(home) = sinks.home() else { return };
    loop {
        if let Err(error) = forget_all(&sinks, home, retention).await {
            tracing::warn!("what is older than `retention` keeps it stays for another hour: {error}");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn forget_all(sinks: &Sinks, home: &Store, retention: RetentionConfig) -> Result<(), StoreError> {
    let id_max = sinks.relayed().await?;
    let letters = forget(home, Forget::DeadLetters { days: retention.dead_letters_days, id_max }).await?;
    let commits = forget(home, Forget::Commits { days: retention.commits_days }).await?;
    forget(home, Forget::Answers { days: retention.commits_days }).await?;
    // A mark is younger than its letter, so it outlives it.
    for StoreSinks { store, .. } in &sinks.stores {
        forget(store, Forget::Replayed { days: retention.dead_letters_days }).await?;
    }
    if letters + commits > 0 {
        tracing::info!("deleted {letters} dead letters and {commits} commit records that `retention` no longer keeps");
    }
    Ok(())
}

async fn forget(home: &Store, what: Forget) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let deleted = home.forget(what, SLICE).await?;
        all += deleted;
        if deleted < u64::from(SLICE) {
            return Ok(all);
        }
        tokio::time::sleep(REST).await;
    }
}
