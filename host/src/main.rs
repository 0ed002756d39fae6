//! The `wasmill` binary: what was typed → a command → an exit code.

use std::process::ExitCode;

use clap::Parser;
use wasmill::cli::{Cli, Command, PluginArgs, PluginCommand};
use wasmill::commands::{self, Exit};

/// Replaces C's malloc too, so that librdkafka's allocations are freed cheaply on other threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == wasmill_engine::COMPILE_ARGUMENT) {
        return wasmill_engine::compile_child_main();
    }
    let cli = Cli::parse();
    let ended = match wasmill::logging::start() {
        Err(reason) => Ok(Exit::bad_setup(reason)),
        Ok(()) => dispatch(cli),
    };
    match ended {
        Ok(exit) => exit.finish(),
        Err(error) => Exit::failed(format!("{error:#}")).finish(),
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Run(args) => in_runtime(commands::run::run(&args)),
        Command::Validate(args) => Ok(commands::validate::run(&args)),
        Command::Doctor(args) => in_runtime(async move { Ok(commands::doctor::run(&args).await) }),
        Command::Schema(args) => {
            commands::print(&commands::schema::schema(&args));
            Ok(Exit::success())
        }
        Command::Demo(args) => in_runtime(commands::demo::run(&args)),
        Command::Offsets(args) => in_runtime(commands::offsets::run(&args)),
        Command::Dlq(args) => in_runtime(commands::dlq::run(&args)),
        Command::Plugin(PluginArgs { command: PluginCommand::History(args) }) => {
            in_runtime(commands::history::run(&args))
        }
        Command::Plugin(PluginArgs { command: PluginCommand::Inspect(args) }) => commands::inspect::run(&args),
        Command::Plugin(PluginArgs { command: PluginCommand::Pipe(args) }) => commands::pipe::run(&args),
    }
}

fn in_runtime(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(command);
    // A thread that waits for a line of standard input would hold the process otherwise.
    runtime.shutdown_background();
    exit
}
