//! From what is written to what it means together: a [`Config`], or mistakes with their places.

mod admin;
mod claims;
mod home;
mod http;
mod kafka;
mod kafka_sink;
mod lookups;
mod settings;
mod sinks;
mod source;
mod table;

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use wasmill_core::{Digest, Format, PathError};

use super::mistake::Collector;
use super::place::Place;
use super::raw::{RawBatch, RawPipeline};
use super::units::{DURATION_HINT, SIZE_HINT, duration, duration_text, size, size_text};
use super::{BatchConfig, Config, Environment, From, HealthConfig, HomeConfig, KafkaConfig, SourceConfig};
use claims::{Claims, Use};
use kafka_sink::WrittenTopics;

pub use kafka::TOPICS_MAX;
pub use sinks::SINKS_MAX;
pub use table::COLUMNS_MAX;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// Characters of a pipeline's or sink's name.
const NAME_MAX: usize = 40;

/// What a file may refer to.
pub(super) struct Surroundings<'s> {
    /// Where relative paths begin.
    pub(super) folder: &'s Path,
    /// The variables.
    pub(super) environment: &'s Environment,
}

/// Resolves one file.
struct Resolver<'r> {
    surroundings: &'r Surroundings<'r>,
    mistakes: &'r mut Collector,
    claims: Claims,
    /// What the source reads, once it has been resolved.
    read_kafka: Option<KafkaConfig>,
    /// The topics that are written so far.
    written_topics: Vec<WrittenTopics>,
}

/// The pipeline that `raw` (the same as `root`, typed) describes. `None` only after a mistake.
pub(super) fn resolve(
    raw: &RawPipeline,
    root: Place<'_>,
    surroundings: &Surroundings<'_>,
    digest: Digest,
    mistakes: &mut Collector,
) -> Option<Config> {
    let mut resolver =
        Resolver { surroundings, mistakes, claims: Claims::default(), read_kafka: None, written_topics: Vec::new() };
    let name = resolver.name("a pipeline", &raw.name, root.child("name"));
    let source_place = root.child("source");
    let event_time = resolver.event_time(&raw.source, source_place);
    let source = resolver.source(&raw.source, source_place);
    let format = resolver.format(&raw.source.format, source_place.child("format"));
    let plugins = raw.plugins.as_ref().map(|path| resolver.path(path));
    if plugins.is_none() && !raw.required_plugins.is_empty() {
        let message = "there is no plugin directory that they could be in; add \"plugins\"";
        resolver.wrong::<()>(root.child("required_plugins"), message);
    }
    let batch = resolver.batch(&raw.batch, root.child("batch"));
    let mut sinks = resolver.sinks(&raw.sinks, root.child("sinks"));
    if let (Some(Format::Text), Some(sinks)) = (format, &mut sinks) {
        source::take_raw_as_text(sinks);
    }
    let home = resolver.home(raw, sinks.as_deref(), root);
    let dead_letters = resolver.dead_letters(raw, root.child("dead_letters"));
    let retention = settings::retention(&raw.retention);
    let health = HealthConfig { error_rate_max: raw.health.error_rate_max, lag_max: raw.health.lag_max };
    let engine = resolver.engine(&raw.engine);
    let reverse_dns = resolver.reverse_dns(&raw.lookups.reverse_dns, root.child("lookups").child("reverse_dns"));
    let retry = resolver.retry(&raw.retry, root.child("retry"));
    let admin = resolver.admin(raw.admin.as_ref(), root.child("admin"));
    let most = Duration::from_secs(600);
    let stop = resolver.duration(&raw.shutdown_timeout, root.child("shutdown_timeout"), Duration::ZERO, most);
    let relays_letters =
        raw.dead_letters.is_some() || raw.sinks.0.iter().any(|(_, sink)| sink.from == From::DeadLetters);
    if let (Some(SourceConfig::Kafka(_)), Some(HomeConfig::None), false) = (&source, &home, relays_letters) {
        let message = "rejected events would be lost; add dead_letters: { file: { path: dead.jsonl } }, or a home: { sqlite: { path: home.db } }";
        resolver.mistakes.add(root.key_at("sinks"), message);
    }
    Some(Config {
        name: name?,
        source: source?,
        format: format?,
        event_time: event_time?,
        plugins,
        required_plugins: raw.required_plugins.clone(),
        batch: batch?,
        sinks: sinks?,
        home: home?,
        dead_letters,
        retention,
        health,
        engine,
        reverse_dns: reverse_dns?,
        retry: retry?,
        admin: admin?,
        provenance: raw.provenance,
        shutdown_timeout: stop?,
        digest,
    })
}

impl Resolver<'_> {
    /// Reports a mistake of the value at `place`, unless one has been reported that explains this one too.
    fn wrong<T>(&mut self, place: Place<'_>, message: impl Into<String>) -> Option<T> {
        if !place.is_broken() {
            self.mistakes.add(place.at(), message);
        }
        None
    }

    /// Notes that `user` wants the file at `place` for itself, or shares it as a database.
    fn claim(&mut self, path: &Path, user: &str, usage: Use, place: Place<'_>) {
        if let Err(message) = self.claims.claim(path, user, usage) {
            self.wrong::<()>(place, message);
        }
    }

    fn name(&mut self, whose: &str, name: &str, place: Place<'_>) -> Option<String> {
        if is_name(name) {
            return Some(name.to_owned());
        }
        self.wrong(place, not_a_name(whose, &place.quoted()))
    }

    /// A path of the file, from the file's own folder.
    fn path(&self, path: &str) -> PathBuf {
        normal(&self.surroundings.folder.join(path))
    }

    fn duration(&mut self, text: &str, place: Place<'_>, least: Duration, most: Duration) -> Option<Duration> {
        match duration(text) {
            None => self.wrong(place, format!("{} is no duration; {DURATION_HINT}", place.quoted())),
            Some(value) if !(least..=most).contains(&value) => {
                let (least, most) = (duration_text(least), duration_text(most));
                self.wrong(place, format!("{} must be from {least} to {most}", place.quoted()))
            }
            value => value,
        }
    }

    fn size(&mut self, text: &str, place: Place<'_>, least: u64, most: u64) -> Option<usize> {
        match size(text) {
            None => self.wrong(place, format!("{} is no size; {SIZE_HINT}", place.quoted())),
            Some(value) if !(least..=most).contains(&value) => {
                let (least, most) = (size_text(least), size_text(most));
                self.wrong(place, format!("{} must be from {least} to {most}", place.quoted()))
            }
            Some(value) => Some(count(value)),
        }
    }

    /// A field's path.
    fn field(&mut self, text: &str, place: Place<'_>) -> Option<wasmill_core::Path> {
        match text.parse() {
            Ok(path) => Some(path),
            Err(error) => self.wrong(place, format!("{} {}", place.quoted(), path_problem(&error))),
        }
    }

    fn batch(&mut self, raw: &RawBatch, place: Place<'_>) -> Option<BatchConfig> {
        let bytes_max = self.size(&raw.bytes_max, place.child("bytes_max"), KIB, 64 * MIB);
        let linger = self.duration(&raw.linger, place.child("linger"), Duration::ZERO, Duration::from_secs(60));
        let event_bytes_max = self.size(&raw.event_bytes_max, place.child("event_bytes_max"), KIB, 16 * MIB);
        Some(BatchConfig {
            events_max: count(raw.events_max),
            bytes_max: bytes_max?,
            event_bytes_max: event_bytes_max?,
            linger: linger?,
        })
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_MAX).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

fn not_a_name(whose: &str, name: &str) -> String {
    format!("{name} is no name for {whose}: 1 to {NAME_MAX} of a-z, 0-9, _ and - are allowed")
}

/// What is wrong with a path, without its text, which may come from the environment.
fn path_problem(error: &PathError) -> String {
    match error {
        PathError::EmptyKey(_) => {
            "is no path: a key is empty; write keys joined by single dots, such as source.ip".to_owned()
        }
        PathError::BadEscape(_) => "is no path: after a backslash only a dot or a backslash may stand".to_owned(),
        PathError::TooLong(_) => format!(
            "is too long for a path; {} keys and {} bytes are allowed",
            wasmill_core::PATH_KEYS_MAX,
            wasmill_core::PATH_BYTES_MAX
        ),
    }
}

/// A number that has been checked against a range far below the limits of any machine.
fn count(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// `path` without `.` and, where that is safe, `..`: equal files mostly become equal paths.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_dots() {
        for (path, plain) in
            [("a/./b/../c", "a/c"), ("../a", "../a"), ("/a/../b", "/b"), ("./x", "x"), ("../../x", "../../x")]
        {
            assert_eq!(normal(Path::new(path)), Path::new(plain), "{path}");
        }
    }

    #[test]
    fn names_have_1_to_40_plain_characters() {
        assert!(is_name("a") && is_name(&"a".repeat(NAME_MAX)) && is_name("raw-events_2"));
        assert!(!is_name("") && !is_name(&"a".repeat(NAME_MAX + 1)) && !is_name("A") && !is_name("a.b"));
    }
}
