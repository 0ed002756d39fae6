//! Sinks: their names, conditions and kinds.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use wasmill_expr::Program;

use super::claims::Use;
use super::{Resolver, count, is_name, not_a_name};
use crate::config::mistake::quoted;
use crate::config::place::Place;
use crate::config::raw::{RawLife, RawSink, RawTable};
use crate::config::read::Ordered;
use crate::config::{From, LifeConfig, Secret, SinkConfig, SinkKind, StdoutFormat};

/// Sinks of one pipeline.
pub const SINKS_MAX: usize = 32;

const URL_HINT: &str = "is no PostgreSQL address; write postgres://user:password@host:port/database (special characters of \
     user and password as %40, or from variables of their own)";

impl Resolver<'_> {
    /// All sinks; `None` when one of them has a mistake.
    pub(super) fn sinks(&mut self, raw: &Ordered<RawSink>, place: Place<'_>) -> Option<Vec<SinkConfig>> {
        if raw.0.len() > SINKS_MAX {
            return self.wrong(place, format!("{} sinks are given, and {SINKS_MAX} are allowed", raw.0.len()));
        }
        let mut sinks = Vec::new();
        for (name, raw) in &raw.0 {
            let is_valid = is_name(name);
            if !is_valid {
                self.mistakes.add(place.key_at(name), not_a_name("a sink", &quoted(name)));
            }
            let sink = self.sink(name, raw, place.child(name));
            sinks.push(sink.filter(|_| is_valid));
        }
        sinks.into_iter().collect()
    }

    fn sink(&mut self, name: &str, raw: &RawSink, place: Place<'_>) -> Option<SinkConfig> {
        let is_condition = raw.when.as_deref().is_none_or(|when| self.condition(when, place.child("when")));
        let fits = raw.from != From::DeadLetters || self.may_take_letters(raw, place);
        let kind = self.kind(name, raw, place);
        let when = raw.when.clone().filter(|_| is_condition);
        let life = raw.life.as_ref().map(|life| self.life(life, raw, place.child("life")));
        let life = life.map_or(Some(None), |life| life.map(Some));
        Some(SinkConfig { name: name.to_owned(), from: raw.from, when, life: life?, kind: kind? })
            .filter(|_| is_condition && fits)
    }

    /// Home keeps dead letters in a table of its own.
    fn may_take_letters(&mut self, raw: &RawSink, place: Place<'_>) -> bool {
        if raw.kafka.is_some() || raw.http.is_some() || raw.file.is_some() || raw.stdout.is_some() {
            return true;
        }
        let message = "home has the dead letters already, in its table wasmill_dead_letters; a sink of them is kafka, http, file or stdout";
        self.wrong::<()>(place.child("from"), message);
        false
    }

    fn life(&mut self, life: &RawLife, sink: &RawSink, place: Place<'_>) -> Option<LifeConfig> {
        let (least, most) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));
        let resolved_after = self.duration(&life.resolved_after, place.child("resolved_after"), least, most);
        let repeat_every = match &life.repeat_every {
            None => Some(None),
            Some(every) => self.duration(every, place.child("repeat_every"), least, most).map(Some),
        };
        if sink.from != From::Alerts {
            return self.wrong(place, "only alerts have a life; write from: alerts, or leave \"life\" out");
        }
        if sink.kafka.is_none() && sink.http.is_none() && sink.file.is_none() && sink.stdout.is_none() {
            let message = "a table keeps every alert; alerts have a life at a sink that is kafka, http, file or stdout";
            return self.wrong(place, message);
        }
        Some(LifeConfig {
            resolved_after: resolved_after?,
            repeat_every: repeat_every?,
            open_max: count(life.open_max),
        })
    }

    fn condition(&mut self, when: &str, place: Place<'_>) -> bool {
        let Err(error) = Program::condition(when) else { return true };
        let message =
            format!("the expression is wrong at line {}, character {}: {}", error.line, error.column, error.problem);
        self.wrong::<()>(place, message);
        false
    }

    fn kind(&mut self, name: &str, raw: &RawSink, place: Place<'_>) -> Option<SinkKind> {
        let from = raw.from;
        if let Some(raw) = &raw.timescale {
            return self.postgres(&raw.url, raw.table(), true, raw.writers, place.child("timescale"));
        }
        if let Some(raw) = &raw.postgres {
            return self.postgres(&raw.url, raw.table(), false, raw.writers, place.child("postgres"));
        }
        if let Some(raw) = &raw.sqlite {
            let place = place.child("sqlite");
            let path = self.path(&raw.path);
            self.claim(&path, &format!("the sink {}", quoted(name)), Use::Database, place.child("path"));
            let table = self.table(&raw.table(), false, place)?;
            return Some(SinkKind::Sqlite { path, table });
        }
        if let Some(raw) = &raw.kafka {
            return self.kafka_sink(name, raw, from, place.child("kafka")).map(SinkKind::Kafka);
        }
        if let Some(raw) = &raw.http {
            return self.http(raw, place.child("http")).map(SinkKind::Http);
        }
        if let Some(raw) = &raw.file {
            let path = self.path(&raw.path);
            let place = place.child("file").child("path");
            self.claim(&path, &format!("the sink {}", quoted(name)), Use::Alone, place);
            return Some(SinkKind::File { path });
        }
        if let Some(raw) = &raw.stdout {
            if from == From::Events && raw.format == StdoutFormat::Text {
                let message = "text is for alerts and dead letters; write json, or from: alerts";
                return self.wrong(place.child("stdout").child("format"), message);
            }
            return Some(SinkKind::Stdout { format: raw.format });
        }
        raw.discard.as_ref().map(|_| SinkKind::Discard)
    }

    fn postgres(
        &mut self,
        url: &str,
        table: RawTable<'_>,
        hypertable: bool,
        writers: u64,
        place: Place<'_>,
    ) -> Option<SinkKind> {
        let url = self.url(url, place.child("url"));
        let table = self.table(&table, hypertable, place);
        Some(SinkKind::Postgres { url: url?, hypertable, table: table?, writers: count(writers) })
    }

    /// The address as written, since what is secret in it can only be seen there.
    fn url(&mut self, url: &str, place: Place<'_>) -> Option<Secret> {
        let written = place.0.filled.as_ref().map_or(url, |filled| &filled.written);
        let secret = match Secret::url(written, self.surroundings.environment, self.surroundings.folder) {
            Ok(secret) => secret,
            Err(problem) => return self.wrong(place, problem),
        };
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| secret.reveal().starts_with(scheme));
        if is_postgres && PgConnectOptions::from_str(secret.reveal()).is_ok() {
            return Some(secret);
        }
        self.wrong(place, format!("\"url\" {URL_HINT}"))
    }
}
