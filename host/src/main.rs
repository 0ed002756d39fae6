//! The `wasmill` binary: what was typed → a command → an exit code.

use std::process::ExitCode;

use clap::Parser;
use wasmill::cli::{Cli, Command};
use wasmill::commands::{self, Exit, in_runtime};

/// Replaces C's malloc too, so that librdkafka's allocations are freed cheaply on other threads.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == wasmill_engine::COMPILE_ARGUMENT) {
        return wasmill_engine::compile_child_main();
    }
    let cli = Cli::parse();
    let ended = match wasmill::logging::start(matches!(cli.command, Command::Plugin(_) | Command::Test(_))) {
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
        Command::Test(args) => in_runtime(commands::test::run(&args)),
        Command::Schema(args) => {
            commands::print(&commands::schema::schema(&args));
            Ok(Exit::success())
        }
        Command::Demo(args) => in_runtime(commands::demo::run(&args)),
        Command::Offsets(args) => in_runtime(commands::offsets::run(&args)),
        Command::Dlq(args) => in_runtime(commands::dlq::run(&args)),
        Command::Tap(args) => in_runtime(async move { commands::tap::run(&args).await }),
        Command::Plugin(args) => commands::plugin::run(&args.command),
    }
}
