//! What a plugin directory holds, as far as it can be told without reading files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::config::plugins::{DIRECTORY_ENTRIES_MAX, matters};

/// The files that matter: names, and what changes when a file does. Links are followed, so one that flips is another file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing(BTreeMap<OsString, Seen>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// When anything of it changed last: a file that was replaced by one of the same size and time.
    changed: (i64, i64),
}

impl Listing {
    /// What `directory` holds now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(directory: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(directory)?.take(DIRECTORY_ENTRIES_MAX + 1) {
            let name = entry?.file_name();
            if !name.to_str().is_some_and(matters) {
                continue;
            }
            // What is gone again, or a link to nowhere, is not there.
            if let Ok(found) = std::fs::metadata(directory.join(&name)) {
                let seen = Seen {
                    device: found.dev(),
                    inode: found.ino(),
                    bytes: found.len(),
                    modified: (found.mtime(), found.mtime_nsec()),
                    changed: (found.ctime(), found.ctime_nsec()),
                };
                files.insert(name, seen);
            }
        }
        Ok(Self(files))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_to_change_a_plugin_is_seen_and_other_files_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let look = || Listing::of(folder.path()).unwrap();
        let mut last = look();
        let mut differs = |what: &str, is_other: bool| {
            let now = look();
            assert_eq!(now != last, is_other, "{what}");
            last = now;
        };
        fs::write(at("10-a.wasm"), "a").unwrap();
        differs("a new file", true);
        differs("nothing", false);
        fs::write(at(".10-b.wasm.Xy7"), "b").unwrap();
        fs::write(at("10-b.wasm.tmp"), "b").unwrap();
        fs::create_dir(at("..2026_01")).unwrap();
        differs("temporary names", false);
        fs::rename(at("10-b.wasm.tmp"), at("10-a.wasm")).unwrap();
        differs("a file moved into place", true);
        fs::write(at("10-a.yaml"), "config: {}").unwrap();
        differs("settings", true);
        fs::rename(at("10-a.wasm"), at("20-a.wasm")).unwrap();
        differs("another place in the order", true);
        fs::write(at("..2026_01/30-c.wasm"), "c").unwrap();
        symlink("..2026_01", at("..data")).unwrap();
        symlink("..data/30-c.wasm", at("30-c.wasm")).unwrap();
        differs("a link", true);
        fs::create_dir(at("..2026_02")).unwrap();
        fs::write(at("..2026_02/30-c.wasm"), "c").unwrap();
        symlink("..2026_02", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        differs("a link that flips", true);
        fs::remove_file(at("20-a.wasm")).unwrap();
        differs("a file that is gone", true);
        assert!(Listing::of(&at("nowhere")).is_err());
    }
}
