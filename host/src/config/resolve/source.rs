//! Sources: what is read, and what its events are.

use wasmill_core::{EventTime, Format};

use super::Resolver;
use super::claims::Use;
use crate::config::mistake::nearest;
use crate::config::place::Place;
use crate::config::raw::RawSource;
use crate::config::{ColumnType, SinkConfig, SinkKind, SourceConfig, ValueFrom};

/// Compressed files by their endings that are not read. Those of gzip and Zstandard are known by their first bytes.
const OTHER_COMPRESSION: [&str; 4] = [".bz2", ".xz", ".lz4", ".zip"];
const FORMATS: [(&str, Format); 2] = [("json", Format::Json), ("text", Format::Text)];
/// Formats that people will ask for, and what to do.
const NOT_READ: [(&str, &str); 3] =
    [("avro", AS_JSON), ("protobuf", AS_JSON), ("csv", "write text, and take the line apart in a plugin")];
const AS_JSON: &str = "have it turned into JSON before, Kafka Connect can do that";

impl Resolver<'_> {
    pub(super) fn event_time(&mut self, raw: &RawSource, source: Place<'_>) -> Option<EventTime> {
        match &raw.event_time {
            None => Some(EventTime::Record),
            Some(path) => self.field(path, source.child("event_time")).map(EventTime::Field),
        }
    }

    pub(super) fn source(&mut self, raw: &RawSource, place: Place<'_>) -> Option<SourceConfig> {
        if let Some(kafka) = &raw.kafka {
            let kafka = self.kafka(kafka, place.child("kafka"))?;
            self.read_kafka = Some(kafka.clone());
            return Some(SourceConfig::Kafka(kafka));
        }
        let Some(file) = &raw.file else { return raw.stdin.as_ref().map(|_| SourceConfig::Stdin) };
        let path_place = place.child("file").child("path");
        if let Some(ending) = OTHER_COMPRESSION.iter().find(|ending| file.path.ends_with(**ending)) {
            let message = format!(
                "files compressed so ({ending}) cannot be read, those of gzip and Zstandard can; decompress it first, or into the source stdin"
            );
            return self.wrong(path_place, message);
        }
        let path = self.path(&file.path);
        self.claim(&path, "the source", Use::Alone, path_place);
        Some(SourceConfig::File { path })
    }

    pub(super) fn format(&mut self, text: &str, place: Place<'_>) -> Option<Format> {
        let known = FORMATS.iter().find(|(word, _)| *word == text);
        if let Some((_, format)) = known {
            return Some(*format);
        }
        let asked = text.to_ascii_lowercase();
        let meant = match NOT_READ.iter().find(|(word, _)| *word == asked) {
            Some((_, instead)) => (*instead).to_owned(),
            None => match nearest(text, FORMATS.iter().map(|(word, _)| *word)) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => "write json or text".to_owned(),
            },
        };
        self.wrong(place, format!("{} is no format of events here; {meant}", place.quoted()))
    }
}

/// A column that takes a text's line from `$raw` is a text, unless the file or the table says otherwise.
pub(super) fn take_raw_as_text(sinks: &mut [SinkConfig]) {
    for sink in sinks {
        let table = match &mut sink.kind {
            SinkKind::Postgres { table, .. } if table.create => table,
            SinkKind::Sqlite { table, .. } => table,
            _ => continue,
        };
        for column in table.columns.iter_mut().filter(|column| column.from == ValueFrom::Raw) {
            column.column_type.get_or_insert(ColumnType::Text);
        }
    }
}
