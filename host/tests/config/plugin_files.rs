//! The plugin directory: what is found in it, what may be said about a plugin, and every mistake with its place.

use std::path::Path;

use wasmill::config::plugins;
use wasmill_engine::{Ceilings, Grant, Limits, OnOpen};

use super::{DESIGN, environment, folder_with, parsed};

fn plugin_mistakes(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder_with(files);
    let mistakes =
        plugins::discover_with(folder.path(), folder.path(), &environment(), &Ceilings::default()).unwrap_err();
    let prefix = format!("{}/", folder.path().display());
    mistakes.iter().map(|mistake| mistake.to_string().replace(&prefix, "")).collect()
}

#[test]
fn plugins_are_found_in_the_order_of_their_names_with_their_settings() {
    let folder = folder_with(&[
        ("20-b.wasm", ""),
        ("10-a.wasm", ""),
        (
            "10-a.yaml",
            "config:\n  n: ${NUMBER}\n  text: '${NUMBER}'\n  list: [1.5, true, ~]\nlimits: { fuel_per_event: 7 }\ninstance: reuse\ngrants: [reverse-dns, state]\n",
        ),
        (".30-c.wasm", ""),
        ("40-d.wasm.tmp", ""),
        ("README.md", ""),
    ]);
    let found = plugins::discover_with(folder.path(), folder.path(), &environment(), &Ceilings::default()).unwrap();
    let names: Vec<&str> = found.iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["10-a", "20-b"]);
    assert_eq!(found[0].path, folder.path().join("10-a.wasm"));
    let sidecar = &found[0].sidecar;
    assert_eq!(sidecar.config, serde_json::json!({ "n": 1234, "text": "1234", "list": [1.5, true, null] }));
    assert_eq!(
        (sidecar.limits.fuel_per_event, sidecar.grants.as_slice()),
        (7, [Grant::ReverseDns, Grant::State].as_slice())
    );
    assert_eq!(format!("{:?} {:?}", sidecar.instance, found[1].sidecar.instance), "Reuse Fresh");
    assert_eq!(found[1].sidecar.config, serde_json::json!({}));
}

#[test]
fn limits_above_the_ceilings_of_the_pipeline_are_mistakes_and_defaults_above_them_are_lowered() {
    let yaml = DESIGN.to_owned()
        + "engine: { ceilings: { memory_bytes: 1000000, log_lines: 30, fuel_per_event: 500 }, compile: { seconds: 9 } }\n";
    let engine = parsed(&yaml).engine;
    assert_eq!(engine.compile.seconds, 9);
    let found = |sidecar: &str| {
        let folder = folder_with(&[("10-a.wasm", ""), ("10-a.yaml", sidecar), ("20-b.wasm", "")]);
        plugins::discover_with(folder.path(), folder.path(), &environment(), &engine.ceilings)
    };
    let at = found("limits:\n  memory_bytes: 1000000\n  log_lines: 30\non_open: dead_letter\n").unwrap();
    assert_eq!((at[0].sidecar.limits.memory_bytes, at[0].sidecar.on_open), (1_000_000, OnOpen::DeadLetter));
    for plugin in &at {
        assert_eq!(plugin.sidecar.limits.fuel_per_event, 500);
    }
    let defaults = Limits::default();
    assert_eq!(
        (at[1].sidecar.limits.log_lines, at[1].sidecar.limits.output_bytes),
        (defaults.log_lines, defaults.output_bytes)
    );
    let above = found("limits:\n  memory_bytes: 1000001\n  log_lines: 31\n").unwrap_err().to_string();
    for part in [
        "10-a.yaml:2:3: memory_bytes is 1000001, and this pipeline allows at most 1000000 (engine.ceilings.memory_bytes)",
        "10-a.yaml:3:3: log_lines is 31",
    ] {
        assert!(above.contains(part), "{above}");
    }
}

#[cfg(unix)]
#[test]
fn plugin_may_be_a_symbolic_link() {
    let folder = folder_with(&[("real", "")]);
    std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("10-a.wasm")).unwrap();
    assert_eq!(plugins::discover(folder.path()).unwrap().len(), 1);
}

#[test]
fn mistakes_beside_plugins_are_all_reported() {
    assert_eq!(
        plugin_mistakes(&[
            ("10-validate.wasm", ""),
            ("10-validat.yaml", ""),
            ("20-b.wasm", ""),
            ("20-b.yaml", "confg: {}\nlimits: { fuel: 1, memory_bytes: lots }\ninstance: old\n"),
            ("30-c.wasm", ""),
            ("30-c.yaml", "config: { a: \"${NONE}\" }\n"),
            ("30-c.yml", ""),
            ("90-zzz.yaml", ""),
        ]),
        [
            "10-validat.yaml:1:1: there is no \"10-validat.wasm\" beside it; did you mean \"10-validate.yaml\"?",
            "90-zzz.yaml:1:1: there is no \"90-zzz.wasm\" beside it; copy the plugin there, or remove this file",
            "20-b.yaml:1:1: unknown key \"confg\"; did you mean \"config\"?",
            "20-b.yaml:2:11: unknown key \"fuel\"; valid here: alerts_per_event, component_bytes, field_bytes, fuel_configure, \
             fuel_per_event, labels_per_alert, log_line_bytes, log_lines, log_lines_per_second, memory_bytes, output_bytes, reason_bytes, \
             resources, slow_batch_ms, state_bytes, state_key_bytes, state_value_bytes, stuck_batch_ms, table_elements",
            "20-b.yaml:2:34: \"memory_bytes\" must be a whole number, not text",
            "20-b.yaml:3:11: \"old\" is no \"instance\"; valid here: fresh, reuse",
            "30-c.yaml:1:1: \"30-c.yml\" is there too; keep one of the two",
            "30-c.yaml:1:14: the environment variable NONE is not set; set it, or give a default: ${NONE:-default}",
        ]
    );
}

#[test]
fn missing_plugin_directory_is_a_mistake() {
    let mistakes = plugins::discover(Path::new("/nowhere/plugins.d")).unwrap_err();
    assert!(mistakes.to_string().contains("the plugin directory cannot be read"), "{mistakes}");
}

#[test]
fn plugins_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..plugins::PLUGINS_MAX {
        std::fs::write(folder.path().join(format!("{n:03}-a.wasm")), "").unwrap();
    }
    assert_eq!(plugins::discover(folder.path()).unwrap().len(), plugins::PLUGINS_MAX);
    std::fs::write(folder.path().join("999-a.wasm"), "").unwrap();
    assert!(plugins::discover(folder.path()).unwrap_err().to_string().contains("65 plugins, and 64 are allowed"));
}
