//! `cargo xtask bench` and `cargo xtask soak`: services for load, then the program that measures; fuzzing.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use clap::Parser;
use xtask::services::KafkaRecipe;
use xtask::workspace::{self, Metadata};

use super::demo::build_wasmill;
use super::environment::Environment;
use super::run::run;
use super::{plugins, properties};

pub(crate) fn bench(args: &[OsString]) -> Result<()> {
    measure("bench", args)
}

/// What runs too long for `test`: without arguments both parts.
pub(crate) fn soak(args: &[OsString]) -> Result<()> {
    match args {
        [] => {
            properties::soak(&[])?;
            measure("soak", args)
        }
        [part, rest @ ..] if part == "properties" => properties::soak(rest),
        [part, rest @ ..] if part == "fuzz" => fuzz(rest),
        _ => measure("soak", args),
    }
}

/// How long which inputs are changed: `[TARGET] [--minutes N]`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask soak fuzz", bin_name = "cargo xtask soak fuzz", no_binary_name = true)]
struct Fuzz {
    /// Only targets whose names contain this, such as `verdicts`; `tests/corpora` has a folder for each
    target: Option<String>,
    /// Minutes for each of them
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The seed of a run that is to be repeated
    #[arg(long)]
    seed: Option<u64>,
}

/// Whatever reads bytes from outside, with changed inputs for a time.
fn fuzz(args: &[OsString]) -> Result<()> {
    let Fuzz { target, minutes, seed } = Fuzz::try_parse_from(args)?;
    plugins::build()?;
    let mut cargo = workspace::cargo();
    cargo
        .args(["test", "--release", "--package", "wasmill-tests", "--test", "fuzz", "--"])
        .args(target)
        .arg("--nocapture");
    cargo.env("WASMILL_FUZZ_SECONDS", (minutes * 60).to_string());
    seed.map(|seed| cargo.env("WASMILL_FUZZ_SEED", seed.to_string()));
    run(&mut cargo)
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
