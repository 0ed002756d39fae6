//! `cargo xtask plugins`: the shipped plugins and the guests of the tests as components.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use xtask::workspace::{self, Metadata, Package};

use super::run::run;

/// What components are compiled to.
pub(crate) const TARGET: &str = "wasm32-wasip2";
/// A shipped plugin stays below this, so that it loads in well under a second.
const PLUGIN_BYTES_MAX: u64 = 200_000 - 1;
/// Plugins that may be larger, and why.
const LARGER_PLUGINS: &[(&str, u64, &str)] =
    &[("validate-schema", 1_000_000, "patterns of JSON Schema have Unicode's classes, and are made into automata")];

/// A component that was built.
pub(crate) struct Component {
    name: String,
    path: PathBuf,
    bytes: u64,
    digest: String,
}

impl Component {
    fn bytes_max(&self) -> u64 {
        let larger = LARGER_PLUGINS.iter().find(|(name, _, _)| *name == self.name);
        larger.map_or(PLUGIN_BYTES_MAX, |(_, bytes_max, _)| *bytes_max)
    }
}

pub(crate) fn plugins() -> Result<()> {
    for component in build()? {
        let path = component.path.strip_prefix(workspace::root()).unwrap_or(&component.path).display().to_string();
        println!("{:>9} bytes  {}  {path}", component.bytes, component.digest);
    }
    Ok(())
}

/// Builds all components; those that did not change are not touched.
pub(crate) fn build() -> Result<Vec<Component>> {
    add_target()?;
    let metadata = Metadata::of_workspace()?;
    let mut built = collect(&metadata, "plugins", "plugins")?;
    if let Some(large) = built.iter().find(|component| component.bytes > component.bytes_max()) {
        bail!("plugin `{}` has {} bytes, at most {} are allowed", large.name, large.bytes, large.bytes_max());
    }
    built.extend(collect(&metadata, "tests/guests", "guests")?);
    Ok(built)
}

/// Builds the crates below a folder into `target/INTO` of the workspace.
fn collect(metadata: &Metadata, folder: &str, into: &str) -> Result<Vec<Component>> {
    let packages = metadata.members_in(folder);
    for package in &packages {
        // As a `cdylib` alone: cargo leaves out the link-time optimisation of a crate that is to be an `rlib` too.
        let mut cargo = workspace::cargo();
        cargo.args(["rustc", "--profile", "plugin", "--target", TARGET, "--package", &package.name]);
        cargo.args(["--lib", "--crate-type", "cdylib"]);
        run(&mut cargo)?;
    }
    let into = workspace::root().join("target").join(into);
    fs::create_dir_all(&into).with_context(|| format!("cannot make {}", into.display()))?;
    let built = metadata.target_directory.join(TARGET).join("plugin");
    let components = packages.iter().map(|package| publish(package, &built, &into)).collect::<Result<Vec<_>>>()?;
    remove_others(&into, &components)?;
    Ok(components)
}

/// Copies a component that changed to where it is looked for, whole or not at all.
fn publish(package: &Package, built: &Path, into: &Path) -> Result<Component> {
    let source = built.join(format!("{}.wasm", package.name.replace('-', "_")));
    let bytes = fs::read(&source).with_context(|| {
        format!("{} was not built: does its Cargo.toml say `crate-type = [\"cdylib\", \"rlib\"]`?", source.display())
    })?;
    let path = into.join(format!("{}.wasm", package.name));
    if fs::read(&path).ok().as_deref() != Some(&bytes) {
        let new = path.with_extension("new");
        fs::write(&new, &bytes).with_context(|| format!("cannot write {}", new.display()))?;
        fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Component { name: package.name.clone(), path, bytes: bytes.len() as u64, digest })
}

/// Removes components of crates that are no more, so that no test runs a stale one.
fn remove_others(into: &Path, components: &[Component]) -> Result<()> {
    for entry in fs::read_dir(into).with_context(|| format!("cannot read {}", into.display()))? {
        let path = entry?.path();
        if components.iter().all(|component| component.path != path) && path.is_file() {
            fs::remove_file(&path).with_context(|| format!("cannot delete {}", path.display()))?;
        }
    }
    Ok(())
}

/// Adds the compilation target unless it is there.
pub(crate) fn add_target() -> Result<()> {
    let rustc = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = rustc.context("cannot run rustc: install Rust from https://rustup.rs")?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && libraries.is_dir() {
        return Ok(());
    }
    eprintln!("the compilation target {TARGET} is missing: adding it");
    match Command::new("rustup").args(["target", "add", TARGET]).status() {
        Ok(status) if status.success() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("rustup is missing: install Rust from https://rustup.rs, or the target {TARGET} by your own means")
        }
        _ => bail!("`rustup target add {TARGET}` failed: is there a network?"),
    }
}
