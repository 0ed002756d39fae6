//! Collects the SDK's sources, so that `wasmill plugin new` can put them into a new plugin's folder from the binary alone.
//!
//! A crate of this workspace takes versions from the workspace; outside of it they are written out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Folders of the SDK in the repository, and where a plugin has them. The macros that bind the interface look for it in `../wit`.
const SDK: [(&str, &str); 3] = [
    ("guest-sdk", "vendor/wasmill-sdk"),
    ("guest-sdk/macros", "vendor/wasmill-sdk/macros"),
    ("guest-sdk/harness", "vendor/wasmill-sdk/harness"),
];
/// Files that are taken as they are.
const WHOLE: [(&str, &str); 3] = [
    ("guest-sdk/README.md", "vendor/wasmill-sdk/README.md"),
    ("LICENSE", "vendor/wasmill-sdk/LICENSE"),
    ("wit", "vendor/wit"),
];
/// What plugins and their tests depend on: roots of the lock file.
const ROOTS: [&str; 2] = ["wasmill-sdk", "wasmill-harness"];
/// Sections of a manifest that mean nothing without the tests and lints of this workspace.
const LEFT_OUT: [&str; 5] = ["[lints]", "[dev-dependencies]", "[[example]]", "[[test]]", "[[bench]]"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("..");
    let out = PathBuf::from(variable("OUT_DIR"));
    let workspace = fs::read_to_string(root.join("Cargo.toml"))?;
    let mut files = BTreeMap::new();
    for (number, (from, to)) in SDK.into_iter().enumerate() {
        collect(&root.join(from).join("src"), &format!("{to}/src"), &mut files)?;
        let manifest = fs::read_to_string(root.join(from).join("Cargo.toml"))?;
        let file = out.join(format!("manifest-{number}.toml"));
        fs::write(&file, written_out(&manifest, &workspace))?;
        files.insert(format!("{to}/Cargo.toml"), file);
    }
    for (from, to) in WHOLE {
        collect(&root.join(from), to, &mut files)?;
    }
    fs::write(out.join("Cargo.lock"), lock(&fs::read_to_string(root.join("Cargo.lock"))?))?;
    files.insert("Cargo.lock".to_owned(), out.join("Cargo.lock"));
    fs::write(out.join("sdk.rs"), list(&files))?;
    for watched in ["Cargo.toml", "Cargo.lock", "LICENSE", "guest-sdk", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("cargo sets {name} for build scripts: {error}"))
}

/// The files at or below `from`, by the path that a plugin has them at.
fn collect(from: &Path, to: &str, files: &mut BTreeMap<String, PathBuf>) -> io::Result<()> {
    if from.is_file() {
        files.insert(to.to_owned(), from.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        collect(&entry.path(), &format!("{to}/{}", entry.file_name().to_string_lossy()), files)?;
    }
    Ok(())
}

/// The manifest of a member of the workspace with what it takes from there written out.
fn written_out(manifest: &str, workspace: &str) -> String {
    let given = |name: &str| {
        let line = workspace.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(" = ")));
        let value = line.and_then(|line| line.split_once(" = ")).map(|(_, value)| value);
        let value = value.unwrap_or_else(|| panic!("the workspace's Cargo.toml has no line for {name}"));
        // Paths there begin at the root, here at the SDK.
        value.split(" #").next().unwrap_or(value).trim().replace("guest-sdk/", "")
    };
    let mut text = String::new();
    let mut is_left_out = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_left_out = LEFT_OUT.contains(&line);
        }
        if is_left_out {
            continue;
        }
        let line = match line.split_once(".workspace = true") {
            Some((name, _)) => format!("{name} = {}", given(name)),
            None => match line.split_once(" = { workspace = true") {
                Some((name, rest)) => {
                    let value = given(name);
                    let inner = value.strip_prefix('{').and_then(|value| value.strip_suffix('}'));
                    let inner = inner.map_or_else(|| format!("version = {value}"), |inner| inner.trim().to_owned());
                    format!("{name} = {{ {inner}{rest}")
                }
                None => line.to_owned(),
            },
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The part of a lock file that the SDK needs: a plugin is built of the versions that the shipped ones are built of.
fn lock(whole: &str) -> String {
    let mut parts = whole.split("[[package]]\n");
    let head = parts.next().unwrap_or_default();
    let packages: Vec<&str> = parts.collect();
    let value = |package: &str, key: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    let mut wanted: Vec<String> = ROOTS.map(str::to_owned).to_vec();
    let mut taken = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        // An entry is a name, with its version where there are several.
        let (name, version) = name.split_once(' ').map_or((name.as_str(), None), |(name, rest)| (name, Some(rest)));
        let is_it = |package: &str| {
            value(package, "name") == name && version.is_none_or(|version| value(package, "version") == version)
        };
        for (index, package) in packages.iter().enumerate().filter(|(_, package)| is_it(package)) {
            if taken.insert(index) {
                let list = package.split_once("dependencies = [\n").map_or("", |(_, list)| list);
                let entries = list.lines().take_while(|line| *line != "]");
                wanted.extend(entries.map(|line| line.trim().trim_matches([',', '"']).to_owned()));
            }
        }
    }
    taken.iter().fold(head.to_owned(), |text, index| text + "[[package]]\n" + packages[*index])
}

/// An array of paths and texts, in Rust.
fn list(files: &BTreeMap<String, PathBuf>) -> String {
    let mut text = "&[\n".to_owned();
    for (name, file) in files {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    ({name:?}, include_str!({:?})),", file.display().to_string());
    }
    text + "]\n"
}
