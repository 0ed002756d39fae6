//! The files of the plugins that served last, beside the compiled code: a start with a bad directory goes on with them.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use wasmill_core::Digest;

use super::plugins::LoadedFile;

/// Pipelines and directories that are remembered; the one that began longest ago goes.
const FOLDERS_MAX: usize = 64;

/// Where they are kept, for one pipeline and directory.
pub(super) struct GoodFiles(PathBuf);

impl GoodFiles {
    pub(super) fn new(cache_dir: &Path, pipeline: &str, directory: &Path) -> Self {
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let key = Digest::of_parts([pipeline.as_bytes(), directory.as_os_str().as_encoded_bytes()]);
        Self(cache_dir.join("served").join(format!("{pipeline}-{key:#}")))
    }

    /// The folder, if anything was kept.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.0.is_dir().then_some(&*self.0)
    }

    /// Keeps `files` in the place of those before.
    pub(super) fn keep(&self, files: &[LoadedFile]) -> io::Result<()> {
        let parent = self.0.parent().unwrap_or(&self.0);
        std::fs::create_dir_all(parent)?;
        let new = tempfile::tempdir_in(parent)?;
        for LoadedFile { bytes, file, .. } in files {
            std::fs::write(new.path().join(&file.name).with_added_extension("wasm"), bytes)?;
            if let Some(written) = &file.written {
                std::fs::write(new.path().join(&file.name).with_added_extension("yaml"), written)?;
            }
        }
        self.put(new.path())?;
        forget_oldest(parent)
    }

    /// Puts the folder `new` into its place. What stood there is where `new` was, if both could change places: then there is no moment
    /// without any.
    fn put(&self, new: &Path) -> io::Result<()> {
        if renameat_with(CWD, new, CWD, &self.0, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
        // Nothing was there, or the file system cannot.
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        match std::fs::rename(new, &self.0) {
            // Another process of the pipeline has just kept the same.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            renamed => renamed,
        }
    }
}

fn forget_oldest(parent: &Path) -> io::Result<()> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        folders.push((entry.metadata()?.modified()?, entry.path()));
    }
    folders.sort();
    let surplus = folders.len().saturating_sub(FOLDERS_MAX);
    folders[..surplus].iter().try_for_each(|(_, path)| std::fs::remove_dir_all(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_bounded_and_each_pipeline_and_directory_has_its_own() {
        let cache = tempfile::tempdir().unwrap();
        let of = |pipeline: &str, directory: &str| GoodFiles::new(cache.path(), pipeline, Path::new(directory));
        for n in 0..FOLDERS_MAX {
            of(&format!("p{n}"), "/plugins.d").keep(&[]).unwrap();
        }
        std::fs::write(of("p1", "/plugins.d").folder().unwrap().join("10-old.wasm"), "").unwrap();
        of("p1", "/plugins.d").keep(&[]).unwrap();
        assert_eq!(std::fs::read_dir(of("p1", "/plugins.d").folder().unwrap()).unwrap().count(), 0);
        of("last", "/plugins.d").keep(&[]).unwrap();
        assert!(of("p0", "/plugins.d").folder().is_none());
        assert!(of("p1", "/plugins.d").folder().is_some() && of("last", "/plugins.d").folder().is_some());
        assert!(of("last", "/other.d").folder().is_none());
        assert_eq!(std::fs::read_dir(cache.path().join("served")).unwrap().count(), FOLDERS_MAX);
    }
}
