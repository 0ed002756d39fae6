//! `cargo xtask`: see `cargo xtask --help`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "printing is what a chore does")]

mod commands {
    pub(crate) mod advisories;
    pub(crate) mod bench;
    pub(crate) mod demo;
    pub(crate) mod environment;
    pub(crate) mod licences;
    pub(crate) mod lint;
    pub(crate) mod plugins;
    pub(crate) mod policy;
    pub(crate) mod properties;
    pub(crate) mod run;
    pub(crate) mod services;
    pub(crate) mod test;
}

use std::process::ExitCode;

use clap::Parser;
use xtask::cli::{Chore, Cli};

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::Demo { args } => commands::demo::demo(&args),
        Chore::Test { filter } => commands::test::test(&filter),
        Chore::Plugins => commands::plugins::plugins(),
        Chore::Services(chore) => commands::services::services(chore),
        Chore::Bench { args } => commands::bench::bench(&args),
        Chore::Soak { args } => commands::bench::soak(&args),
        Chore::Lint => commands::lint::lint(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
