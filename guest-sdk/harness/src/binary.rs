//! Where the `wasmill` binary and built plugins are found.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::bail;

/// The binary: `WASMILL_BIN`, else the workspace's release build, else the PATH.
///
/// # Errors
/// When there is none.
pub fn wasmill_binary() -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os("WASMILL_BIN") {
        return Ok(named.into());
    }
    let built = target_folders().into_iter().map(|target| target.join("release/wasmill"));
    let on_path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&on_path).map(|folder| folder.join("wasmill")).collect::<Vec<_>>();
    match built.chain(on_path).find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => {
            bail!("there is no wasmill binary: build it with `cargo build --release -p wasmill`, or set WASMILL_BIN")
        }
    }
}

/// The component of a package of this workspace: `WASMILL_PLUGIN`, else what `cargo xtask plugins` built.
///
/// # Errors
/// When it has not been built.
pub fn plugin_file(package: &str) -> anyhow::Result<PathBuf> {
    if let Some(named) = env::var_os("WASMILL_PLUGIN") {
        return Ok(named.into());
    }
    let Some(file) = workspace().map(|root| root.join("target/plugins").join(format!("{package}.wasm"))) else {
        bail!("no workspace was found above this folder; set WASMILL_PLUGIN");
    };
    if !file.is_file() {
        bail!("{} is not there: run `cargo xtask plugins`", file.display());
    }
    Ok(file)
}

fn target_folders() -> Vec<PathBuf> {
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.into_iter().chain(workspace().map(|root| root.join("target"))).collect()
}

/// The folder of the outermost `Cargo.lock` at or above the crate under test.
fn workspace() -> Option<PathBuf> {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).or_else(|| env::current_dir().ok())?;
    here.ancestors().filter(|folder| folder.join("Cargo.lock").is_file()).last().map(Path::to_owned)
}
