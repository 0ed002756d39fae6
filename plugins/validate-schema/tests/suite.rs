//! The public test suite of JSON Schema, as far as it is about 2020-12.
//!
//! The cases are not part of this repository. Clone `github.com/json-schema-org/JSON-Schema-Test-Suite` and name its folder in the
//! environment variable `JSON_SCHEMA_TEST_SUITE`; without it this test says that it did nothing.
//!
//! Every case has to be answered as the suite says, but for those in [`DEVIATIONS`], which must still deviate. Formats are asserted
//! in the folder that is about them, and nowhere else.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of a test may panic, and its numbers are shown")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use validate_schema::validate_schema;
use wasmill_sdk::{Config, ConfigError, ConfigValue, FromConfig, Loaded, Prepare};

/// Groups of cases that are answered in another way, and why: the file, and the beginning of the group's or the case's description.
const DEVIATIONS: &[(&str, &str, &str)] = &[];

#[test]
fn the_public_cases_pass() {
    let Some(folder) = std::env::var_os("JSON_SCHEMA_TEST_SUITE").map(PathBuf::from) else {
        eprintln!(
            "SKIPPED: no case of the public suite was run; set JSON_SCHEMA_TEST_SUITE to a clone of \
             github.com/json-schema-org/JSON-Schema-Test-Suite"
        );
        return;
    };
    let schemas = remotes(&folder.join("remotes"));
    let mut tally = Tally::default();
    for file in files(&folder.join("tests/draft2020-12")) {
        let name = file.strip_prefix(folder.join("tests/draft2020-12")).unwrap().display().to_string();
        for group in read(&file) {
            tally.group(&name, &group, &schemas);
        }
    }
    tally.report();
}

/// A JSON value, as it stands in the file: no number goes through a float.
struct Token(String);

impl FromConfig for Token {
    fn from_value(value: ConfigValue<'_>) -> Result<Self, ConfigError> {
        Ok(Token(value.token()))
    }
}

#[derive(Config)]
struct File {
    groups: Vec<Group>,
}

#[derive(Config)]
#[allow(dead_code, reason = "keys that the suite has")]
struct Group {
    description: String,
    schema: Token,
    tests: Vec<Case>,
    comment: Option<Token>,
    specification: Option<Token>,
}

#[derive(Config)]
#[allow(dead_code, reason = "keys that the suite has")]
struct Case {
    description: String,
    data: Token,
    valid: bool,
    comment: Option<Token>,
}

fn read(file: &Path) -> Vec<Group> {
    let text = fs::read_to_string(file).unwrap();
    let file_in_object = format!(r#"{{"groups":{text}}}"#);
    File::from_json(&file_in_object).unwrap_or_else(|why| panic!("{}: {why}", file.display())).groups
}

/// Every JSON file in a folder and below, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(below).filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// The schemas that the suite would have served on its port, as the config gives them.
fn remotes(folder: &Path) -> String {
    let of_the_dialect = folder.join("draft2020-12");
    let schema = |file: PathBuf| {
        let path = file.strip_prefix(folder).unwrap().display().to_string();
        format!(r#""http://localhost:1234/{path}":{}"#, fs::read_to_string(&file).unwrap())
    };
    files(&of_the_dialect).into_iter().map(schema).collect::<Vec<_>>().join(",")
}

#[derive(Default)]
struct Tally {
    /// By required or optional: passed, deviated.
    counts: BTreeMap<&'static str, (usize, usize)>,
    failed: Vec<String>,
    deviated: Vec<&'static str>,
}

impl Tally {
    fn group(&mut self, file: &str, group: &Group, schemas: &str) {
        let formats = if file.starts_with("optional/format/") { "assert" } else { "annotate" };
        let config =
            format!(r#"{{"schema":{},"schemas":{{{schemas}}},"formats":"{formats}"}}"#, group.schema.0);
        let plugin = Loaded::<validate_schema>::configure(&config);
        for case in &group.tests {
            let answer = plugin.as_ref().map(|plugin| plugin.validate_json(&[case.data.0.as_str()])[0].is_pass());
            let how = match &answer {
                Ok(valid) if *valid == case.valid => None,
                Ok(valid) => Some(format!("answered {valid}")),
                Err(why) => Some(format!("refused: {why}")),
            };
            self.count(file, &format!("{}: {}", group.description, case.description), how);
        }
    }

    fn count(&mut self, file: &str, name: &str, how: Option<String>) {
        let is_listed = |(path, prefix, _): &&(&str, &str, &str)| *path == file && name.starts_with(prefix);
        let listed = DEVIATIONS.iter().find(is_listed);
        let kind = if file.starts_with("optional/format/") {
            "formats"
        } else if file.starts_with("optional/") {
            "optional"
        } else {
            "required"
        };
        let (passed, deviated) = self.counts.entry(kind).or_default();
        match (how, listed) {
            (None, None) => *passed += 1,
            (Some(_), Some((_, _, reason))) => {
                *deviated += 1;
                self.deviated.push(reason);
            }
            (Some(how), None) => self.failed.push(format!("{file}: {name}: {how}")),
            (None, Some(_)) => self.failed.push(format!("{file}: {name}: is listed as a deviation, but is none")),
        }
    }

    fn report(&self) {
        for (kind, (passed, deviated)) in &self.counts {
            println!("{kind}: {passed} passed, {deviated} deviate");
        }
        for (file, prefix, reason) in DEVIATIONS {
            println!("  deviates: {file}: {prefix}: {reason}");
        }
        for failed in &self.failed {
            println!("  FAILED: {failed}");
        }
        assert!(self.failed.is_empty(), "{} cases failed", self.failed.len());
        assert!(self.counts.values().map(|(passed, _)| passed).sum::<usize>() > 1_000, "too few cases for the real files");
    }
}
