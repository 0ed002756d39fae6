//! An author's day: `wasmill plugin new`, `test`, `build` and `check` in an empty folder, with nothing but the release binary, Rust, and the
//! crates that cargo has.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use wasmill_core::Digest;
use wasmill_tests::pipeline::binary;

/// A folder in which plugins are made.
struct Desk {
    folder: TempDir,
    /// Where cargo builds to: one for all, so that the SDK is built once.
    target: PathBuf,
}

/// What a command came to.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let target = folder.path().join("target");
        Self { folder, target }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, program: &Path, arguments: &[&str], folder: &str) -> Ended {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path(folder));
        // Cargo tells the tests that it runs what it is; an author's shell does not.
        let of_cargo = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("CARGO_"));
        of_cargo.filter(|name| name != "CARGO_HOME").for_each(|name| {
            command.env_remove(name);
        });
        for name in ["CARGO", "WASMILL_PLUGIN", "WASMILL_PLUGINS", "WASMILL_BIN", "RUSTFLAGS"] {
            command.env_remove(name);
        }
        let output = command.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", &self.target).output();
        let output = output.expect("the program starts");
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn wasmill(&self, arguments: &[&str], folder: &str) -> Ended {
        self.run(&binary(), arguments, folder)
    }

    /// Runs a command that does not fail.
    fn done(&self, arguments: &[&str], folder: &str) -> Ended {
        let ended = self.wasmill(arguments, folder);
        assert_eq!(ended.code, Some(0), "wasmill {arguments:?}:\n{}\n{}", ended.stdout, ended.stderr);
        ended
    }
}

#[test]
fn new_plugin_of_each_kind_tests_builds_and_checks_as_it_is() {
    let desk = Desk::new();
    for (name, kind) in [("known-users", "validator"), ("zones", "enricher"), ("logins", "alerter")] {
        desk.done(&["plugin", "new", name, "--kind", kind], ".");
        desk.done(&["plugin", "test"], name);
        let built = desk.done(&["plugin", "build", "--format", "json"], name);
        let told: Value = serde_json::from_str(&built.stdout).expect("JSON");
        assert_eq!((&told["name"], &told["kinds"]), (&json!(name), &json!(kind)));
        let file = format!("target/plugins/{name}.wasm");
        let bytes = std::fs::read(desk.path(name).join(&file)).expect("the component");
        assert_eq!(told["digest"], json!(Digest::of(&bytes).to_string()));
        assert!(bytes.len() < 60_000, "{name} has {} bytes", bytes.len());
        let largest = told["size"]["largest"][0]["name"].as_str().expect("a name");
        assert!(
            !largest.starts_with("function ") && !largest.starts_with("_R"),
            "names are kept, for people: {largest}"
        );
        assert!(desk.path(name).join(format!("target/plugins/{name}.yaml")).is_file());
        assert!(told["config_schema"]["properties"].is_object(), "{told}");
        desk.done(&["plugin", "check", &file, "--events", "events.jsonl"], name);
    }
    // What cargo makes without us is the same component.
    let cargo = desk.run(Path::new("cargo"), &["build", "--release"], "zones");
    assert_eq!(cargo.code, Some(0), "{}", cargo.stderr);
    let plain = std::fs::read(desk.target.join("wasm32-wasip2/release/zones.wasm")).expect("the component");
    assert_eq!(plain, std::fs::read(desk.path("zones/target/plugins/zones.wasm")).expect("the component"));
    // A mistake is told in the compiler's words, a failing test in cargo's.
    std::fs::write(desk.path("zones/src/lib.rs"), "fn main( {").expect("a file");
    let broken = desk.wasmill(&["plugin", "build"], "zones");
    assert_eq!(broken.code, Some(1), "{}", broken.stderr);
    assert!(broken.stderr.contains("src/lib.rs:1") && broken.stderr.contains("does not build"), "{}", broken.stderr);
    let source = std::fs::read_to_string(desk.path("logins/src/lib.rs")).expect("a file");
    std::fs::write(
        desk.path("logins/src/lib.rs"),
        source.replace("assert_eq!(alerts.len(), 1)", "assert_eq!(alerts.len(), 2)"),
    )
    .expect("a file");
    let failed = desk.wasmill(&["plugin", "test"], "logins");
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    assert!(failed.stderr.contains("the unit tests failed"), "{}", failed.stderr);
}

#[test]
fn new_refuses_what_is_there_and_names_that_cannot_be() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("taken")).expect("a folder");
    std::fs::write(desk.path("taken/notes"), "mine").expect("a file");
    for (arguments, reason) in [
        (["plugin", "new", "taken", "--kind", "validator"], "is there already and not empty"),
        (["plugin", "new", "Bad_Name", "--kind", "validator"], "small letters, digits and hyphens"),
        (["plugin", "new", "serde", "--kind", "validator"], "a crate that the SDK needs"),
    ] {
        let ended = desk.wasmill(&arguments, ".");
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(reason), "{reason}: {}", ended.stderr);
    }
    assert_eq!(std::fs::read_to_string(desk.path("taken/notes")).expect("a file"), "mine");
    assert!(!desk.path("Bad_Name").exists() && !desk.path("serde").exists());
    // An empty folder is as good as none.
    std::fs::create_dir(desk.path("empty")).expect("a folder");
    desk.done(&["plugin", "new", "empty", "--kind", "alerter"], ".");
}

#[test]
fn what_is_no_plugin_crate_is_told_with_what_to_do() {
    let desk = Desk::new();
    let nothing = desk.wasmill(&["plugin", "build"], ".");
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stderr.contains("wasmill plugin new"), "{}", nothing.stderr);
    std::fs::create_dir_all(desk.path("other/src")).expect("a folder");
    std::fs::write(desk.path("other/Cargo.toml"), "[package]\nname = \"other\"\nedition = \"2024\"\n").expect("a file");
    std::fs::write(desk.path("other/src/lib.rs"), "").expect("a file");
    let other = desk.wasmill(&["plugin", "build"], "other");
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("crate-type = [\"cdylib\"]"), "{}", other.stderr);
}
