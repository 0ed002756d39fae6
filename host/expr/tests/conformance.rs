//! The public CEL conformance cases, as far as they fall into the subset.
//!
//! The cases are not part of this repository. Clone `github.com/google/cel-spec` and name its folder
//! `tests/simple/testdata` in the environment variable `CEL_SPEC_TESTDATA`; without it this test says that it did nothing.
//!
//! A case is outside of the subset when the compiler refuses it by name ([`Problem::NotSupported`],
//! [`Problem::UnknownFunction`]), or when it needs protocol buffers, containers, bytes, types or a macro switched off.
//! Every other case has to give exactly the expected value, type included, or an error where one is expected (refused
//! when compiled, or no value when run), but for those in [`DEVIATIONS`], which must still deviate.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of a test may panic, and its numbers are shown")]

#[path = "support/event.rs"]
mod event;
#[path = "support/textproto.rs"]
mod textproto;

use event::Event;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashSet};
use textproto::{Field, Message};
use wasmill_expr::{Constant, Problem, Program, Value};

/// Cases in the subset that this language answers in another way, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    ("logic/AND/short_circuit_type_left", NEVER_BOOLEAN),
    ("logic/AND/short_circuit_type_right", NEVER_BOOLEAN),
    ("logic/OR/short_circuit_type_left", NEVER_BOOLEAN),
    ("logic/OR/short_circuit_type_right", NEVER_BOOLEAN),
];

const NEVER_BOOLEAN: &str = "a literal that is never true or false is refused where one is wanted, as CEL's own checker does (the case turns it off)";

#[test]
fn the_public_cases_within_the_subset_pass() {
    let Some(folder) = std::env::var_os("CEL_SPEC_TESTDATA") else {
        eprintln!(
            "SKIPPED: no CEL conformance case was run; set CEL_SPEC_TESTDATA to cel-spec's tests/simple/testdata"
        );
        return;
    };
    let mut tally = Tally::default();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "textproto")) {
        let file = textproto::read(&std::fs::read_to_string(path).unwrap());
        let stem = path.file_stem().unwrap().to_str().unwrap();
        for section in file.messages("section") {
            for case in section.messages("test") {
                tally.count(format!("{stem}/{}/{}", section.text("name"), case.text("name")), run(case));
            }
        }
    }
    tally.report();
}

#[derive(Default)]
struct Tally {
    passed: usize,
    skipped: BTreeMap<String, usize>,
    failed: Vec<(String, String)>,
    deviated: HashSet<&'static str>,
}

impl Tally {
    fn count(&mut self, name: String, outcome: Outcome) {
        let listed = DEVIATIONS.iter().find(|(deviation, _)| *deviation == name);
        match (outcome, listed) {
            (Outcome::Passed, None) => self.passed += 1,
            (Outcome::Skipped(reason), None) => *self.skipped.entry(reason).or_default() += 1,
            (Outcome::Failed(_), Some((deviation, _))) => _ = self.deviated.insert(deviation),
            (Outcome::Failed(how), None) => self.failed.push((name, how)),
            (_, Some(_)) => self.failed.push((name, "is listed as a deviation, but is none".to_owned())),
        }
    }

    fn report(&self) {
        let skipped: usize = self.skipped.values().sum();
        let run = self.passed + self.deviated.len() + self.failed.len();
        println!("{} cases: {run} in the subset, {} passed, {skipped} outside", run + skipped, self.passed);
        for (reason, count) in &self.skipped {
            println!("  outside: {count:4} {reason}");
        }
        for (name, reason) in DEVIATIONS {
            println!("  deviates: {name}: {reason}");
        }
        for (name, how) in &self.failed {
            println!("  FAILED: {name}: {how}");
        }
        assert!(self.failed.is_empty(), "{} cases failed", self.failed.len());
        assert_eq!(self.deviated.len(), DEVIATIONS.len(), "a listed deviation was not met");
        assert!(self.passed > 100, "too few cases for the real files");
    }
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

fn run(case: &Message) -> Outcome {
    match outside(case).map_or_else(|| verdict(case), |reason| Err(Outcome::Skipped(reason.to_owned()))) {
        Ok(()) => Outcome::Passed,
        Err(outcome) => outcome,
    }
}

/// Why a case cannot be asked, by what surrounds its expression.
fn outside(case: &Message) -> Option<&'static str> {
    let has = |field: &str| case.all(field).next().is_some();
    if has("container") {
        Some("resolves names in a container")
    } else if has("check_only") {
        Some("checks types only")
    } else if has("disable_macros") {
        Some("switches macros off")
    } else if has("unknown") || has("any_unknowns") || has("any_eval_errors") {
        Some("expects one of several outcomes")
    } else {
        None
    }
}

fn verdict(case: &Message) -> Result<(), Outcome> {
    let expected = expected(case)?;
    let document = bindings(case)?;
    let source = case.text("expr");
    let program = match Program::compile(&source) {
        Ok(program) => program,
        Err(error) => {
            return match error.problem {
                Problem::NotSupported { what, .. } => Err(Outcome::Skipped(format!("{what} not in the subset"))),
                Problem::UnknownFunction(name) => Err(Outcome::Skipped(format!("calls {name}()"))),
                _ if expected.is_none() => Ok(()),
                _ => Err(Outcome::Failed(format!("{source} was refused: {error}"))),
            };
        }
    };
    let event = Event::new(&document, program.columns());
    match (program.evaluate(&event), expected) {
        (Err(_), None) => Ok(()),
        (Ok(value), Some(expected)) if is_same(value, &expected) => Ok(()),
        (found, expected) => Err(Outcome::Failed(format!("{source} is {found:?} instead of {expected:?}"))),
    }
}

/// The expected value; `None` where an error is expected.
fn expected(case: &Message) -> Result<Option<Constant>, Outcome> {
    if case.message("eval_error").is_some() {
        return Ok(None);
    }
    let typed = case.message("typed_result").and_then(|typed| typed.message("result"));
    match case.message("value").or(typed) {
        Some(value) => constant(value).map(Some),
        None => Ok(Some(Constant::Bool(true))), // the files' own default
    }
}

fn constant(value: &Message) -> Result<Constant, Outcome> {
    let (name, field) = value.0.first().ok_or_else(|| Outcome::Skipped("expects an unset value".to_owned()))?;
    Ok(match (name.as_str(), field) {
        ("null_value", _) => Constant::Null,
        ("bool_value", Field::Scalar(word)) => Constant::Bool(word == "true"),
        ("int64_value", Field::Scalar(word)) => Constant::Int(word.parse().unwrap()),
        ("uint64_value", Field::Scalar(word)) => Constant::UInt(word.parse().unwrap()),
        ("double_value", Field::Scalar(word)) => Constant::Float(word.parse().unwrap()),
        ("string_value", Field::Text(bytes)) => Constant::Text(String::from_utf8(bytes.clone()).unwrap().into()),
        ("list_value", Field::Message(list)) => {
            Constant::List(list.messages("values").map(constant).collect::<Result<_, _>>()?)
        }
        (other, _) => return Err(Outcome::Skipped(format!("has a {other}"))),
    })
}

/// The case's variables as an event.
fn bindings(case: &Message) -> Result<Json, Outcome> {
    let mut document = Map::new();
    for binding in case.messages("bindings") {
        let value = binding.message("value").and_then(|value| value.message("value"));
        let value = json(value.ok_or_else(|| Outcome::Skipped("binds no value".to_owned()))?)?;
        let mut object = &mut document;
        let name = binding.text("key");
        let mut keys: Vec<&str> = name.split('.').collect();
        let last = keys.pop().unwrap();
        for key in keys {
            let inner = object.entry(key).or_insert_with(|| Json::Object(Map::new()));
            object =
                inner.as_object_mut().ok_or_else(|| Outcome::Skipped("binds a name and one below it".to_owned()))?;
        }
        if object.insert(last.to_owned(), value).is_some() {
            return Err(Outcome::Skipped("binds a name and one below it".to_owned()));
        }
    }
    Ok(Json::Object(document))
}

fn json(value: &Message) -> Result<Json, Outcome> {
    if let Some(map) = value.message("map_value") {
        let entries = map.messages("entries").map(|entry| {
            let key = entry.message("key").expect("an entry has a key");
            match (key.0.first(), entry.message("value")) {
                (Some((kind, Field::Text(_))), Some(value)) if kind == "string_value" => {
                    Ok((key.text("string_value"), json(value)?))
                }
                _ => Err(Outcome::Skipped("binds a map with keys that are no text".to_owned())),
            }
        });
        return entries.collect::<Result<Map<_, _>, _>>().map(Json::Object);
    }
    from_constant(&constant(value)?)
}

fn from_constant(constant: &Constant) -> Result<Json, Outcome> {
    Ok(match constant {
        Constant::Null => Json::Null,
        Constant::Bool(boolean) => (*boolean).into(),
        Constant::Int(integer) => (*integer).into(),
        Constant::UInt(_) => return Err(Outcome::Skipped("binds a uint, which JSON does not have".to_owned())),
        Constant::Float(float) if float.is_finite() => (*float).into(),
        Constant::Float(_) => return Err(Outcome::Skipped("binds a double that JSON does not have".to_owned())),
        Constant::Text(text) => (**text).into(),
        Constant::List(items) => items.iter().map(from_constant).collect::<Result<Vec<_>, _>>()?.into(),
    })
}

/// Equality with the type, and with NaN equal to itself.
fn is_same(value: Value<'_>, expected: &Constant) -> bool {
    match (value, expected) {
        (Value::Float(a), Constant::Float(b)) => a == *b || a.is_nan() && b.is_nan(),
        (Value::Text(_) | Value::Escaped(_), Constant::Text(text)) => value.text().is_ok_and(|found| found == **text),
        (Value::Json(token), Constant::List(_)) => {
            from_constant(expected).ok() == serde_json::from_str::<Json>(token).ok()
        }
        _ => value == expected.value(),
    }
}
