//! Dead letters worked on by hand, as an operator does it: by `wasmill dlq`.

use serde_json::Value;

use crate::pipeline::{PATIENCE, Pipeline, Ran};

/// Runs `wasmill dlq COMMAND pipeline.yaml` with these arguments to its end.
pub fn dlq(pipeline: &Pipeline, command: &str, arguments: &[&str]) -> Ran {
    pipeline.start_with(&all(command, arguments), b"").wait(PATIENCE)
}

/// The whole of such a command's arguments.
pub fn all<'a>(command: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    ["dlq", command, "pipeline.yaml"].into_iter().chain(arguments.iter().copied()).collect()
}

/// The objects that it prints, one a line.
///
/// # Panics
/// When it fails, or prints something else.
pub fn objects(pipeline: &Pipeline, command: &str, arguments: &[&str]) -> Vec<Value> {
    let ran = dlq(pipeline, command, &[arguments, &["--format", "json"]].concat());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// The numbers that a replay ends with: replayed, rejected again, parked, left as they are.
///
/// # Panics
/// When it fails.
pub fn replay(pipeline: &Pipeline, arguments: &[&str]) -> [u64; 4] {
    let ran = dlq(pipeline, "replay", &[arguments, &["--format", "json"]].concat());
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    counts(&ran)
}

/// The same of one that has ended.
///
/// # Panics
/// When it printed none.
pub fn counts(ran: &Ran) -> [u64; 4] {
    let counts = &ran.report()["counts"];
    ["replayed", "rejected", "parked", "skipped"].map(|name| counts[name].as_u64().expect("a number"))
}

/// What is listed, as these members of each letter.
///
/// # Panics
/// When it fails.
pub fn listed(pipeline: &Pipeline, arguments: &[&str], members: &[&str]) -> Vec<Vec<String>> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let letters = objects(pipeline, "list", arguments);
    letters.iter().map(|letter| members.iter().map(|member| text(&letter[*member])).collect()).collect()
}
