//! `cargo xtask demo`: from a fresh clone to the main job running.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xtask::services::Requirement;
use xtask::workspace::{self, Metadata};

use super::plugins;
use super::run::{run, shown};

pub(crate) fn demo(args: &[OsString]) -> Result<()> {
    plugins::build()?;
    let wasmill = build_wasmill()?;
    let mut demo = Command::new(wasmill);
    demo.arg("demo").args(args).current_dir(workspace::root());
    let status = demo.status().with_context(|| format!("cannot run `{}`", shown(&demo)))?;
    // The demo has said itself what went wrong.
    std::process::exit(status.code().unwrap_or(1));
}

/// Builds the `wasmill` binary and says where it is.
pub(crate) fn build_wasmill() -> Result<PathBuf> {
    Requirement::check(Requirement::TO_BUILD)?;
    run(workspace::cargo().args(["build", "--release", "--package", "wasmill"]))?;
    Ok(Metadata::of_workspace()?.target_directory.join("release/wasmill"))
}
