//! Components that were built with earlier versions of the interface and the SDK: each loads and does what it did, for ever. A folder
//! of `tests/golden` has the plugins of one version, events, and what came of them when they were built. None of it is ever changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use wasmill_core::Batch;
use wasmill_engine::{Limits, Outcome, Plugin};

use crate::support::{load, run};

/// One version's folder.
fn folders() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let entries = fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Its plugins, in the order of their names.
fn plugins(folder: &Path) -> Vec<Arc<Plugin>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    let plugin = |file: &PathBuf| load(&fs::read(file).unwrap().into(), json!({}), Limits::default()).unwrap();
    files.iter().map(plugin).collect()
}

fn told(outcome: &Outcome, batch: &Batch) -> Value {
    let payload = |event: &u32| String::from_utf8(batch.payload(*event).into_owned()).unwrap();
    let rejections = outcome.rejections.iter().map(|one| json!([one.event, one.code, one.reason]));
    let alerts = outcome.alerts.iter().map(|alert| {
        json!([
            alert.event,
            alert.rule,
            alert.key,
            format!("{:?}", alert.severity),
            alert.summary,
            alert.id.to_string()
        ])
    });
    json!({
        "payloads": batch.live.iter().map(payload).collect::<Vec<_>>(),
        "dropped": outcome.dropped,
        "rejections": rejections.collect::<Vec<_>>(),
        "alerts": alerts.collect::<Vec<_>>(),
    })
}

#[test]
fn components_of_every_version_do_what_they_did_when_they_were_built() {
    let folders = folders();
    assert!(folders.iter().any(|folder| folder.ends_with("0.1.0")), "{folders:?}");
    for folder in folders {
        let events = fs::read_to_string(folder.join("events.jsonl")).unwrap();
        let payloads: Vec<String> = events.lines().map(str::to_owned).collect();
        let plugins = plugins(&folder);
        assert!(plugins.len() >= 4, "a validator, an enricher, an alerter and one with state: {}", folder.display());
        let (outcome, batch) = run(&plugins, &payloads).unwrap();
        let told = told(&outcome, &batch);
        let expected: Value = serde_json::from_str(&fs::read_to_string(folder.join("expected.json")).unwrap()).unwrap();
        assert_eq!(told, expected, "{}: {told:#}", folder.display());
    }
}
