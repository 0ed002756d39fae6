//! A disk that is full, played by a limit on the size of files (which, other than a small disk, needs no right to mount one): lanes
//! wait and say so, and once there is room everything is stored.

use std::process::Command;

use wasmill_tests::admin::Admin;
use wasmill_tests::pipeline::{PATIENCE, Pipeline, Running};

const EVENTS: usize = 20_000;

/// A run whose files may have this many blocks of 512 bytes; writing more fails, as on a full disk.
fn start_with_little_room(pipeline: &Pipeline, blocks: u32) -> Running {
    // An ignored signal stays ignored, and the write fails instead.
    let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
    let arguments = ["run", "pipeline.yaml", "--format", "json", "--until-end"];
    let events: String = (0..EVENTS).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(100))).collect();
    pipeline.start_under(&["sh", "-c", &script], &arguments, events.as_bytes())
}

fn make_room(running: &Running) {
    let made = Command::new("prlimit").args(["--pid", &running.id().to_string(), "--fsize=unlimited:"]).status();
    assert!(made.is_ok_and(|status| status.success()), "prlimit (of util-linux) raises the limit");
}

#[test]
fn sqlite_on_a_full_disk_waits_and_stores_each_event_once_when_there_is_room() {
    let yaml = "name: full\nadmin: 127.0.0.1:0\nsource: { stdin: {} }\nretry: { initial: 20ms, max: 200ms }\nsinks:\n  \
                rows: { sqlite: { path: out.db, table: events, create: true, columns: { n: { from: n, type: bigint }, body: $payload } } }\n";
    let pipeline = Pipeline::new(yaml);
    let mut running = start_with_little_room(&pipeline, 1_000);
    let admin = Admin::of(&mut running);
    let reason = admin.wait_until_red("sink rows", "SQLite");
    assert!(reason.contains("look at the disk") && reason.contains("nothing is lost"), "{reason}");
    make_room(&running);
    let ran = running.wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.report()["sinks"][0]["retries"].as_u64() > Some(0), "{}", ran.stdout);
    let count = pipeline.sqlite("out.db", "SELECT count(*), count(DISTINCT n) FROM events");
    assert_eq!(count, [[EVENTS.to_string(), EVENTS.to_string()]]);
}

#[test]
fn file_on_a_full_disk_waits_and_has_each_line_whole_and_once_when_there_is_room() {
    let yaml = "name: full\nadmin: 127.0.0.1:0\nsource: { stdin: {} }\nretry: { initial: 20ms, max: 200ms }\nsinks:\n  \
                copy: { file: { path: out.jsonl } }\n";
    let pipeline = Pipeline::new(yaml);
    let mut running = start_with_little_room(&pipeline, 1_000);
    let admin = Admin::of(&mut running);
    let reason = admin.wait_until_red("sink copy", "out.jsonl");
    assert!(reason.contains("make room") && reason.contains("nothing is lost"), "{reason}");
    make_room(&running);
    let ran = running.wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let written = std::fs::read_to_string(pipeline.path("out.jsonl")).expect("the file");
    let numbers: Vec<u64> = written
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a whole line")["n"].as_u64().expect("n"))
        .collect();
    assert!(numbers.iter().copied().eq(0..EVENTS as u64), "{} lines", numbers.len());
}
