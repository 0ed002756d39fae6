//! Plugins in JavaScript and Python: templates and examples are built by the tools of their languages, tested by their own tests, and run by the harness.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use wasmill_harness::Harness;
use wasmill_tests::pipeline::{Pipeline, Ran, root};
use wasmill_tests::services::has_packages;
use xtask::services::{node_modules, python_environment};

/// Building and compiling a language takes its time, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(600);

/// A language, and a validator in it that throws on `THROW`, prints on `PRINT`, never ends on `LOOP`, and asks for what is not there.
struct Language {
    word: &'static str,
    install: fn(&Path) -> Result<()>,
    source: &'static str,
    faulty: &'static str,
    /// What it asks for, by the text of the event; the code of what becomes of that, and some of its reason.
    asked: &'static [(&'static str, &'static str, &'static str)],
    limits: fn() -> Value,
}

const JAVASCRIPT: Language = Language {
    word: "js",
    install: node_modules,
    source: "plugin.js",
    faulty: r#"
import { PASS, defineValidator, reject } from "./wasmill/wasmill.js";
const asked = {
  CLOCK: () => Date.now(),
  DATE: () => new Date(),
  STOPWATCH: () => performance.now(),
  TIMER: () => setTimeout(() => {}, 1),
  CHANCE: () => Math.random(),
  KEY: () => crypto.randomUUID(),
  EPOCH: () => new Date(0).toISOString(),
};
const check = ({ text }) => {
  if (text in asked) return reject("told", `${asked[text]()}`);
  if (text === "THROW") throw new Error("this went wrong");
  if (text === "PRINT") console.warn("printed");
  while (text === "LOOP");
  return text === "NOTHING" ? undefined : PASS;
};
const reads = { text: { kind: "text", required: true } };
export const { plugin, validator } = defineValidator({ name: "faulty", version: "0.1.0", reads, check });
"#,
    asked: &[
        ("CLOCK", "trap", "there is no clock in a plugin: read the event's own time"),
        ("DATE", "trap", "there is no clock in a plugin: read the event's own time"),
        ("STOPWATCH", "trap", "there is no clock in a plugin: read the event's own time"),
        ("TIMER", "trap", "there is no timer in a plugin"),
        ("CHANCE", "trap", "there is no chance in a plugin: derive the number from the event"),
        ("KEY", "trap", "there is no chance in a plugin: derive the number from the event"),
        ("EPOCH", "told", "1970-01-01T00:00:00.000Z"),
    ],
    limits: || json!({}),
};

const PYTHON: Language = Language {
    word: "python",
    install: python_environment,
    source: "plugin.py",
    faulty: r#"
import os
import random
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from wasmill import PASS, reject, validator

ASKED = {
    "CLOCK": time.time,
    "DATE": datetime.now,
    "STOPWATCH": time.monotonic,
    "TIMER": lambda: time.sleep(0.001),
    "CHANCE": random.random,
    "KEY": lambda: os.urandom(16),
    "EPOCH": lambda: time.strftime("%Y-%m-%d", time.gmtime(0)),
}

@dataclass
class Event:
    text: str

def check(event, config):
    if event.text in ASKED:
        return reject("told", f"{ASKED[event.text]()}")
    if event.text == "THROW":
        raise ValueError("this went wrong")
    if event.text == "PRINT":
        print("printed", file=sys.stderr)
    while event.text == "LOOP":
        pass
    return None if event.text == "NOTHING" else PASS

Plugin, Validator = validator("faulty", "0.1.0", Event, check)
"#,
    asked: &[
        ("CLOCK", "trap", "wall_clock_now"),
        ("DATE", "trap", "wall_clock_now"),
        ("STOPWATCH", "trap", "monotonic_clock_now"),
        ("TIMER", "trap", "monotonic_clock_now"),
        ("CHANCE", "told", "0."),
        ("KEY", "trap", "random_get_random_bytes"),
        ("EPOCH", "told", "1970-01-01"),
    ],
    limits: || json!({ "component_bytes": 32 << 20 }),
};

impl Language {
    /// A new project with its tools; `None` after a loud line where they cannot be had.
    fn project(&self, desk: &Pipeline, name: &str, kind: &str) -> Option<PathBuf> {
        let ran = wasmill(desk, &["plugin", "new", name, "--kind", kind, "--lang", self.word]);
        assert!(ran.stdout.contains("wasmill plugin test"), "{}", ran.stdout);
        let folder = desk.path(name);
        has_packages((self.install)(&folder)).then_some(folder)
    }

    fn harness(&self, folder: &Path) -> Harness {
        let name = folder.file_name().expect("a name").to_string_lossy();
        Harness::new(folder.join(format!("target/plugins/{name}.wasm"))).limits((self.limits)())
    }
}

/// Runs a command that does not fail.
fn wasmill(desk: &Pipeline, arguments: &[&str]) -> Ran {
    let ran = desk.start_with(arguments, b"").wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "wasmill {arguments:?}:\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// Makes a project that of an example, whose files are those that its author edited.
fn edit(folder: &Path, example: &str) {
    let from = root().join("examples/plugins").join(example);
    for file in files_below(&from) {
        let to = folder.join(file.strip_prefix(&from).expect("it is below"));
        assert!(to.is_file(), "{} is no file of the template", to.display());
        fs::copy(&file, &to).expect("a file");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Tests, builds and checks a project as it is. What is built is what was tested.
fn assert_sound(desk: &Pipeline, name: &str) {
    wasmill(desk, &["plugin", "test", name]);
    let file = format!("{name}/target/plugins/{name}.wasm");
    let tested = fs::read(desk.path(&file)).expect("the component");
    let built = wasmill(desk, &["plugin", "build", name, "--format", "json"]);
    assert!(built.stderr.contains(&format!("{file} is up to date")), "{}", built.stderr);
    assert!(fs::read(desk.path(&file)).expect("the component") == tested, "it is another component");
    let told: Value = serde_json::from_str(&built.stdout).expect("JSON");
    assert_eq!(told["name"], json!(name));
    wasmill(desk, &["plugin", "check", &file, "--events", &format!("{name}/events.jsonl")]);
}

fn assert_templates_work(language: &Language) {
    let desk = Pipeline::new("");
    for (name, kind) in [("severities", "validator"), ("zones", "enricher"), ("logins", "alerter")] {
        if language.project(&desk, name, kind).is_none() {
            return;
        }
        match kind {
            "validator" => assert_sound(&desk, name),
            _ => _ = wasmill(&desk, &["plugin", "test", name]),
        }
    }
    // A mistake is told in the words of the language's tools, a test that fails in its own.
    let source = desk.path("zones").join(language.source);
    let text = fs::read_to_string(&source).expect("the source");
    fs::write(&source, text.replace("outside", "elsewhere")).expect("a file");
    let failed = desk.start_with(&["plugin", "test", "zones"], b"").wait(PATIENCE);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("the unit tests failed; the component was not built"), "{}", failed.stderr);
    fs::write(&source, "((").expect("a file");
    let broken = desk.start_with(&["plugin", "build", "zones"], b"").wait(PATIENCE);
    assert_eq!(broken.code, Some(1), "{}", broken.stderr);
    assert!(broken.stderr.contains("the plugin does not build; see above"), "{}", broken.stderr);
}

fn assert_faults_are_contained(language: &Language) {
    let desk = Pipeline::new("");
    let Some(folder) = language.project(&desk, "faulty", "validator") else { return };
    fs::write(folder.join(language.source), language.faulty).expect("a file");
    // Configured as the harness does by default: what is compiled for one is there for the other.
    let settings = json!({ "config": {}, "limits": (language.limits)() });
    fs::write(folder.join("faulty.yaml"), settings.to_string()).expect("a file");
    wasmill(&desk, &["plugin", "build", "faulty"]);
    let plugin = language.harness(&folder);
    let event = |text: &str| json!({ "text": text }).to_string();
    let run = plugin.assert_deterministic(["fine", "THROW", "LOOP", "PRINT", "NOTHING", "fine"].map(event));
    run.event(0).assert_unchanged();
    run.event(1).assert_rejected("trap").assert_reason("this went wrong");
    run.event(2).assert_rejected("fuel");
    run.event(3).assert_unchanged();
    run.event(4).assert_rejected("trap").assert_reason("reject(code, reason)");
    run.event(5).assert_unchanged();
    let printed: Vec<&str> =
        run.log.iter().map(|line| line.text.as_str()).filter(|line| !line.contains("rror")).collect();
    assert_eq!(printed, ["printed"], "{:?}", run.log);
    let asked: Vec<String> = language.asked.iter().map(|(text, ..)| event(text)).collect();
    let run = plugin.assert_deterministic(&asked);
    for (n, (_, code, reason)) in language.asked.iter().enumerate() {
        run.event(n).assert_rejected(code).assert_reason(reason);
    }
}

/// The harness with the example of a language, as it is shipped; `config` is that of its YAML file, for which it is compiled already.
fn example(language: &Language, desk: &Pipeline, name: &str, kind: &str, config: Value) -> Option<Harness> {
    let folder = language.project(desk, name, kind)?;
    edit(&folder, name);
    assert_sound(desk, name);
    Some(language.harness(&folder).config(config))
}

fn assert_repeats(plugin: &Harness, folder: &Path) {
    let text = fs::read_to_string(folder.join("events.jsonl")).expect("events");
    let events: Vec<&str> = text.lines().collect();
    plugin.assert_deterministic(&events);
    plugin.assert_cut_invariant(&events);
}

#[test]
fn templates_in_javascript_test_build_and_check_as_they_are() {
    assert_templates_work(&JAVASCRIPT);
}

#[test]
fn templates_in_python_test_build_and_check_as_they_are() {
    assert_templates_work(&PYTHON);
}

#[test]
fn faults_in_javascript_are_those_of_their_event() {
    assert_faults_are_contained(&JAVASCRIPT);
}

#[test]
fn faults_in_python_are_those_of_their_event() {
    assert_faults_are_contained(&PYTHON);
}

/// The validator that a language's template made when the interface was new.
fn assert_golden_does_what_it_did(language: &Language, name: &str) {
    let golden = root().join("tests/golden/0.1.0");
    let packed = fs::File::open(golden.join(name).join("validator.wasm.gz")).expect("the component");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("validator.wasm");
    let mut whole = fs::File::create(&file).expect("a file");
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut whole).expect("it is unpacked");
    let events = fs::read_to_string(golden.join("events.jsonl")).expect("events");
    let events: Vec<&str> = events.lines().collect();
    let run = Harness::new(file).limits((language.limits)()).run(&events).expect("it runs");
    run.event(0).assert_unchanged();
    run.event(2).assert_rejected("unknown_severity").assert_reason("`LOUD` is none of the severities known");
    run.event(3).assert_dropped();
    run.event(5).assert_rejected("wrong_type").assert_reason("the field `severity` is not text");
}

#[test]
fn golden_component_in_javascript_does_what_it_did_when_it_was_built() {
    assert_golden_does_what_it_did(&JAVASCRIPT, "javascript");
}

#[test]
fn golden_component_in_python_does_what_it_did_when_it_was_built() {
    assert_golden_does_what_it_did(&PYTHON, "python");
}

#[test]
fn example_in_javascript_adds_up_orders() {
    let desk = Pipeline::new("");
    let config = json!({ "most_lines": 500, "tolerance": 0 });
    let Some(plugin) = example(&JAVASCRIPT, &desk, "order-totals", "validator", config) else { return };
    assert_repeats(&plugin, &desk.path("order-totals"));
    let order = |total: Value, quantity: Value| {
        json!({ "order": "A-1", "total": total, "lines": [{ "quantity": quantity, "price": 250 }] }).to_string()
    };
    let run = plugin.run([order(json!(500), json!(2)), order(json!(501), json!(2)), order(json!(500), json!("2"))]);
    let run = run.expect("it runs");
    run.event(0).assert_unchanged();
    run.event(1).assert_rejected("wrong_total").assert_reason("500");
    run.event(2).assert_rejected("bad_line");
}

#[test]
fn example_in_python_tells_logins_after_hours() {
    let desk = Pipeline::new("");
    let days = ["mon", "tue", "wed", "thu", "fri"];
    let config = json!({ "days": days, "begin": 7, "end": 19, "utc_offset_minutes": 0 });
    let Some(plugin) = example(&PYTHON, &desk, "after-hours", "alerter", config) else { return };
    assert_repeats(&plugin, &desk.path("after-hours"));
    let login = r#"{"action":"login","user":"ann"}"#;
    // 2026-01-05 is a Monday.
    let noon_ms = 1_767_614_400_000;
    let mut running = plugin.start().expect("it is loaded");
    running.run_at(noon_ms, [login]).expect("it runs").event(0).assert_no_alert();
    let night = running.run_at(noon_ms + 12 * 3_600_000, [login]).expect("it runs");
    night.event(0).assert_alert("after-hours-login");
}
