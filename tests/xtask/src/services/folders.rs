//! Where services live on disk: downloads shared by every checkout, and one folder of run data per checkout.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::workspace;

/// Downloads and prepared templates: `…/wasmill/services`.
pub(super) fn downloads() -> Result<PathBuf> {
    made(base()?.join("services"))
}

/// The run data of this checkout: `…/wasmill/run/NAME-HASH`.
pub(super) fn run() -> Result<PathBuf> {
    let root = workspace::root();
    let hash = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let name = root.file_name().map_or_else(|| "checkout".into(), |name| name.to_string_lossy());
    made(base()?.join("run").join(format!("{name}-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])))
}

/// Holds the lock of one download until the file is dropped, so that of two starters one waits for the other's work.
pub(super) fn lock(name: &str) -> Result<File> {
    let path = downloads()?.join(format!("{name}.lock"));
    let file = File::options().create(true).append(true).open(&path).with_context(|| cannot("open", &path))?;
    file.lock().with_context(|| cannot("lock", &path))?;
    Ok(file)
}

/// Whether we run as root: PostgreSQL then runs as another user.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// The path with a suffix to its name: `NAME.SUFFIX`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// "cannot WHAT PATH", for the context of an I/O error.
pub(super) fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

fn base() -> Result<PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(cache) = given("XDG_CACHE_HOME") {
        return Ok(cache.join("wasmill"));
    }
    // As root the database runs as another user, who cannot walk into root's home.
    if is_root() {
        return Ok(PathBuf::from("/var/cache/wasmill"));
    }
    let home =
        given("HOME").context("neither HOME nor XDG_CACHE_HOME is set: set one, it holds downloaded services")?;
    Ok(home.join(".cache/wasmill"))
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&folder).with_context(|| cannot("make", &folder))?;
    if is_root() {
        open_to_walk(&folder)?;
    }
    Ok(folder)
}

/// Lets every user walk to a folder: widens those that are ours, refuses where one further up is closed.
fn open_to_walk(folder: &Path) -> Result<()> {
    for step in folder.ancestors() {
        let mode = fs::metadata(step).with_context(|| cannot("read", step))?.permissions().mode();
        if mode & 0o001 == 0 {
            if !step.components().any(|part| part.as_os_str() == "wasmill") {
                bail!(
                    "{} is closed to other users, but PostgreSQL runs as `nobody` when started by root: \
                     unset XDG_CACHE_HOME or point it to a folder that everyone can walk to",
                    step.display()
                );
            }
            fs::set_permissions(step, fs::Permissions::from_mode(0o755)).with_context(|| cannot("open", step))?;
        }
    }
    Ok(())
}
