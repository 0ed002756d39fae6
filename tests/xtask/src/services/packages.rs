//! What builds plugins in other languages, from the registries of Node.js and Python: installed once for all checkouts, by the list of
//! packages that a project has.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::debian::stdout_of;
use super::folders::{self, cannot};
use super::requirements::Requirement;

/// Gives a project the `node_modules` that its `package-lock.json` names.
///
/// # Errors
/// When Node.js is missing, or the registry is not reached.
pub fn node_modules(project: &Path) -> Result<()> {
    Requirement::check(&[Requirement::Node])?;
    installed(project, "package-lock.json", "node_modules", |folder| {
        fs::copy(project.join("package.json"), folder.join("package.json"))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund"]).current_dir(folder);
        stdout_of(&mut npm).map(|_| ())
    })
}

/// Gives a project the `.venv` that its `requirements.txt` names.
///
/// # Errors
/// When Python is missing, or the registry is not reached.
pub fn python_environment(project: &Path) -> Result<()> {
    Requirement::check(&[Requirement::Python])?;
    installed(project, "requirements.txt", ".venv", |folder| {
        stdout_of(Command::new("python3").args(["-m", "venv", ".venv"]).current_dir(folder))?;
        let mut pip = Command::new(folder.join(".venv/bin/pip"));
        pip.args(["install", "--quiet", "-r", "requirements.txt"]).current_dir(folder);
        stdout_of(&mut pip).map(|_| ())
    })
}

/// Links `made`, which `install` makes of `list` in a folder that is kept.
fn installed(project: &Path, list: &str, made: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let text = fs::read(project.join(list)).with_context(|| cannot("read", &project.join(list)))?;
    // The name of the project stands in the list, and makes no difference.
    let name = project.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).replace(&format!("\"{name}\""), "\"\"");
    let hash = Sha256::digest(text.as_bytes());
    let name = format!("packages-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]);
    let folder = folders::downloads()?.join(&name);
    let _lock = folders::lock(&name)?;
    // Not made elsewhere and moved: Python's environments know where they are.
    let done = folder.join("done");
    if !done.exists() {
        eprintln!("installing what {list} names ...");
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| cannot("delete", &folder))?;
        }
        fs::create_dir_all(&folder).with_context(|| cannot("make", &folder))?;
        fs::copy(project.join(list), folder.join(list)).with_context(|| cannot("copy", &project.join(list)))?;
        install(&folder)?;
        fs::write(&done, "").with_context(|| cannot("write", &done))?;
    }
    let link = project.join(made);
    symlink(folder.join(made), &link).with_context(|| cannot("link", &link))
}
