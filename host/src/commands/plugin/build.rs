//! `wasmill plugin build`: the component of a plugin's project, and what it is.

use crate::cli::{BuildArgs, InspectArgs};
use crate::commands::plugin::inspect;
use crate::commands::plugin::project::Project;
use crate::commands::plugin::subject::{BYTES_USUAL, Subject};
use crate::commands::{Exit, say};

/// Builds the component and prints what it is.
///
/// # Errors
/// When it does not build.
pub(super) fn run(args: &BuildArgs) -> anyhow::Result<Exit> {
    let project = Project::open(&args.folder)?;
    let file = project.build()?;
    let bytes = std::fs::metadata(&file)?.len();
    // What is not Rust brings its language.
    if bytes > BYTES_USUAL as u64 && matches!(project, Project::Rust(_)) {
        let smaller = Subject::SMALLER;
        say(&format!("warning: the component has {bytes} bytes, and most have less than {BYTES_USUAL}: {smaller}\n"));
    }
    inspect::run(&InspectArgs { file, config: None, wit: false, format: args.format })
}
