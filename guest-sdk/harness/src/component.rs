//! Builds the component of the crate under test.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::binary::{built_plugin, package_folder, workspace};

/// What components are compiled to.
const TARGET: &str = "wasm32-wasip2";

/// The component of the crate under test: one that is there already, else it is built; once per process, and one process at a time.
pub(crate) fn of_this_crate() -> anyhow::Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let folder = package_folder().map_err(|error| format!("{error:#}"))?;
        find_or_build(&folder).map_err(|error| format!("{error:#}"))
    });
    built.clone().map_err(anyhow::Error::msg)
}

fn find_or_build(folder: &Path) -> anyhow::Result<PathBuf> {
    match built_plugin(&package_name(folder)?)? {
        Some(file) => Ok(file),
        None => build(folder),
    }
}

/// The name in a crate's manifest. Cargo tells it to tests, but not to one that is run by hand.
fn package_name(folder: &Path) -> anyhow::Result<String> {
    let manifest = folder.join("Cargo.toml");
    let text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    name_in(&text).with_context(|| format!("{} names no package", manifest.display()))
}

fn name_in(manifest: &str) -> Option<String> {
    let package = manifest.lines().map(str::trim).skip_while(|line| *line != "[package]").skip(1);
    let mut lines = package.take_while(|line| !line.starts_with('['));
    lines.find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "name").then(|| value.split('"').nth(1).map(str::to_owned))?
    })
}

/// Builds a crate as a component. Its target folder is of its own: the cargo that runs the tests may hold the lock of the other one.
fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    let target = own_folder().context("no folder can be made in the target folder")?;
    let lock = File::create(target.join("build.lock"))?;
    // Given back when the file is closed, however this ends.
    lock.lock().with_context(|| format!("cannot lock {}", target.join("build.lock").display()))?;
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(folder)
        .args(["rustc", "--release", "--lib", "--crate-type", "cdylib", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics", "--target-dir"])
        .arg(&target)
        // Meant for the tests themselves, such as those of a coverage tool; and they would hide what the crate's own config says.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        // Backtraces with lines. The code is the same.
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .stdin(Stdio::null())
        .output()
        .context("cannot run cargo: install Rust from https://rustup.rs")?;
    if output.status.success() {
        return artifact(&String::from_utf8_lossy(&output.stdout));
    }
    if !has_target() {
        bail!("Rust cannot build components yet: run `rustup target add {TARGET}`");
    }
    bail!("the plugin cannot be built:\n{}", String::from_utf8_lossy(&output.stderr).trim_end())
}

/// The component among what cargo says that it made: of the last crate.
fn artifact(messages: &str) -> anyhow::Result<PathBuf> {
    let of = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let files = message["filenames"].as_array()?;
        files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
    };
    messages.lines().rev().find_map(of).context("cargo has built no component: has the crate a library?")
}

/// What the harness keeps: a folder of its own where cargo builds the tests to, which marks its folder; else in that of the workspace.
fn own_folder() -> Option<PathBuf> {
    let test = env::current_exe().ok();
    let marked = test.iter().flat_map(|test| test.ancestors()).find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let target = marked.map(Path::to_owned).or_else(|| Some(workspace()?.join("target")))?;
    let folder = target.join("wasmill-harness");
    fs::create_dir_all(&folder).ok()?;
    Some(folder)
}

fn has_target() -> bool {
    let rustc = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    rustc.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_of_a_package_is_found_among_other_names() {
        let manifest =
            "[lib]\nname = \"other\"\n[package]\nversion = \"1\"\nname = \"the-one\" # this\n[[test]]\nname = \"t\"\n";
        assert_eq!(name_in(manifest).as_deref(), Some("the-one"));
        assert_eq!(name_in("[workspace]\n"), None);
        assert_eq!(package_name(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap(), "wasmill-harness");
    }

    #[test]
    fn component_is_the_last_one_that_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/a.wasm\"]}\nno JSON\n\
                        {\"reason\":\"compiler-artifact\",\"filenames\":[\"/t/b.d\",\"/t/b.wasm\"]}\n{\"reason\":\"build-finished\"}\n";
        assert_eq!(artifact(messages).unwrap(), PathBuf::from("/t/b.wasm"));
        assert!(artifact("").is_err());
    }
}
