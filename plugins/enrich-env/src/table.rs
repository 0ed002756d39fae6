//! The config, ready to be applied: one row of cells per source that is known, and one for all others. Constants are part of
//! each row, so an event costs one look-up and no decision.

use std::collections::BTreeMap;

use wasmill_sdk::{Cell, Field, Kind, Prepare, TextMap};

use crate::config::{Config, Constant};

/// Values by the path of their field.
type Values = BTreeMap<String, Constant>;

/// The paths that the plugin's own output takes.
const OWN_PATHS: [&str; 2] = ["metadata.enriched_at", "metadata.enrichment_version"];

/// The prepared config.
pub struct Table {
    field: Option<String>,
    writes: Vec<Field>,
    rows: TextMap<Vec<Cell>>,
    row_of_others: Vec<Cell>,
    pub(crate) writes_enriched_at: bool,
    pub(crate) enrichment_version: Option<String>,
}

impl Prepare for Table {
    type Config = Config;

    fn prepare(config: Config) -> Result<Self, String> {
        let mut constants = config.constants;
        if let Some(env) = &config.env
            && constants.insert("env".to_owned(), Constant::text(env)).is_some()
        {
            return Err("`env` is set, and is a constant too: remove one of them".into());
        }
        let (field, table, default) = match config.lookup {
            Some(lookup) => (Some(lookup.field), lookup.table, lookup.default),
            None => (None, BTreeMap::new(), Values::new()),
        };
        if field.is_some() && table.is_empty() {
            return Err("`lookup.table` is empty: name at least one source, or remove `lookup`".into());
        }
        let all: Vec<&Values> = [&constants, &default].into_iter().chain(table.values()).collect();
        let writes = columns(&all)?;
        let row = |values: &Values| row(&writes, values, &constants);
        Ok(Table {
            rows: table.iter().map(|(source, values)| (source, row(values))).collect(),
            row_of_others: row(&default),
            field,
            writes_enriched_at: config.enriched_at,
            enrichment_version: config.enrichment_version,
            writes,
        })
    }

    fn reads(&self) -> Vec<Field> {
        self.field.iter().map(|field| Field::new(field.clone(), Kind::Text)).collect()
    }

    fn writes(&self) -> Vec<Field> {
        self.writes.clone()
    }
}

impl Table {
    /// What is written to an event of this source.
    #[inline]
    pub(crate) fn row(&self, source: Option<&str>) -> &[Cell] {
        source.and_then(|source| self.rows.get(source)).unwrap_or(&self.row_of_others)
    }
}

/// The fields that any row writes, each with the kind that holds all of its values.
fn columns(rows: &[&Values]) -> Result<Vec<Field>, String> {
    let mut kinds: BTreeMap<&str, Option<Kind>> = BTreeMap::new();
    for (path, value) in rows.iter().flat_map(|row| row.iter()) {
        let kind = kinds.entry(path).or_default();
        *kind = match (*kind, value.cell.kind()) {
            (Some(known), Some(own)) if known != own => Some(Kind::Json),
            (known, own) => known.or(own),
        };
    }
    check_paths(kinds.keys().copied())?;
    Ok(kinds.into_iter().map(|(path, kind)| Field::new(path.to_owned(), kind.unwrap_or(Kind::Text))).collect())
}

/// Refuses paths that cannot be written together.
fn check_paths<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> Result<(), String> {
    let written = paths.clone().chain(OWN_PATHS);
    for path in paths {
        let clashes = |other: &str| is_inside(other, path) || is_inside(path, other);
        if let Some(other) = written.clone().find(|other| clashes(other)) {
            return Err(format!("`{path}` and `{other}` cannot both be written: one is inside of the other"));
        }
        if OWN_PATHS.contains(&path) {
            return Err(format!("`{path}` is written by the plugin itself: remove it, or write to another path"));
        }
    }
    Ok(())
}

/// Whether `inner` lies below `outer`.
fn is_inside(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'))
}

/// A cell per column: the row's own value, else the constant, else the event keeps what it has.
fn row(columns: &[Field], values: &Values, constants: &Values) -> Vec<Cell> {
    let cell_of = |column: &Field| match values.get(&*column.path).or_else(|| constants.get(&*column.path)) {
        None => Cell::Keep,
        Some(Constant { cell, .. }) if cell.kind().is_none_or(|kind| kind == column.kind) => cell.clone(),
        Some(Constant { token, .. }) => Cell::Json(token.clone()),
    };
    columns.iter().map(cell_of).collect()
}
