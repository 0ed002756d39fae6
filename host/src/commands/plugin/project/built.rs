//! What was built, and of which sources, so that it is not built again as long as these stay. The tools of other languages make a component of
//! other bytes each time: whoever has tested one wants that one, and no other.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wasmill_core::Digest;

use super::sources;

/// What was built last, as it is kept in the project's `target` folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Built {
    /// Of the project's files when the build began.
    sources: Digest,
    /// The component, as seen from the project's folder.
    file: PathBuf,
    /// Of the component and what lies beside it.
    made: Digest,
}

impl Built {
    /// The component in `folder`, if it was built of `sources` and nobody has touched it since.
    pub(super) fn find(folder: &Path, sources: Digest) -> Option<PathBuf> {
        let kept: Self = serde_json::from_slice(&fs::read(place(folder)).ok()?).ok()?;
        let now = Self::of(folder, sources, &kept.file)?;
        (kept == now).then(|| folder.join(kept.file))
    }

    /// Keeps that `file` was built of `sources`. Where that fails, it is built once more than needed.
    pub(super) fn keep(folder: &Path, sources: Digest, file: &Path) {
        if let Some(built) = Self::of(folder, sources, file) {
            let _ = fs::write(place(folder), serde_json::json!(built).to_string());
        }
    }

    /// As it is now.
    fn of(folder: &Path, sources: Digest, file: &Path) -> Option<Self> {
        let component = folder.join(file);
        let made = sources::digest(component.parent()?).ok().filter(|_| component.is_file())?;
        Some(Self { sources, file: file.to_owned(), made })
    }
}

fn place(folder: &Path) -> PathBuf {
    folder.join("target/built.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_is_taken_again_until_a_source_it_or_its_settings_change() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path();
        let write = |file: &str, text: &str| {
            let file = project.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        let (file, settings) = ("target/plugins/x.wasm", "target/plugins/x.yaml");
        let find = || Built::find(project, sources::digest(project).unwrap());
        let build = || {
            write(file, "component");
            write(settings, "config: {}");
            Built::keep(project, sources::digest(project).unwrap(), Path::new(file));
        };
        write("plugin.js", "one");
        assert_eq!(find(), None);
        build();
        assert_eq!(find(), Some(project.join(file)));
        for (changed, text) in [("plugin.js", "two"), ("lib/new.js", ""), (file, "other"), (settings, "")] {
            write(changed, text);
            assert_eq!(find(), None, "{changed}");
            build();
            assert_eq!(find(), Some(project.join(file)));
        }
        for gone in ["lib/new.js", settings, file, "target/built.json"] {
            fs::remove_file(project.join(gone)).unwrap();
            assert_eq!(find(), None, "{gone}");
            build();
        }
    }
}
