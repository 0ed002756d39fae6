//! Sees from outside that a plugin has had a batch for too long. Kafka cannot: polling goes on while a lane hangs.
//!
//! The guest is not interrupted, which would cost every plugin a tenth and more of its speed; its fuel ends it, and its answer is
//! thrown away then.

use std::time::Duration;

use tokio::sync::oneshot;
use wasmill_engine::{Broken, Generation, Watch};

/// How often a batch that takes longer is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Ready when a plugin has had the batch for too long whose worker `begun` tells of; never when the batch has no worker.
pub async fn stuck(generation: &Generation, begun: oneshot::Receiver<Watch>) -> Broken {
    let Ok(watch) = begun.await else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Some(broken) = generation.stuck(&watch) {
            return broken;
        }
    }
}
