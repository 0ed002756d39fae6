//! Hot swap: what changes in the plugin directory serves a moment later.
//!
//! The directory is looked at by the names, sizes and times of its files: that sees copies, moves, links that flip, and shares
//! that tell nobody of changes, all alike. What three looks find the same has settled; then the plugins are loaded, checked and bound beside the
//! stream, and published as one generation. Whatever is wrong with them changes nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use wasmill_core::Digest;
use wasmill_engine::Generation;

use super::bind::{Binder, Bound};
use super::build::{archive, note};
use super::plugins::{Loaded, LoadedFile, Loader, PART, about, serves_on};
use super::refusal::Refusal;
use crate::config::RetryConfig;
use crate::plugin_breakers::PluginBreakers;
use crate::retry::Backoff;
use crate::serving::Serving;
use crate::sinks::Sinks;
use crate::states;
use crate::store::{Store, StoreError};

/// How often the directory is looked at: some 50 microseconds of processor time each.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// So many looks that find the same as the one before: then nobody is writing there any more.
const SETTLED: u32 = 2;

/// Follows a plugin directory.
pub(super) struct Swap {
    pub(super) loader: Arc<Loader>,
    /// What serves.
    pub(super) loaded: Loaded,
    pub(super) binder: Binder,
    pub(super) serving: Arc<Serving>,
    pub(super) sinks: Arc<Sinks>,
    pub(super) breakers: Arc<PluginBreakers>,
    /// Whether home keeps the files.
    pub(super) archives: bool,
    /// Those that it has.
    pub(super) archived: HashSet<Digest>,
    pub(super) retry: RetryConfig,
}

impl Swap {
    /// Follows the directory for as long as it is polled.
    pub(super) async fn follow(mut self) {
        let mut last = self.loaded.listing.clone();
        let (mut same, mut is_readable) = (0, true);
        loop {
            sleep(LOOK_EVERY).await;
            let now = match self.loader.list().await {
                Ok(now) => now,
                Err(error) => {
                    (same, is_readable) = (0, false);
                    let reason = format!("the plugin directory cannot be read ({error})");
                    self.sinks.health.yellow(PART, serves_on(&reason));
                    continue;
                }
            };
            same = if now == last { same + 1 } else { 0 };
            last = now;
            if same >= SETTLED && (last != self.loaded.listing || !is_readable) {
                is_readable = true;
                self.loaded.listing = last.clone();
                self.take_over().await;
            }
        }
    }

    /// Has what the directory holds serve, unless something is wrong with it.
    async fn take_over(&mut self) {
        let began = Instant::now();
        let next = self.loader.load(self.loaded.files.clone()).await;
        let loaded = began.elapsed();
        let next = match next {
            Ok(files) => self.bind(&files).await.map(|bound| (files, bound)),
            Err(refusal) => Err(refusal),
        };
        match next {
            Ok((files, bound)) => {
                // What changed while it was read settles first.
                if self.is_settled().await {
                    match self.publish(files, bound).await {
                        Ok(()) => {
                            tracing::debug!(
                                loaded_ms = loaded.as_millis(),
                                ms = began.elapsed().as_millis(),
                                "plugins were taken over"
                            );
                            self.sinks.health.green(PART);
                        }
                        Err(refusal) => self.refuse(&refusal),
                    }
                }
            }
            Err(refusal) => self.refuse(&refusal),
        }
    }

    fn refuse(&self, refusal: &Refusal) {
        self.sinks.tally.refuse(&refusal.causes);
        self.sinks.health.yellow(PART, serves_on(refusal));
    }

    /// Binds plugins, and looks whether home and they suit each other. Waits while home is away.
    async fn bind(&self, files: &[LoadedFile]) -> Result<Bound, Refusal> {
        let bound = self.binder.bind(files.iter().map(|file| Arc::clone(&file.plugin)).collect());
        let bound = bound.map_err(|reason| Refusal::new(Refusal::BINDING, reason))?;
        let generation = &bound.processor.generation;
        let suits = states::suits(&self.serving.now().generation, generation);
        suits.map_err(|error| Refusal::new(Refusal::STATE, error.to_string()))?;
        if let Some(home) = self.sinks.home() {
            self.patiently(|| self.prepare(home, files, generation)).await?;
        }
        Ok(bound)
    }

    /// Waits while home is away.
    async fn patiently<F: Future<Output = Result<(), StoreError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<(), Refusal> {
        let mut backoff = Backoff::new(self.retry);
        loop {
            match attempt().await {
                Ok(()) => return Ok(()),
                Err(StoreError::Transient(reason)) => {
                    self.sinks.health.yellow(PART, format!("new plugins wait for home: {reason}"));
                }
                Err(error) => return Err(Refusal::new(Refusal::HOME, error.to_string())),
            }
            backoff.wait().await;
            if !self.is_settled().await {
                let text = "the plugin directory changed again while its plugins waited for home";
                return Err(Refusal::new(Refusal::SUPERSEDED, text));
            }
        }
    }

    /// Whether the directory holds what is being taken over.
    async fn is_settled(&self) -> bool {
        self.loader.list().await.is_ok_and(|now| now == self.loaded.listing)
    }

    async fn prepare(&self, home: &Store, files: &[LoadedFile], generation: &Generation) -> Result<(), StoreError> {
        let same = generation.same(&self.serving.now().generation);
        states::prepare(home, generation, &same).await?;
        if self.archives {
            let is_new = |file: &&LoadedFile| !self.archived.contains(&file.plugin.reference().digest);
            archive(home, files.iter().filter(is_new)).await?;
        }
        Ok(())
    }

    async fn publish(&mut self, files: Vec<LoadedFile>, bound: Bound) -> Result<(), Refusal> {
        let before = self.serving.now();
        let plugins = Arc::clone(bound.processor.generation.plugins());
        self.archived.extend(plugins.iter().map(|plugin| plugin.reference().digest));
        let id = bound.processor.generation.id();
        if !before.generation.is_of(&plugins) {
            if let Some(home) = self.sinks.home() {
                self.patiently(|| note(home, &bound.processor.generation)).await?;
            }
            self.sinks.tally.serve(&plugins);
            let same = bound.processor.generation.same(&before.generation);
            self.serving.publish(Arc::new(bound.processor));
            self.breakers.forget_others(&same);
            let named: Vec<String> = plugins.iter().map(|plugin| about(plugin)).collect();
            tracing::info!(generation = %id, before = %before.generation.id(), "plugins serve: {}", named.join(", "));
            self.loader.keep_good(&files).await;
        }
        self.loaded.files = files;
        Ok(())
    }
}
