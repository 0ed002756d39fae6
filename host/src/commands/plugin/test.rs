//! `wasmill plugin test`: the unit tests of a plugin's project, then its tests in this very engine; with `--watch` again at each change.

use std::path::Path;
use std::time::Duration;

use crate::cli::PluginTestArgs;
use crate::commands::plugin::project::{Project, listing};
use crate::commands::{Exit, say};

/// How often the project is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

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
