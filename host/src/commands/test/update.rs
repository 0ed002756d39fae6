//! Writing into a fixture what came of it, to be looked at and kept.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value};

use super::Results;
use crate::config::{Config, Fixture, From};

/// What is another one of an alert with each build of its plugin, or each place of the fixture.
const FLEETING: [&str; 3] = ["id", "origin", "plugin"];

/// Replaces what the file expects, which is its last part.
///
/// # Errors
/// When the file cannot be read or written.
pub(super) fn write(file: &Path, config: &Config, fixture: &Fixture, results: &Results) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let is_of_alerts = |name: &str| config.sinks.iter().any(|sink| sink.name == name && sink.from == From::Alerts);
    let text = updated(&text, fixture, results, is_of_alerts);
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn updated(text: &str, fixture: &Fixture, results: &Results, is_of_alerts: impl Fn(&str) -> bool) -> String {
    let kept: Vec<&str> = text.lines().take_while(|line| !line.starts_with("expect:")).collect();
    let mut written = kept.join("\n").trim_end().to_owned();
    written.push_str("\nexpect:\n");
    for (sink, rows) in results {
        let named = named(fixture, sink);
        written.push_str(&format!("  {}:", Value::from(sink.as_str())));
        if rows.is_empty() {
            written.push_str(" []");
        }
        written.push('\n');
        for row in rows {
            written.push_str(&format!("    - {}\n", shortened(row, named.as_ref(), is_of_alerts(sink))));
        }
    }
    written
}

/// The columns that the fixture names for a sink; `None` where it names none.
fn named<'f>(fixture: &'f Fixture, sink: &str) -> Option<BTreeSet<&'f String>> {
    let rows = fixture.expect.iter().find(|(name, _)| name == sink).map(|(_, rows)| rows)?;
    let columns: BTreeSet<&String> = rows.iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    (!columns.is_empty()).then_some(columns)
}

/// The columns that are named, else those that stay the same.
fn shortened(row: &Value, named: Option<&BTreeSet<&String>>, is_alert: bool) -> Value {
    let Some(columns) = row.as_object() else { return row.clone() };
    let is_kept = |column: &String| match named {
        Some(named) => named.contains(column),
        None => !(is_alert && FLEETING.contains(&column.as_str())),
    };
    columns
        .iter()
        .filter(|(column, _)| is_kept(column))
        .map(|(column, value)| (column.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expectation_is_replaced_and_keeps_its_columns() {
        let fixture = Fixture { events: Vec::new(), expect: vec![("rows".to_owned(), vec![json!({ "n": 1 })])] };
        let results = vec![
            ("rows".to_owned(), vec![json!({ "n": 2, "m": 3 })]),
            ("alerts".to_owned(), vec![json!({ "id": "a1", "rule": "r", "none": null })]),
            ("dead_letters".to_owned(), Vec::new()),
        ];
        let text =
            updated("# why\nevents: []\n\nexpect:\n  rows: [{ n: 1 }]\n", &fixture, &results, |name| name == "alerts");
        let expected = "# why\nevents: []\nexpect:\n  \"rows\":\n    - {\"n\":2}\n  \"alerts\":\n    - {\"none\":null,\"rule\":\"r\"}\n  \
                        \"dead_letters\": []\n";
        assert_eq!(text, expected);
    }
}
