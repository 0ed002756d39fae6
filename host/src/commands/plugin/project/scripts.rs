//! A plugin in JavaScript or Python: its own scripts build and test it, run by the tools that are installed in its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::built::Built;
use super::{as_typed, sources};
use crate::commands::say;

/// A plugin's folder with its scripts.
#[derive(Debug)]
pub(in crate::commands::plugin) struct Scripts {
    folder: PathBuf,
    language: &'static Language,
}

/// How the scripts of a language are run.
#[derive(Debug)]
struct Language {
    /// The file that marks a project.
    mark: &'static str,
    /// What is there in a project once its tools are installed, and the command that installs them.
    tools: (&'static str, &'static str),
    /// Runs the scripts: on the path, or in the folder.
    program: &'static str,
    /// Where that comes from.
    install: &'static str,
    /// Arguments to build, to run unit tests, and to run tests of the component. The last line that `build` prints is the component's file.
    build: &'static [&'static str],
    unit_tests: &'static [&'static str],
    engine_tests: &'static [&'static str],
    /// The file of the tests of the component.
    engine_tests_file: &'static str,
}

const LANGUAGES: [Language; 2] = [
    Language {
        mark: "package.json",
        tools: ("node_modules", "npm install"),
        program: "npm",
        install: "install Node.js 20 or later from https://nodejs.org",
        build: &["run", "--silent", "build"],
        unit_tests: &["run", "--silent", "test"],
        engine_tests: &["run", "--silent", "test:engine"],
        engine_tests_file: "tests/engine.test.js",
    },
    Language {
        mark: "build.py",
        tools: (PYTHON, "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"),
        program: PYTHON,
        install: "install Python 3.11 or later from https://www.python.org",
        build: &["build.py"],
        unit_tests: &["-m", "unittest", "tests/test_unit.py"],
        engine_tests: &["-m", "unittest", "tests/test_engine.py"],
        engine_tests_file: "tests/test_engine.py",
    },
];
/// The Python in which the tools are installed, so that nothing on the machine is touched.
const PYTHON: &str = ".venv/bin/python";

impl Scripts {
    /// The project in `folder`, if it is of such a language.
    pub(super) fn find(folder: &Path) -> Option<Self> {
        let is_it = |language: &&Language| folder.join(language.mark).is_file();
        // A crate may have such files beside it.
        let language = LANGUAGES.iter().find(is_it).filter(|_| !folder.join("Cargo.toml").is_file())?;
        Some(Self { folder: folder.to_owned(), language })
    }

    /// Builds the component and puts it, with its settings, where it is looked for; or takes the one that is there, where nothing has
    /// changed since it was built.
    ///
    /// # Errors
    /// When the tools are not installed, or fail; their own words are on standard error then.
    pub(super) fn build(&self) -> anyhow::Result<PathBuf> {
        // From before the build: what is edited meanwhile is built next time.
        let sources = sources::digest(&self.folder).context("the project cannot be read")?;
        if let Some(file) = Built::find(&self.folder, sources).map(as_typed) {
            say(&format!("{} is up to date: nothing has changed since it was built\n", file.display()));
            return Ok(file);
        }
        let file = self.run_build()?;
        Built::keep(&self.folder, sources, &file);
        Ok(as_typed(self.folder.join(file)))
    }

    /// The component's file, as seen from the folder.
    fn run_build(&self) -> anyhow::Result<PathBuf> {
        let output = self.script(self.language.build)?.stderr(Stdio::inherit()).output();
        let output = output.with_context(|| self.cannot_run())?;
        if !output.status.success() {
            bail!("the plugin does not build; see above");
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let file = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let file = file.map(PathBuf::from).filter(|file| self.folder.join(file).is_file());
        let what = self.language.build.join(" ");
        file.with_context(|| format!("the last line of `{what}` is to be the component's file, and is not"))
    }

    /// Runs the unit tests on this machine.
    ///
    /// # Errors
    /// When the tools are not installed.
    pub(super) fn unit_tests(&self) -> anyhow::Result<bool> {
        self.test(self.language.unit_tests, &[])
    }

    /// Runs the tests of the component, if there are any.
    ///
    /// # Errors
    /// When the tools are not installed.
    pub(super) fn engine_tests(&self, variables: &[(&str, &Path)]) -> anyhow::Result<bool> {
        match self.folder.join(self.language.engine_tests_file).is_file() {
            true => self.test(self.language.engine_tests, variables),
            false => Ok(true),
        }
    }

    fn test(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> anyhow::Result<bool> {
        let status = self.script(arguments)?.envs(variables.iter().copied()).status();
        Ok(status.with_context(|| self.cannot_run())?.success())
    }

    fn script(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let Language { tools: (tools, install), program, .. } = self.language;
        if !self.folder.join(tools).exists() {
            let folder = self.folder.display();
            bail!(
                "the tools that build it are not installed: run `{install}` in the folder {folder}, once ({})",
                self.language.install
            );
        }
        // A path with folders in it would be looked for from here on, not from the folder.
        let program = match fs::canonicalize(&self.folder).map(|folder| folder.join(program)) {
            Ok(inside) if inside.exists() => inside,
            _ => PathBuf::from(program),
        };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder);
        Ok(command)
    }

    fn cannot_run(&self) -> String {
        format!("cannot run {}: {}", self.language.program, self.language.install)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_is_told_by_its_mark_and_missing_tools_with_the_command_that_installs_them() {
        for (mark, install) in [("package.json", "npm install"), ("build.py", "pip install -r requirements.txt")] {
            let folder = tempfile::tempdir().unwrap();
            assert!(Scripts::find(folder.path()).is_none());
            fs::write(folder.path().join(mark), "").unwrap();
            let scripts = Scripts::find(folder.path()).unwrap();
            let why = scripts.build().unwrap_err().to_string();
            assert!(why.contains(install), "{why}");
            fs::write(folder.path().join("Cargo.toml"), "").unwrap();
            assert!(Scripts::find(folder.path()).is_none(), "a crate with a {mark}");
        }
    }
}
