//! A plugin that is broken, where the stream is to go on without it: its breaker opens, and events pass it by or are dead letters.

use std::sync::Arc;

use wasmill_core::{Rejection, Skipped};

use super::Ongoing;
use crate::blame::Open;
use crate::load::OnOpen;
use crate::outcome::{BreakerState, BreakerTurn, Broken};

impl Ongoing<'_> {
    /// Opens the breaker of a plugin that is broken, where the stream is to go on without it. The events that it has settled keep their
    /// answers. Nobody is blamed: those of the batch that it failed on pass by with the rest.
    pub(super) fn open(&mut self, events: &[u32], broken: Broken) -> Result<(), Broken> {
        let reason = match &broken {
            Broken::Plugin { reason, .. } | Broken::Start { reason, .. } => reason,
            Broken::Engine { .. } | Broken::Stuck { .. } => return Err(broken),
        };
        if self.run.plugin.on_open() == OnOpen::Pause || self.worker.is_of_trial {
            return Err(broken);
        }
        let offset = self.offset(events[self.settled]);
        let first = self.blame.event(events[self.settled]);
        let open = self.blame.open(self.run.plugin.id(), first, reason);
        let on_open = self.run.plugin.on_open();
        self.turn(BreakerState::Open { reason: Arc::clone(&open.reason), events: open.rest, on_open }, offset);
        let failed = std::mem::take(&mut self.failed);
        self.outcome.rejections.retain(|rejection| !failed.contains(&rejection.event));
        self.worker.gone.retain(|event| !failed.contains(event));
        self.cost.rejected -= failed.len() as u64;
        self.cost.failed = 0;
        self.skip(&failed, &events[self.settled..], &open);
        Ok(())
    }

    /// Has events pass by a plugin whose breaker is open: `failed`, and the `rest` of the batch.
    pub(super) fn skip(&mut self, failed: &[u32], rest: &[u32], open: &Open) {
        let plugin = self.run.plugin.reference();
        if self.run.plugin.on_open() == OnOpen::Skip {
            self.cost.skipped += (failed.len() + rest.len()) as u64;
            for event in failed {
                let offset = self.offset(*event);
                Skipped::add(&mut self.batch.skipped, plugin, offset, offset + 1);
            }
            let (first, next) = (self.offset(rest[0]), self.batch.raw.next_offset());
            Skipped::add(&mut self.batch.skipped, plugin, first, next);
            return;
        }
        let reason =
            format!("the breaker of the plugin {} is open for {} events: it {}", plugin.name, open.rest, open.reason);
        let events = failed.iter().chain(rest);
        self.worker.gone.extend(events.clone());
        self.cost.rejected += (failed.len() + rest.len()) as u64;
        self.outcome.rejections.extend(events.map(|event| Rejection {
            event: *event,
            stage: self.run.kind.stage(),
            plugin: Some(plugin.clone()),
            sink: None,
            code: "plugin_broken".into(),
            reason: reason.clone(),
        }));
    }

    pub(super) fn turn(&mut self, state: BreakerState, offset: i64) {
        let (id, plugin) = (self.run.plugin.id(), self.run.plugin.reference().clone());
        self.outcome.turns.push(BreakerTurn { id, plugin, state, offset });
    }
}
