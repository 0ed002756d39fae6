//! A plugin in Rust: a crate that the author's own cargo builds and tests.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::Value;

use super::as_typed;
use crate::commands::say;

/// What components are compiled to.
const TARGET: &str = "wasm32-wasip2";
/// That there is no Rust.
const NO_RUST: &str = "install Rust from https://rustup.rs";

/// A plugin's crate.
#[derive(Debug)]
pub(in crate::commands::plugin) struct Crate {
    folder: PathBuf,
    /// Its package's name.
    name: String,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    crate_types: Vec<String>,
}

impl Crate {
    /// The crate in `folder`.
    ///
    /// # Errors
    /// When there is none, it makes no component, or cargo does not understand it.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        let manifest = folder.join("Cargo.toml");
        let Ok(manifest) = manifest.canonicalize() else {
            bail!(
                "there is no {}: go to the folder of a plugin, or make one with `wasmill plugin new NAME --kind validator`",
                manifest.display()
            );
        };
        let mut cargo = cargo(folder);
        let output = cargo.args(["metadata", "--format-version", "1", "--no-deps"]).output();
        let output = output.with_context(|| format!("cannot run cargo: {NO_RUST}"))?;
        if !output.status.success() {
            bail!("cargo does not take the crate: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cargo metadata answered something else than expected")?;
        let package = metadata.packages.into_iter().find(|package| package.manifest_path == manifest);
        let Some(Package { name, targets, .. }) = package else {
            bail!("{} is no package; go to the folder of the plugin itself", manifest.display());
        };
        let project = Self { folder: folder.to_owned(), name, targets };
        match project.library() {
            Some(library) if library.crate_types.iter().any(|kind| kind == "cdylib") => Ok(project),
            _ => bail!("{} makes no component: write `crate-type = [\"cdylib\"]` under [lib]", manifest.display()),
        }
    }

    fn library(&self) -> Option<&Target> {
        self.targets.iter().find(|target| target.kind.iter().any(|kind| kind == "cdylib" || kind == "lib"))
    }

    /// Builds the component and puts it, with its settings, where it is looked for.
    ///
    /// # Errors
    /// When cargo fails; its own words are on standard error then.
    pub(super) fn build(&self) -> anyhow::Result<PathBuf> {
        add_target()?;
        let mut cargo = cargo(&self.folder);
        // The linker leaves out link-time optimisation where a crate is to be an `rlib` too.
        if self.library().is_some_and(|library| library.crate_types.len() > 1) {
            cargo.args(["rustc", "--crate-type", "cdylib"]);
        } else {
            cargo.arg("build");
        }
        cargo.args(["--lib", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
        let mut child = cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run cargo: {NO_RUST}"))?;
        let output = child.stdout.take().context("cargo has no standard output")?;
        let mut built = None;
        for line in BufReader::new(output).lines() {
            built = self.component(&line?).or(built);
        }
        if !child.wait()?.success() {
            bail!("the plugin does not build; see above");
        }
        let built = built.context("cargo built no component")?;
        let file = self.published();
        let folder = file.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        copy(&built, &file)?;
        let settings = self.folder.join(format!("{}.yaml", self.name));
        if settings.is_file() {
            copy(&settings, &file.with_extension("yaml"))?;
        }
        Ok(file)
    }

    /// The component that a message of cargo tells of, if it is this crate's.
    fn component(&self, message: &str) -> Option<PathBuf> {
        let message: Value = serde_json::from_str(message).ok()?;
        let manifest = message["manifest_path"].as_str().map(Path::new)?;
        let is_ours = message["reason"] == "compiler-artifact"
            && manifest.parent().and_then(|folder| folder.canonicalize().ok()) == self.folder.canonicalize().ok();
        let files = message["filenames"].as_array().filter(|_| is_ours)?.iter().filter_map(Value::as_str);
        files.map(PathBuf::from).find(|file| file.extension().is_some_and(|ending| ending == "wasm"))
    }

    /// Where the component is after it was built.
    fn published(&self) -> PathBuf {
        let file = self.folder.join("target/plugins").join(format!("{}.wasm", self.name));
        as_typed(file)
    }

    /// Runs the unit tests on this machine.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub(super) fn unit_tests(&self) -> anyhow::Result<bool> {
        self.test(&["--lib"], &[])
    }

    /// Runs the tests in `tests`, if there are any.
    ///
    /// # Errors
    /// When cargo cannot be run.
    pub(super) fn engine_tests(&self, variables: &[(&str, &Path)]) -> anyhow::Result<bool> {
        if !self.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "test")) {
            return Ok(true);
        }
        self.test(&["--test", "*"], variables)
    }

    fn test(&self, which: &[&str], variables: &[(&str, &Path)]) -> anyhow::Result<bool> {
        let mut cargo = cargo(&self.folder);
        // The crate's own default is the target of the component, which this machine does not run.
        cargo.args(["test", "--quiet", "--target", &machine()?]).args(which).envs(variables.iter().copied());
        let status = cargo.status().with_context(|| format!("cannot run cargo: {NO_RUST}"))?;
        Ok(status.success())
    }
}

fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(folder);
    command
}

/// Copies a file whole, or not at all.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let new = to.with_extension("new");
    fs::copy(from, &new).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, to).with_context(|| format!("cannot write {}", to.display()))
}

/// What this machine is called by rustc.
fn machine() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().with_context(|| format!("cannot run rustc: {NO_RUST}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let machine = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(machine.context("rustc does not say what machine this is")?.to_owned())
}

/// Adds the compilation target unless it is there.
fn add_target() -> anyhow::Result<()> {
    let rustc = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let output = rustc.with_context(|| format!("cannot run rustc: {NO_RUST}"))?;
    let libraries = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && libraries.is_dir() {
        return Ok(());
    }
    say(&format!("the compilation target {TARGET} is missing: adding it with `rustup target add {TARGET}`\n"));
    match Command::new("rustup").args(["target", "add", TARGET]).status() {
        Ok(status) if status.success() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("rustup is missing: {NO_RUST}, or add the target {TARGET} by your own means")
        }
        _ => bail!("`rustup target add {TARGET}` failed: is there a network?"),
    }
}
