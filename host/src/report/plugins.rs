//! Counts by plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use wasmill_core::{Digest, PluginRef};
use wasmill_engine::{Limit, Plugin, Plugins};

use super::work::{Work, count_code};
use crate::delivery::Delivery;

/// One plugin's work.
#[derive(Clone, Debug, Serialize)]
pub struct PluginReport {
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// Events that came to it, once for each of its kinds: passed, rejected, dropped and skipped together.
    pub events: u64,
    /// Events that it passed on.
    pub passed: u64,
    /// Events that were rejected: by itself, for want of a field that it requires, because it failed on them, or because its breaker
    /// was open.
    pub rejected: u64,
    /// The same by code.
    pub rejections: BTreeMap<String, u64>,
    /// Events it dropped.
    pub dropped: u64,
    /// Events that passed it by because its breaker was open.
    pub skipped: u64,
    /// Keys of its state that had to go because it was full.
    pub state_evicted: u64,
    /// Lines that it logged.
    pub log_lines: u64,
    /// Lines beyond what it may log.
    pub log_lines_suppressed: u64,
    /// How often its limits held, by setting; only those that did.
    pub limits: BTreeMap<&'static str, u64>,
    /// What it cost.
    #[serde(flatten)]
    pub work: Work,
}

/// Counts by plugin: its file's digest and that of its configuration.
#[derive(Debug, Default)]
pub(super) struct PluginCounts {
    keys: Vec<(Digest, Digest)>,
    /// By index of `keys`.
    reports: Vec<PluginReport>,
    /// The plugins of the generation that was counted last, and where they are counted.
    last: Option<(Plugins, Vec<usize>)>,
}

impl PluginCounts {
    /// By plugin, in the order in which they began to serve.
    pub(super) fn reports(&self) -> &[PluginReport] {
        &self.reports
    }

    /// Finds where these plugins are counted.
    pub(super) fn find(&mut self, plugins: &Plugins) {
        if self.last.as_ref().is_none_or(|(last, _)| !Arc::ptr_eq(last, plugins)) {
            let places = plugins.iter().map(|plugin| self.place(plugin)).collect();
            self.last = Some((Arc::clone(plugins), places));
        }
    }

    fn place(&mut self, plugin: &Plugin) -> usize {
        let key = (plugin.reference().digest, plugin.config_digest());
        self.keys.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.keys.push(key);
            self.reports.push(PluginReport::new(plugin.reference()));
            self.keys.len() - 1
        })
    }

    /// Counts that a limit held once of a plugin that has served. Where its file serves twice, the first has it.
    pub(super) fn hold(&mut self, plugin: &PluginRef, limit: Limit) {
        if let Some(place) = self.keys.iter().position(|(digest, _)| *digest == plugin.digest) {
            *self.reports[place].limits.entry(limit.name()).or_default() += 1;
        }
    }

    pub(super) fn add(&mut self, delivery: &Delivery) {
        self.find(&delivery.plugins);
        let places = self.last.iter().flat_map(|(_, places)| places);
        for (place, cost) in places.zip(&delivery.costs) {
            let plugin = &mut self.reports[*place];
            plugin.events += cost.events;
            plugin.rejected += cost.rejected;
            plugin.dropped += cost.dropped;
            plugin.skipped += cost.skipped;
            plugin.passed += cost.passed();
            plugin.state_evicted += cost.state_evicted();
            plugin.log_lines += cost.log_lines;
            plugin.log_lines_suppressed += cost.log_lines_suppressed();
            for (limit, times) in cost.held.iter() {
                *plugin.limits.entry(limit.name()).or_default() += times;
            }
            plugin.work.add(cost);
        }
        self.add_rejections(delivery);
    }

    /// Counts the codes of rejections. Where a file serves twice, with a configuration each, they go to the first.
    fn add_rejections(&mut self, delivery: &Delivery) {
        let of_plugins =
            delivery.dead_letters.iter().filter_map(|letter| Some((letter.plugin.as_ref()?.digest, letter)));
        for (digest, letter) in of_plugins {
            let place = delivery.plugins.iter().position(|plugin| plugin.reference().digest == digest);
            let places = self.last.as_ref().map_or(&[][..], |(_, places)| places);
            if let Some(place) = place.and_then(|place| places.get(place)) {
                count_code(&mut self.reports[*place].rejections, &letter.code, 1);
            }
        }
    }
}

impl PluginReport {
    fn new(plugin: &PluginRef) -> Self {
        Self {
            name: plugin.name.clone(),
            version: plugin.version.clone(),
            digest: plugin.digest.to_string(),
            events: 0,
            passed: 0,
            rejected: 0,
            rejections: BTreeMap::new(),
            dropped: 0,
            skipped: 0,
            state_evicted: 0,
            log_lines: 0,
            log_lines_suppressed: 0,
            limits: BTreeMap::new(),
            work: Work::default(),
        }
    }
}
