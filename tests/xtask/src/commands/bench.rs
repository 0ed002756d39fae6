//! `cargo xtask bench` and `cargo xtask soak`: services for load, then the program that measures.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use xtask::services::KafkaRecipe;
use xtask::workspace::{self, Metadata};

use super::demo::build_wasmill;
use super::environment::Environment;
use super::plugins;
use super::run::run;

pub(crate) fn bench(args: &[OsString]) -> Result<()> {
    measure("bench", args)
}

pub(crate) fn soak(args: &[OsString]) -> Result<()> {
    measure("soak", args)
}

fn measure(what: &str, args: &[OsString]) -> Result<()> {
    plugins::build()?;
    build_wasmill()?;
    run(workspace::cargo().args(["build", "--release", "--package", "wasmill-tests", "--bin", "wasmill-bench"]))?;
    let environment = Environment::start(KafkaRecipe { full_jit: true })?;
    let mut program = Command::new(Metadata::of_workspace()?.target_directory.join("release/wasmill-bench"));
    // Paths among the arguments are the caller's, so its folder stays ours.
    program.arg(what).args(args);
    environment.apply(&mut program);
    run(&mut program)
}
