//! Tables of SQL sinks: names, columns and where their values come from.

use super::Resolver;
use crate::config::mistake::{instead, quoted};
use crate::config::place::Place;
use crate::config::raw::RawTable;
use crate::config::{ColumnConfig, ColumnType, Identifier, OnDuplicate, TableConfig, TableName, ValueFrom};

/// Columns of one table.
pub const COLUMNS_MAX: usize = 500;

const HEADERS: &str = "$headers.";
const WORDS: [(&str, ValueFrom); 9] = [
    ("$raw", ValueFrom::Raw),
    ("$payload", ValueFrom::Payload),
    ("$key", ValueFrom::Key),
    ("$topic", ValueFrom::Topic),
    ("$partition", ValueFrom::Partition),
    ("$offset", ValueFrom::Offset),
    ("$timestamp", ValueFrom::Timestamp),
    ("$digest", ValueFrom::Digest),
    ("$skipped", ValueFrom::Skipped),
];

impl Resolver<'_> {
    pub(super) fn table(&mut self, raw: &RawTable<'_>, hypertable: bool, place: Place<'_>) -> Option<TableConfig> {
        let name = self.table_name(raw.name, place.child("table"));
        let columns = self.columns(raw, place.child("columns"));
        let time = match raw.time {
            Some(time) => self.time_column(time, raw, columns.as_deref(), place).map(Some),
            None if hypertable && raw.create => {
                let at = place.key_at("create");
                self.mistakes.add(at, "a hypertable needs its time column; add for example: time: at");
                None
            }
            None => Some(None),
        };
        let key = self.row_key(raw, hypertable, place);
        Some(TableConfig {
            name: name?,
            create: raw.create,
            time: time?,
            columns: columns?,
            key: key?,
            on_duplicate: raw.on_duplicate,
        })
    }

    fn table_name(&mut self, name: &str, place: Place<'_>) -> Option<TableName> {
        match name.parse() {
            Ok(name) => Some(name),
            Err(_) => {
                let message = format!(
                    "{} is no table: write name or schema.name, 1 to 63 bytes each, no control characters",
                    place.quoted()
                );
                self.wrong(place, message)
            }
        }
    }

    fn columns(&mut self, raw: &RawTable<'_>, place: Place<'_>) -> Option<Vec<ColumnConfig>> {
        let case_sensitive = raw.case_sensitive;
        let raw = &raw.columns.0;
        if raw.len() > COLUMNS_MAX {
            return self.wrong(place, format!("{} columns are given, and {COLUMNS_MAX} are allowed", raw.len()));
        }
        let mut columns = Vec::new();
        let mut sound = true;
        for (index, (name, column)) in raw.iter().enumerate() {
            let same = |(other, _): &&(String, _)| !case_sensitive && other.eq_ignore_ascii_case(name);
            if let Some((other, _)) = raw[..index].iter().find(same) {
                let message =
                    format!("the columns {} and {} differ only in case; rename one", quoted(other), quoted(name));
                self.mistakes.add(place.key_at(name), message);
                sound = false;
            }
            let identifier = name.parse::<Identifier>();
            if identifier.is_err() {
                let message =
                    format!("{} is no column: 1 to 63 bytes without control characters are allowed", quoted(name));
                self.mistakes.add(place.key_at(name), message);
            }
            let (from, column_type) = column.parts();
            let from = self.value_from(from, place.child(name).child("from"));
            match (identifier, from) {
                (Ok(name), Some(from)) => columns.push(ColumnConfig { name, from, column_type }),
                _ => sound = false,
            }
        }
        sound.then_some(columns)
    }

    fn value_from(&mut self, text: &str, place: Place<'_>) -> Option<ValueFrom> {
        if !text.starts_with('$') {
            return self.field(text, place).map(ValueFrom::Path);
        }
        if let Some((_, from)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Some(from.clone());
        }
        match text.strip_prefix(HEADERS) {
            Some("") => self.wrong(place, "a header's name is missing; write $headers.NAME"),
            Some(name) => Some(ValueFrom::Header(name.to_owned())),
            None => {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).chain(["$headers.NAME"]).collect();
                self.wrong(place, format!("unknown word {}; {}", place.quoted(), instead(text, &words)))
            }
        }
    }

    /// The columns that tell one row from another.
    fn row_key(&mut self, raw: &RawTable<'_>, hypertable: bool, table: Place<'_>) -> Option<Vec<Identifier>> {
        let place = table.child("key");
        if raw.key.is_empty() && raw.on_duplicate != OnDuplicate::Reject {
            let at = table.key_at("on_duplicate");
            self.mistakes.add(at, "which rows are duplicates is said by `key`; add for example: key: [id]");
            return None;
        }
        let names: Vec<&str> = raw.columns.0.iter().map(|(name, _)| name.as_str()).collect();
        let mut key = Vec::with_capacity(raw.key.len());
        for (index, name) in raw.key.iter().enumerate() {
            let item = place.item(index);
            if raw.key[..index].contains(name) {
                return self.wrong(item, format!("the column {} is given twice", item.quoted()));
            }
            if !names.contains(&name.as_str()) {
                return self.wrong(item, format!("no column is called {}; {}", item.quoted(), instead(name, &names)));
            }
            key.extend(name.parse::<Identifier>().ok());
        }
        match raw.time {
            Some(time) if hypertable && !key.is_empty() && !raw.key.iter().any(|name| name == time) => {
                let message = format!("the key of a hypertable includes its time column; add {} to it", quoted(time));
                self.wrong(place, message)
            }
            _ => Some(key),
        }
    }

    fn time_column(
        &mut self,
        time: &str,
        raw: &RawTable<'_>,
        columns: Option<&[ColumnConfig]>,
        table: Place<'_>,
    ) -> Option<Identifier> {
        let (place, columns_place) = (table.child("time"), table.child("columns"));
        let names: Vec<&str> = raw.columns.0.iter().map(|(name, _)| name.as_str()).collect();
        if place.is_broken() || columns_place.is_broken() {
            return None;
        }
        if !names.contains(&time) {
            return self.wrong(place, format!("no column is called {}; {}", place.quoted(), instead(time, &names)));
        }
        let column = columns?.iter().find(|column| column.name.as_str() == time)?;
        let is_time = match column.column_type {
            Some(column_type) => column_type == ColumnType::TimestampTz,
            None => column.from == ValueFrom::Timestamp,
        };
        if raw.create && !is_time {
            let message =
                format!("the time column {} must be made as timestamptz; add type: timestamptz to it", place.quoted());
            return self.wrong(place, message);
        }
        Some(column.name.clone())
    }
}
