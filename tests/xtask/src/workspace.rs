//! What cargo knows of this workspace.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The folder of the workspace's `Cargo.lock`. Cargo says where it runs us: a build cache that clones share may have been filled by another.
pub fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    let root = here.ancestors().find(|folder| folder.join("Cargo.lock").is_file());
    root.unwrap_or(&here).to_path_buf()
}

/// A `cargo` command that runs in the workspace's root, by the same cargo that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// `cargo metadata`, as far as it is read here.
#[derive(Debug, Deserialize)]
pub struct Metadata {
    /// Every package: the workspace's own and, unless asked otherwise, all that they depend on.
    pub packages: Vec<Package>,
    /// The ids of the workspace's own packages.
    pub workspace_members: Vec<String>,
    /// Where cargo builds to.
    pub target_directory: PathBuf,
}

/// One package.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// Cargo's own identity of it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its SPDX licence expression, when it states one.
    pub license: Option<String>,
    /// Where it comes from; `None` for the workspace's own.
    pub source: Option<String>,
    /// Its `Cargo.toml`.
    pub manifest_path: PathBuf,
    /// What it says that it depends on, of every kind.
    pub dependencies: Vec<Dependency>,
}

/// One dependency of a package.
#[derive(Debug, Deserialize)]
pub struct Dependency {
    /// The name of the package depended on.
    pub name: String,
    /// `None` for normal ones, else `dev` or `build`.
    pub kind: Option<String>,
    /// Its folder, when it is one of the workspace's own.
    pub path: Option<PathBuf>,
}

impl Metadata {
    /// The workspace alone.
    ///
    /// # Errors
    /// When cargo fails.
    pub fn of_workspace() -> Result<Self> {
        Self::read(&["--no-deps"])
    }

    /// The workspace and everything that it depends on, on every platform.
    ///
    /// # Errors
    /// When cargo fails.
    pub fn with_dependencies() -> Result<Self> {
        Self::read(&[])
    }

    fn read(extra: &[&str]) -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version", "1", "--quiet"])
            .args(extra)
            .output()
            .context("cannot run cargo: install Rust from https://rustup.rs")?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).context("cargo metadata answered something else than expected")
    }

    /// The workspace's own packages below a folder of it, such as `plugins`; all of them for `""`.
    pub fn members_in(&self, folder: &str) -> Vec<&Package> {
        let folder = root().join(folder);
        self.packages
            .iter()
            .filter(|package| {
                self.workspace_members.contains(&package.id) && package.manifest_path.starts_with(&folder)
            })
            .collect()
    }
}
