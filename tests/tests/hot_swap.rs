//! What is done to the plugin directory of a running pipeline serves a moment later, or changes nothing; and no event notices.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tokio::runtime::{Builder, Runtime};
use wasmill_tests::admin::Admin;
use wasmill_tests::exposition::Exposition;
use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran, Running, built, eventually};

const YAML: &str = "
name: swaps
source: { stdin: {} }
plugins: plugins.d
required_plugins: [enrich-env]
batch: { events_max: 20 }
admin: 127.0.0.1:0
sinks:
  rows: { sqlite: { path: out.db, table: events, create: true, columns: { n: n, place: $offset, mark: mark, digest: $digest } } }
";

/// So that each generation has some events.
const SOME: Duration = Duration::from_millis(100);

/// Settings of `enrich-env` that mark events.
fn marking(mark: &str) -> String {
    format!("config: {{ env: test, constants: {{ mark: {mark} }} }}\n")
}

/// Writes events without end, numbered from zero.
struct Feeder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Feeder {
    fn start(mut input: ChildStdin) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut fed = 0;
            while !stopped.load(Ordering::Relaxed) {
                let lines: String = (fed..fed + 10).map(|n| format!("{{\"n\":{n},\"key\":\"k\"}}\n")).collect();
                input.write_all(lines.as_bytes()).unwrap();
                fed += 10;
                std::thread::sleep(Duration::from_millis(1));
            }
            fed
        });
        Self { stop, thread }
    }

    /// Ends the input; how many events there were.
    fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// A pipeline at work, whose plugins change.
struct Swapping<'p> {
    pipeline: &'p Pipeline,
    running: Running,
    feeder: Feeder,
    /// Generations that served after the first.
    swaps: usize,
}

impl<'p> Swapping<'p> {
    fn start(pipeline: &'p Pipeline) -> Self {
        let (mut running, input) = pipeline.start_open(&["run", "pipeline.yaml", "--format", "json"]);
        running.wait_for_log("admin pages on");
        let feeder = Feeder::start(input);
        std::thread::sleep(SOME);
        Self { pipeline, running, feeder, swaps: 0 }
    }

    /// Does something to the directory, and waits until it serves.
    fn swap(&mut self, change: impl FnOnce()) {
        change();
        self.swaps += 1;
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.running.log().matches("plugins serve: ").count() < self.swaps {
            assert!(std::time::Instant::now() < deadline, "not swapped:\n{}", self.running.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(SOME);
    }

    /// Does something to the directory, and waits until it is told why it does not serve.
    fn refuse(&mut self, why: &str, change: impl FnOnce()) {
        change();
        self.running.wait_for_log(why);
        assert_eq!(self.running.log().matches("plugins serve: ").count(), self.swaps, "{}", self.running.log());
    }

    fn path(&self, name: &str) -> PathBuf {
        place(self.pipeline, name)
    }

    fn plugins_health(&mut self) -> String {
        self.health_of_plugins("state")
    }

    /// How often plugins did not come to serve for `cause`.
    fn refused(&mut self, cause: &str) -> f64 {
        let page = Exposition::read(&Admin::of(&mut self.running).get("/metrics").1).unwrap();
        page.value("wasmill_plugins_refused_total", &[("cause", cause)])
    }

    fn health_of_plugins(&mut self, key: &str) -> String {
        let (_, page) = Admin::of(&mut self.running).get("/health/ready");
        let page: serde_json::Value = serde_json::from_str(&page).unwrap();
        page["parts"]["plugins"][key].as_str().unwrap_or_default().to_owned()
    }

    /// Ends it, and looks whether every event is stored once and in order, and each generation served without a break.
    fn end(self) -> Ran {
        let fed = self.feeder.end();
        let ran = self.running.wait(PATIENCE);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let rows = self.pipeline.sqlite("out.db", "SELECT n, digest, place FROM events ORDER BY rowid");
        assert_eq!(rows.len(), fed);
        assert!(rows.iter().zip(0..).all(|(row, n)| row[0] == n.to_string()), "an event is out of order");
        let turns: Vec<&[Vec<String>]> = rows.chunk_by(|one, next| one[1] == next[1]).collect();
        assert_eq!(turns.len(), self.swaps + 1, "{}", ran.stderr);
        // Home knows of each when it began, and where.
        let history = history(self.pipeline);
        assert_eq!(history.len(), turns.len(), "{history:?}");
        for (turn, served) in turns.iter().zip(&history) {
            assert_eq!(served["generation"], turn[0][1]);
            assert_eq!(served["from"][0]["offset"].to_string(), turn[0][2], "{served}");
        }
        ran.assert_sums(&["rows"]);
        ran
    }
}

/// A file of the plugin directory.
fn place(pipeline: &Pipeline, name: &str) -> PathBuf {
    pipeline.path("plugins.d").join(name)
}

/// What `wasmill plugin history` tells.
fn history(pipeline: &Pipeline) -> Vec<serde_json::Value> {
    let told = pipeline.start_with(&["plugin", "history", "pipeline.yaml", "--format", "json"], b"").wait(PATIENCE);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn wasm(path: &Path) -> PathBuf {
    path.with_added_extension("wasm")
}

fn yaml(path: &Path) -> PathBuf {
    path.with_added_extension("yaml")
}

/// Adds a plugin that leaves these events as they are.
fn add_clean(path: &Path) {
    fs::write(yaml(path), "config: { fields: [message] }\n").unwrap();
    fs::copy(built("enrich-clean"), wasm(path)).unwrap();
}

#[test]
fn every_change_of_the_directory_serves_and_no_event_is_lost_doubled_or_out_of_order() {
    let pipeline = Pipeline::new(YAML).plugin(10, "enrich-env", &marking("a"));
    let mut at_work = Swapping::start(&pipeline);
    let [first, second, third] = ["10-enrich-env", "20-enrich-clean", "05-enrich-clean"].map(|name| at_work.path(name));
    at_work.swap(|| fs::write(yaml(&first), marking("b")).unwrap());
    at_work.swap(|| add_clean(&second));
    at_work.swap(|| [wasm, yaml].into_iter().for_each(|of| fs::rename(of(&second), of(&third)).unwrap()));
    at_work.swap(|| {
        // As an editor does.
        fs::write(place(&pipeline, ".10-enrich-env.yaml.swp"), marking("c")).unwrap();
        fs::rename(place(&pipeline, ".10-enrich-env.yaml.swp"), yaml(&first)).unwrap();
    });
    at_work.swap(|| [wasm, yaml].into_iter().for_each(|of| fs::remove_file(of(&third)).unwrap()));
    at_work.swap(|| {
        // A slow copy: what is there of it is no plugin yet.
        let bytes = fs::read(built("validate-event")).unwrap();
        let mut file = fs::File::create(place(&pipeline, "00-validate-event.wasm")).unwrap();
        for piece in bytes.chunks(bytes.len() / 8 + 1) {
            file.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        fs::write(place(&pipeline, "00-validate-event.yaml"), "config: { fields: { n: { required: true } } }\n")
            .unwrap();
    });
    assert_eq!(at_work.plugins_health(), "green");
    let ran = at_work.end();
    let marks = pipeline.sqlite("out.db", "SELECT mark FROM events GROUP BY mark ORDER BY min(place)");
    assert_eq!(marks.concat(), ["a", "b", "c"]);
    proves_a_row(&pipeline);
    let report = ran.report();
    let counted = |name: &str| {
        let plugins = report["plugins"].as_array().unwrap().iter().filter(|plugin| plugin["name"] == name);
        plugins.map(|plugin| plugin["events"].as_u64().unwrap()).collect::<Vec<u64>>()
    };
    // One digest with three configurations saw every event once.
    assert_eq!(counted("enrich-env").len(), 3, "{report}");
    assert_eq!(counted("enrich-env").iter().sum::<u64>(), report["received"].as_u64().unwrap(), "{report}");
    assert!(counted("enrich-clean")[0] > 0 && counted("validate-event")[0] > 0, "{report}");
}

/// Finds the files that made a row.
fn proves_a_row(pipeline: &Pipeline) {
    let rows = pipeline.sqlite("out.db", "SELECT digest FROM events ORDER BY random() LIMIT 1");
    let served = history(pipeline).into_iter().find(|served| served["generation"] == rows[0][0]).unwrap();
    let plugins = served["plugins"].as_array().unwrap();
    assert!(!plugins.is_empty());
    for plugin in plugins {
        let (name, digest) = (plugin["name"].as_str().unwrap(), plugin["digest"].as_str().unwrap());
        let kept =
            pipeline.sqlite("out.db", &format!("SELECT hex(file) FROM wasmill_plugins WHERE digest = '{digest}'"));
        let file: String = fs::read(built(name)).unwrap().iter().map(|byte| format!("{byte:02X}")).collect();
        assert!(kept[0][0] == file, "{name} {digest}");
    }
}

#[test]
fn bad_directory_changes_nothing_and_a_start_goes_on_with_what_served() {
    let pipeline = Pipeline::new(YAML).plugin(10, "enrich-env", &marking("a"));
    let mut at_work = Swapping::start(&pipeline);
    let bad = at_work.path("20-bad.wasm");
    at_work.refuse("20-bad.wasm\\\" (digest ", || fs::write(&bad, b"no component").unwrap());
    assert_eq!(at_work.plugins_health(), "yellow");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(at_work.running.log().matches("20-bad.wasm").count(), 1, "it is not tried again and again");
    assert_eq!(at_work.refused("component"), 1.0);
    let worse = at_work.path("30-worse.wasm");
    at_work.refuse("20-bad.wasm", || fs::write(&worse, b"no component either").unwrap());
    at_work.running.wait_for_log("30-worse.wasm\\\" (digest ");
    assert_eq!((at_work.running.log().matches("20-bad.wasm").count(), at_work.refused("component")), (2, 3.0));
    fs::remove_file(&worse).unwrap();
    let good = at_work.path("10-enrich-env.wasm");
    let (away, settings) = (pipeline.path("away.wasm"), at_work.path("10-enrich-env.yaml"));
    fs::remove_file(&bad).unwrap();
    at_work.refuse("the plugin enrich-env is required", || {
        fs::rename(&good, &away).unwrap();
        fs::remove_file(&settings).unwrap();
    });
    assert_eq!(at_work.refused("required"), 1.0);
    fs::write(&settings, marking("a")).unwrap();
    fs::rename(&away, &good).unwrap();
    let directory = pipeline.path("plugins.d");
    let gone = pipeline.path("plugins.gone");
    at_work.refuse("the plugin directory cannot be read", || fs::rename(&directory, &gone).unwrap());
    fs::rename(&gone, &directory).unwrap();
    at_work.swap(|| fs::write(&settings, marking("b")).unwrap());
    assert_eq!(at_work.plugins_health(), "green");
    fs::write(&bad, b"no component").unwrap();
    at_work.end();

    let ran = pipeline.run(b"{\"n\":-1}\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("20-bad.wasm") && ran.stderr.contains("what served before serves on"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.report()["plugins_refused"], serde_json::json!({ "component": 1 }));
    assert_eq!(pipeline.sqlite("out.db", "SELECT mark FROM events WHERE n = -1").concat(), ["b"]);
}

/// Keeps everybody else from writing into a database: for a pipeline it is away.
struct Writing {
    runtime: Runtime,
    connection: SqliteConnection,
}

impl Writing {
    fn begin(database: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let options = SqliteConnectOptions::new().filename(database).busy_timeout(PATIENCE);
        let mut connection = runtime.block_on(options.connect()).unwrap();
        runtime.block_on(sqlx::query("BEGIN IMMEDIATE").execute(&mut connection)).unwrap();
        Self { runtime, connection }
    }

    fn end(mut self) {
        self.runtime.block_on(sqlx::query("ROLLBACK").execute(&mut self.connection)).unwrap();
    }
}

#[test]
fn new_plugins_wait_for_a_home_that_is_away_and_newer_ones_take_their_place() {
    let pipeline = Pipeline::new(YAML).plugin(10, "enrich-env", &marking("a"));
    let mut at_work = Swapping::start(&pipeline);
    let settings = at_work.path("10-enrich-env.yaml");
    let writing = Writing::begin(&pipeline.path("out.db"));
    fs::write(&settings, marking("b")).unwrap();
    eventually("they wait", || at_work.health_of_plugins("reason").contains("new plugins wait for home"));
    fs::write(&settings, marking("c")).unwrap();
    at_work.running.wait_for_log("the plugin directory changed again while its plugins waited for home");
    assert_eq!(at_work.running.log().matches("plugins serve: ").count(), 0);
    at_work.swap(|| writing.end());
    assert_eq!(at_work.plugins_health(), "green");
    at_work.end();
    let marks = pipeline.sqlite("out.db", "SELECT DISTINCT mark FROM events ORDER BY mark").concat();
    assert_eq!(marks, ["a", "c"]);
}

#[test]
fn state_goes_on_through_swaps_and_with_a_plugin_that_comes_back() {
    let pipeline = Pipeline::new(
        "name: counting\nsource: { stdin: {} }\nplugins: plugins.d\nbatch: { events_max: 20 }\nadmin: 127.0.0.1:0\nsinks:\n  \
         rows: { sqlite: { path: out.db, table: events, create: true, columns: { n: n, place: $offset, digest: $digest } } }\n  \
         alerts: { from: alerts, sqlite: { path: out.db, table: alerts, create: true, columns: { summary: summary } } }\n",
    )
    .plugin(10, "counter", "grants: [state]\n");
    let mut at_work = Swapping::start(&pipeline);
    let [counter, settings] = ["10-counter.wasm", "10-counter.yaml"].map(|name| at_work.path(name));
    let (away, clean) = (pipeline.path("away.wasm"), at_work.path("20-enrich-clean"));
    at_work.swap(|| add_clean(&clean));
    at_work.swap(|| {
        fs::rename(&counter, &away).unwrap();
        fs::remove_file(&settings).unwrap();
    });
    at_work.swap(|| {
        fs::write(&settings, "grants: [state]\nlimits: { log_lines: 7 }\n").unwrap();
        fs::rename(&away, &counter).unwrap();
    });
    at_work.end();
    // Each event that the counter saw has the next number.
    let counts: Vec<usize> = pipeline
        .sqlite("out.db", "SELECT summary FROM alerts ORDER BY rowid")
        .iter()
        .map(|row| row[0].split(' ').next().unwrap().parse().unwrap())
        .collect();
    assert!(counts.len() > 100 && counts.iter().zip(1..).all(|(count, n)| *count == n), "{counts:?}");
}

#[test]
fn links_that_flip_are_one_change_as_in_a_config_map() {
    let pipeline = Pipeline::new(YAML);
    let folder = |name: &str, mark: &str| {
        let folder = place(&pipeline, name);
        fs::create_dir(&folder).unwrap();
        fs::copy(built("enrich-env"), folder.join("10-enrich-env.wasm")).unwrap();
        fs::write(folder.join("10-enrich-env.yaml"), marking(mark)).unwrap();
    };
    folder("..2026_01", "a");
    symlink("..2026_01", place(&pipeline, "..data")).unwrap();
    for name in ["10-enrich-env.wasm", "10-enrich-env.yaml"] {
        symlink(Path::new("..data").join(name), place(&pipeline, name)).unwrap();
    }
    let mut at_work = Swapping::start(&pipeline);
    at_work.swap(|| {
        folder("..2026_02", "b");
        symlink("..2026_02", place(&pipeline, "..data_tmp")).unwrap();
        fs::rename(place(&pipeline, "..data_tmp"), place(&pipeline, "..data")).unwrap();
        fs::remove_dir_all(place(&pipeline, "..2026_01")).unwrap();
    });
    at_work.end();
    let marks = pipeline.sqlite("out.db", "SELECT mark FROM events GROUP BY mark ORDER BY min(place)");
    assert_eq!(marks.concat(), ["a", "b"]);
}

#[test]
fn plugin_that_cannot_read_what_is_stored_is_no_change_until_it_is_told_to_begin_anew() {
    let yaml = YAML.replace("required_plugins: [enrich-env]\n", "");
    let pipeline = Pipeline::new(&yaml).plugin(10, "counter", "grants: [state]\n");
    assert_eq!(pipeline.run(b"{\"n\":-1,\"key\":\"k\"}\n").code, Some(0));
    pipeline
        .sqlite("out.db", "UPDATE wasmill_states SET version = 9; DELETE FROM events; DELETE FROM wasmill_generations");
    let [counter, settings] = ["10-counter.wasm", "10-counter.yaml"].map(|name| place(&pipeline, name));
    let away = pipeline.path("away.wasm");
    fs::rename(&counter, &away).unwrap();
    fs::remove_file(&settings).unwrap();
    let mut at_work = Swapping::start(&pipeline);
    at_work.refuse("keeps state of version 1, and what is stored of it has version 9", || {
        fs::write(&settings, "grants: [state]\n").unwrap();
        fs::rename(&away, &counter).unwrap();
    });
    assert_eq!(at_work.plugins_health(), "yellow");
    at_work.swap(|| fs::write(&settings, "grants: [state]\nstate: reset\n").unwrap());
    assert_eq!(at_work.plugins_health(), "green");
    at_work.end();
}

#[test]
fn lane_that_goes_on_with_other_plugins_than_before_says_so() {
    let yaml = YAML.replace("stdin: {}", "file: { path: in.jsonl }");
    let pipeline = Pipeline::new(&yaml).plugin(10, "enrich-env", &marking("a"));
    let said = "the lane goes on with another generation than before";
    for (mark, events, is_other) in [("a", 1, false), ("a", 2, false), ("b", 3, true), ("b", 4, false)] {
        fs::write(place(&pipeline, "10-enrich-env.yaml"), marking(mark)).unwrap();
        // The beginning of a file is its name, and must not change.
        let first = format!("{{\"n\":0,\"fill\":\"{}\"}}\n", "x".repeat(5_000));
        fs::write(pipeline.path("in.jsonl"), first + &"{\"n\":1}\n".repeat(events)).unwrap();
        let ran = pipeline.run(b"");
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert_eq!(ran.stderr.contains(said), is_other, "{}", ran.stderr);
    }
    let missing = pipeline.path("plugins.d/10-enrich-env.wasm");
    fs::rename(&missing, pipeline.path("away.wasm")).unwrap();
    fs::remove_file(place(&pipeline, "10-enrich-env.yaml")).unwrap();
    let told = pipeline.start_with(&["validate", "pipeline.yaml"], b"").wait(PATIENCE);
    assert_eq!(told.code, Some(78), "{}", told.stderr);
    let all = told.stdout + &told.stderr;
    assert!(all.contains("the plugin enrich-env is required (required_plugins)"), "{all}");
}
