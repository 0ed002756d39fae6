//! How plugins are run, how sinks are tried again.

use std::time::Duration;

use super::{Resolver, count};
use crate::config::compiled::compiled_folder;
use crate::config::place::Place;
use crate::config::raw::{RawEngine, RawRetention, RawRetry};
use crate::config::units::duration_text;
use crate::config::{EngineConfig, RetentionConfig, RetryConfig};

pub(super) fn retention(raw: &RawRetention) -> RetentionConfig {
    // The schema's range is far below the type's.
    let days = |days: u64| u16::try_from(days).unwrap_or(u16::MAX);
    RetentionConfig { dead_letters_days: days(raw.dead_letters_days), commits_days: days(raw.commits_days) }
}

impl Resolver<'_> {
    pub(super) fn engine(&mut self, raw: &RawEngine) -> EngineConfig {
        let threads = raw.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), count);
        let cache_dir = match &raw.cache_dir {
            Some(path) => self.path(path),
            // Beside the file where there is no user, as in many containers.
            None => compiled_folder(self.surroundings.environment).unwrap_or_else(|| self.path(".wasmill-cache")),
        };
        EngineConfig { threads, cache_dir, compile: raw.compile, ceilings: raw.ceilings.clone() }
    }

    pub(super) fn retry(&mut self, raw: &RawRetry, place: Place<'_>) -> Option<RetryConfig> {
        let hour = Duration::from_secs(3600);
        let first =
            self.duration(&raw.initial, place.child("initial"), Duration::from_millis(10), Duration::from_secs(60));
        let most = self.duration(&raw.max, place.child("max"), Duration::from_millis(10), hour);
        let retry = RetryConfig { initial: first?, max: most? };
        if retry.initial > retry.max {
            let (initial, max) = (duration_text(retry.initial), duration_text(retry.max));
            return self.wrong(place, format!("\"max\" ({max}) must not be shorter than \"initial\" ({initial})"));
        }
        Some(retry)
    }
}
