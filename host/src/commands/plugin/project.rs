//! The project of a plugin in a folder: found, built and tested by the tools of its language.

mod built;
mod rust;
mod scripts;
mod sources;

use std::path::{Path, PathBuf};

use anyhow::Context;

use rust::Crate;
use scripts::Scripts;
pub(super) use sources::listing;

/// A plugin's project, by its language.
#[derive(Debug)]
pub(super) enum Project {
    /// Cargo builds it.
    Rust(Crate),
    /// A script of its own builds it: JavaScript or Python.
    Scripts(Scripts),
}

impl Project {
    /// The project in `folder`.
    ///
    /// # Errors
    /// When there is none, it makes no component, or its tools do not understand it.
    pub(super) fn open(folder: &Path) -> anyhow::Result<Self> {
        match Scripts::find(folder) {
            Some(scripts) => Ok(Self::Scripts(scripts)),
            None => Crate::open(folder).map(Self::Rust),
        }
    }

    /// Builds the component and puts it, with its settings, where it is looked for.
    ///
    /// # Errors
    /// When its tools are missing, or fail; their own words are on standard error then.
    pub(super) fn build(&self) -> anyhow::Result<PathBuf> {
        match self {
            Self::Rust(project) => project.build(),
            Self::Scripts(project) => project.build(),
        }
    }

    /// Runs the unit tests on this machine.
    ///
    /// # Errors
    /// When its tools cannot be run.
    pub(super) fn unit_tests(&self) -> anyhow::Result<bool> {
        match self {
            Self::Rust(project) => project.unit_tests(),
            Self::Scripts(project) => project.unit_tests(),
        }
    }

    /// Runs the tests of the component, if there are any, with this program as the engine.
    ///
    /// # Errors
    /// When its tools cannot be run.
    pub(super) fn engine_tests(&self, component: &Path) -> anyhow::Result<bool> {
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let component = component.canonicalize().with_context(|| format!("{} is gone", component.display()))?;
        let variables = [("WASMILL_BIN", program.as_path()), ("WASMILL_PLUGIN", component.as_path())];
        match self {
            Self::Rust(project) => project.engine_tests(&variables),
            Self::Scripts(project) => project.engine_tests(&variables),
        }
    }
}

/// As it is typed in the commands that follow: `./file` is `file`.
fn as_typed(file: PathBuf) -> PathBuf {
    file.strip_prefix(".").map(Path::to_owned).unwrap_or(file)
}
