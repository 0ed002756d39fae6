//! Home, and where dead letters go.

use super::claims::Use;
use super::{RawPipeline, Resolver};
use crate::config::mistake::instead;
use crate::config::place::Place;
use crate::config::raw::{RawHome, RawOwnHome};
use crate::config::{DeadLetterConfig, HomeConfig, SinkConfig, SinkKind};

impl Resolver<'_> {
    /// The place that decides how far the pipeline is; `sinks` is `None` when one of them has a mistake.
    pub(super) fn home(
        &mut self,
        raw: &RawPipeline,
        sinks: Option<&[SinkConfig]>,
        root: Place<'_>,
    ) -> Option<HomeConfig> {
        let place = root.child("home");
        match &raw.home {
            None => Some(sinks?.iter().position(is_sql).map_or(HomeConfig::None, HomeConfig::Sink)),
            Some(RawHome::Own(own)) => self.own_home(own, sinks, place),
            Some(RawHome::Sink(name)) => {
                let names: Vec<&str> = raw.sinks.0.iter().map(|(name, _)| name.as_str()).collect();
                if !names.contains(&name.as_str()) && !root.child("sinks").is_broken() {
                    let message = format!("no sink is called {}; {}", place.quoted(), instead(name, &names));
                    return self.wrong(place, message);
                }
                let index = sinks?.iter().position(|sink| sink.name == *name)?;
                if is_sql(&sinks?[index]) {
                    return Some(HomeConfig::Sink(index));
                }
                let message =
                    format!("the sink {} cannot be home: only timescale, postgres and sqlite can", place.quoted());
                self.wrong(place, message)
            }
        }
    }

    fn own_home(&mut self, own: &RawOwnHome, sinks: Option<&[SinkConfig]>, place: Place<'_>) -> Option<HomeConfig> {
        let path = self.path(&own.sqlite.path);
        self.claim(&path, "home", Use::Database, place.child("sqlite").child("path"));
        match sinks?.iter().find(|sink| is_sql(sink)) {
            None => Some(HomeConfig::Sqlite(path)),
            Some(SinkConfig { name, .. }) => {
                self.wrong(place, format!("a SQL sink is home itself; write home: {name}, or leave the key out"))
            }
        }
    }

    /// Where dead letters go besides home.
    pub(super) fn dead_letters(&mut self, raw: &RawPipeline, place: Place<'_>) -> DeadLetterConfig {
        let Some(raw) = &raw.dead_letters else { return DeadLetterConfig::default() };
        let file = raw.file.as_ref().map(|file| {
            let path = self.path(&file.path);
            self.claim(&path, "dead letters", Use::Alone, place.child("file").child("path"));
            path
        });
        let kafka = raw.kafka.as_ref().and_then(|kafka| self.kafka_letters(kafka, place.child("kafka")));
        DeadLetterConfig { file, kafka }
    }
}

fn is_sql(sink: &SinkConfig) -> bool {
    matches!(sink.kind, SinkKind::Postgres { .. } | SinkKind::Sqlite { .. })
}
