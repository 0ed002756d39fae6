//! `wasmill plugin test`: the unit tests of a plugin's project, then its tests in this very engine; with `--watch` again at each change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cli::PluginTestArgs;
use crate::commands::plugin::project::Project;
use crate::commands::{Exit, say};

/// How often the project is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Folders of a project that no author edits.
const LEFT_OUT: [&str; 5] = ["target", ".git", "node_modules", ".venv", "__pycache__"];

/// The files of a project, and when each was changed.
type Listing = BTreeMap<PathBuf, SystemTime>;

/// Runs the tests; with `--watch` until it is interrupted.
///
/// # Errors
/// When there is no project, or its tools cannot be run.
pub(super) fn run(args: &PluginTestArgs) -> anyhow::Result<Exit> {
    if !args.watch {
        return test(&args.folder);
    }
    let mut tested = None;
    loop {
        let listing = listing(&args.folder);
        if tested.as_ref() != Some(&listing) {
            match test(&args.folder) {
                Ok(exit) if exit == Exit::success() => say("all tests passed; waiting for a change (Ctrl-C ends)\n"),
                Ok(_) => say("tests failed; waiting for a change (Ctrl-C ends)\n"),
                Err(error) => say(&format!("{error:#}; waiting for a change (Ctrl-C ends)\n")),
            }
            tested = Some(listing);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn test(folder: &Path) -> anyhow::Result<Exit> {
    let project = Project::open(folder)?;
    if !project.unit_tests()? {
        return Ok(Exit::failed("the unit tests failed; the component was not built"));
    }
    let component = project.build()?;
    match project.engine_tests(&component)? {
        true => Ok(Exit::success()),
        false => Ok(Exit::failed("the tests of the component failed")),
    }
}

/// What cannot be read is not there: it may be on its way from an editor.
fn listing(folder: &Path) -> Listing {
    let mut listing = Listing::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() && LEFT_OUT.iter().all(|left_out| name != *left_out) {
                folders.push(path);
            } else if let (true, Ok(changed)) = (about.is_file(), about.modified()) {
                listing.insert(path, changed);
            }
        }
    }
    // Cargo writes it itself.
    listing.remove(&folder.join("Cargo.lock"));
    listing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_has_what_authors_edit_and_not_what_tools_make() {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "src/lib.rs",
            "target/x.wasm",
            ".git/HEAD",
            "node_modules/a.js",
            "__pycache__/a.pyc",
            "Cargo.lock",
            "events.jsonl",
        ] {
            let file = folder.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "x").unwrap();
        }
        let files: Vec<PathBuf> = listing(folder.path()).into_keys().collect();
        assert_eq!(files, ["events.jsonl", "src/lib.rs"].map(|file| folder.path().join(file)));
    }
}
