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

/// Groups of which some cases are answered in another way: the file, the group, how many cases, and why.
const DEVIATIONS: &[(&str, &str, usize, &str)] = &[
    (
        "optional/cross-draft.json",
        "refs to historic drafts are processed as historic drafts",
        1,
        "of the dialects only 2020-12 is known; a document of another one is refused",
    ),
    ("optional/format/hostname.json", "validation of A-label (punycode) host names", 23, PUNYCODE),
    ("optional/format/idn-hostname.json", "validation of internationalized host names", 70, IDN),
    ("optional/format/idn-hostname.json", "validation of separators in internationalized host names", 20, IDN),
    ("optional/format/unknown.json", "unknown format", 7, "an unknown format is refused where formats are asserted"),
];

const PUNYCODE: &str = "what a label stands for that begins with `xn--` is not looked at";
const IDN: &str =
    "the format `idn-hostname` is refused where formats are asserted, since its rules are tables of Unicode";

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
    paths
        .into_iter()
        .flat_map(below)
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect()
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
    /// By required, optional or format: passed, not passed.
    counts: BTreeMap<&'static str, (usize, usize)>,
    /// By file and group.
    failed: BTreeMap<(String, String), Vec<String>>,
}

impl Tally {
    fn group(&mut self, file: &str, group: &Group, schemas: &str) {
        let kind = if file.starts_with("optional/format/") {
            "formats"
        } else if file.starts_with("optional/") {
            "optional"
        } else {
            "required"
        };
        let formats = if kind == "formats" { "assert" } else { "annotate" };
        let config = format!(r#"{{"schema":{},"schemas":{{{schemas}}},"formats":"{formats}"}}"#, group.schema.0);
        let plugin = Loaded::<validate_schema>::configure(&config);
        for case in &group.tests {
            let answer = plugin.as_ref().map(|plugin| plugin.validate_json(&[case.data.0.as_str()])[0].is_pass());
            let (passed, others) = self.counts.entry(kind).or_default();
            if answer == Ok(case.valid) {
                *passed += 1;
            } else {
                *others += 1;
                let cases = self.failed.entry((file.to_owned(), group.description.clone())).or_default();
                cases.push(format!("{}: {answer:?}", case.description));
            }
        }
    }

    fn report(mut self) {
        for (kind, (passed, others)) in &self.counts {
            println!("{kind}: {passed} of {} cases pass", passed + others);
        }
        let mut wrong = Vec::new();
        for (file, group, expected, reason) in DEVIATIONS {
            let cases = self.failed.remove(&((*file).to_owned(), (*group).to_owned())).unwrap_or_default();
            println!("  {} deviate: {file}: {group}: {reason}", cases.len());
            if cases.len() != *expected {
                wrong.push(format!("{file}: {group}: {} cases deviate, not {expected}: {cases:?}", cases.len()));
            }
        }
        wrong.extend(self.failed.iter().map(|((file, group), cases)| format!("{file}: {group}: {cases:?}")));
        assert!(wrong.is_empty(), "answered in another way:\n  {}", wrong.join("\n  "));
        let passed: usize = self.counts.values().map(|(passed, _)| passed).sum();
        assert!(passed > 1_000, "too few cases for the real files");
    }
}
