//! Where the `wasmill` binary and built plugins are found.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// What makes a binary where there is none.
const GET_BINARY: &str = "cargo build --release -p wasmill";

/// The binary: `WASMILL_BIN`, else the workspace's release build, else the PATH.
///
/// # Errors
/// When there is none; says what to do.
pub fn wasmill_binary() -> anyhow::Result<PathBuf> {
    let built = target_folders().into_iter().map(|target| target.join("release/wasmill"));
    let on_path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&on_path).map(|folder| folder.join("wasmill")).collect::<Vec<_>>();
    match find(named("WASMILL_BIN"), built.chain(on_path), "wasmill", GET_BINARY) {
        // Whoever writes a plugin has no source of it.
        Err(_) if named("WASMILL_BIN").is_none() && !is_ours() => {
            bail!("there is no wasmill, which runs the plugin: put its binary on the PATH, or name it in WASMILL_BIN")
        }
        found => found,
    }
}

/// The component of a package: `WASMILL_PLUGIN`, else in the folder `WASMILL_PLUGINS`, else what `cargo xtask plugins` built in
/// this workspace.
///
/// # Errors
/// When it has not been built; says what to run.
///
/// ```no_run
/// use wasmill_harness::{plugin_file, wasmill_binary};
///
/// let (plugin, wasmill) = (plugin_file("alert-rules")?, wasmill_binary()?);
/// println!("{} runs {}", wasmill.display(), plugin.display());
/// # Ok::<(), anyhow::Error>(())
/// ```
pub fn plugin_file(package: &str) -> anyhow::Result<PathBuf> {
    find(named("WASMILL_PLUGIN"), candidates(package), &format!("{package}.wasm"), "cargo xtask plugins")
}

/// The same, where there is one.
///
/// # Errors
/// When a variable names one that is not there.
pub(crate) fn built_plugin(package: &str) -> anyhow::Result<Option<PathBuf>> {
    let is_named = named("WASMILL_PLUGIN").is_some();
    if is_named || candidates(package).any(|file| file.is_file()) { plugin_file(package).map(Some) } else { Ok(None) }
}

fn candidates(package: &str) -> impl Iterator<Item = PathBuf> {
    let folder = named("WASMILL_PLUGINS").map(|(_, folder)| folder);
    // Elsewhere what lies there may be older than the sources; cargo knows.
    let built = workspace().filter(|_| is_ours()).map(|root| root.join("target/plugins"));
    let name = format!("{package}.wasm");
    folder.into_iter().chain(built).map(move |folder| folder.join(&name))
}

/// Whether the crate under test is of the workspace that makes the binary.
fn is_ours() -> bool {
    workspace().is_some_and(|root| root.join("host/src/main.rs").is_file())
}

/// A variable that holds a path, with its name.
fn named(variable: &'static str) -> Option<(&'static str, PathBuf)> {
    Some((variable, env::var_os(variable)?.into()))
}

/// What a variable names, else the first of `candidates` that is there.
fn find(
    named: Option<(&str, PathBuf)>,
    candidates: impl Iterator<Item = PathBuf>,
    what: &str,
    command: &str,
) -> anyhow::Result<PathBuf> {
    match named {
        Some((_, file)) if file.is_file() => Ok(file),
        Some((variable, file)) => {
            bail!(
                "{variable} is {}, which is not there: build it with `{command}`, or unset {variable}",
                file.display()
            )
        }
        None => match candidates.into_iter().find(|file| file.is_file()) {
            Some(file) => Ok(file),
            None => bail!("there is no {what}: build it with `{command}`"),
        },
    }
}

fn target_folders() -> Vec<PathBuf> {
    let named = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.into_iter().chain(workspace().map(|root| root.join("target"))).collect()
}

/// The folder of the crate under test: cargo says it, and else tests run in it.
///
/// # Errors
/// When there is no working folder.
pub(crate) fn package_folder() -> anyhow::Result<PathBuf> {
    match env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => Ok(folder.into()),
        None => env::current_dir().context("the folder of the crate is not known"),
    }
}

/// The folder of the outermost `Cargo.lock` at or above the crate under test.
pub(crate) fn workspace() -> Option<PathBuf> {
    let here = package_folder().ok()?;
    here.ancestors().filter(|folder| folder.join("Cargo.lock").is_file()).last().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")
    }

    #[test]
    fn what_a_variable_names_goes_before_what_was_built() {
        let named = Some(("WASMILL_BIN", here()));
        let found = find(named, [PathBuf::from("/other")].into_iter(), "wasmill", "cargo build");
        assert_eq!(found.unwrap(), here());
    }

    #[test]
    fn the_first_candidate_that_is_there_is_taken() {
        let candidates = [PathBuf::from("/there/is/none"), here()];
        assert_eq!(find(None, candidates.into_iter(), "wasmill", "cargo build").unwrap(), here());
    }

    #[test]
    fn what_is_missing_is_told_with_the_command_that_makes_it() {
        let named = Some(("WASMILL_BIN", PathBuf::from("/there/is/none")));
        let why = find(named, [here()].into_iter(), "wasmill", "cargo build").unwrap_err().to_string();
        assert_eq!(
            why,
            "WASMILL_BIN is /there/is/none, which is not there: build it with `cargo build`, or unset WASMILL_BIN"
        );
        let why = find(None, std::iter::empty(), "x.wasm", "cargo xtask plugins").unwrap_err().to_string();
        assert_eq!(why, "there is no x.wasm: build it with `cargo xtask plugins`");
    }
}
