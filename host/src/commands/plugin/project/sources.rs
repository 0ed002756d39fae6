//! The files of a project that its author edits. What tools make of them and git keeps is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use wasmill_core::Digest;

/// Folders of a project that no author edits.
const LEFT_OUT: [&str; 5] = ["target", ".git", "node_modules", ".venv", "__pycache__"];

/// The files below `folder` by their paths, and when each was changed. What cannot be read is not there: it may be on its way from an
/// editor.
pub(in crate::commands::plugin) fn listing(folder: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut listing = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        // A link may lead back.
        if !fs::canonicalize(&folder).is_ok_and(|folder| seen.insert(folder)) {
            continue;
        }
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let Ok(about) = fs::metadata(&path) else { continue };
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

/// A digest of the names and bytes of those files.
///
/// # Errors
/// When one cannot be read.
pub(super) fn digest(folder: &Path) -> io::Result<Digest> {
    let mut parts = Vec::new();
    for path in listing(folder).keys() {
        let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes();
        parts.extend([Digest::of(name), Digest::of(&fs::read(path)?)]);
    }
    Ok(Digest::of_parts(parts.iter().map(|part| part.as_bytes().as_slice())))
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
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "x").unwrap();
        }
        let files: Vec<PathBuf> = listing(folder.path()).into_keys().collect();
        assert_eq!(files, ["events.jsonl", "src/lib.rs"].map(|file| folder.path().join(file)));
    }

    #[test]
    fn listing_has_what_links_lead_to_once() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("shared.py"), "").unwrap();
        let link = |to: &Path, name: &str| std::os::unix::fs::symlink(to, folder.path().join(name)).unwrap();
        link(other.path(), "lib");
        link(&other.path().join("shared.py"), "one.py");
        link(folder.path(), "back");
        link(Path::new("nowhere"), "gone");
        let files: Vec<PathBuf> = listing(folder.path()).into_keys().collect();
        assert_eq!(files, ["lib/shared.py", "one.py"].map(|file| folder.path().join(file)));
    }

    #[test]
    fn digest_is_of_names_and_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| fs::write(folder.path().join(file), text).unwrap();
        let now = || digest(folder.path()).unwrap();
        write("a", "one");
        let one = now();
        write("a", "one");
        assert_eq!(now(), one);
        write("a", "two");
        assert_ne!(now(), one);
        write("a", "one");
        fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        assert_ne!(now(), one);
    }
}
