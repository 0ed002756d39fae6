//! `wasmill plugin`: plugins are made, built, tested, tried out, and looked at where they serve.

mod anatomy;
mod bench;
mod build;
mod check;
mod config_schema;
mod history;
mod inspect;
mod list;
mod new;
mod project;
mod run;
mod subject;
mod test;

use crate::cli::PluginCommand;
use crate::commands::{Exit, in_runtime, pipe};

/// Runs one of the sub-commands. Plugins are run on this thread: outside of any async runtime.
///
/// # Errors
/// When files or standard streams fail, or home does not answer.
pub fn run(command: &PluginCommand) -> anyhow::Result<Exit> {
    match command {
        PluginCommand::New(args) => new::run(args),
        PluginCommand::Build(args) => build::run(args),
        PluginCommand::Test(args) => test::run(args),
        PluginCommand::Run(args) => run::run(args),
        PluginCommand::Check(args) => check::run(args),
        PluginCommand::Bench(args) => bench::run(args),
        PluginCommand::List(args) => list::run(args),
        PluginCommand::Inspect(args) => inspect::run(args),
        PluginCommand::History(args) => in_runtime(history::run(args)),
        PluginCommand::Pipe(args) => pipe::run(args),
    }
}
