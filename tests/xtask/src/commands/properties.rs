//! The cases of properties: how many there are, and the seed that they come from.

use std::env;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Parser;
use xtask::workspace;

use super::plugins;
use super::run::run;
use super::test::without_guests;

/// Cases of each property in a soak; `.cargo/config.toml` has those of a test run.
const SOAK_CASES: &str = "10000";
/// The test programs that hold properties, beside the libraries' own tests.
const PROGRAMS: [&str; 4] = ["core", "engine", "config", "problems"];
/// What proptest reads its seed from.
const SEED: &str = "PROPTEST_RNG_SEED";

/// Every property with many cases, those that feed random bytes to parsers and to the engine among them: `[--seed N]`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask soak properties", bin_name = "cargo xtask soak properties", no_binary_name = true)]
struct Properties {
    /// The seed of a run that is to be repeated
    #[arg(long)]
    seed: Option<u64>,
}

pub(super) fn soak(args: &[OsString]) -> Result<()> {
    let Properties { seed } = Properties::try_parse_from(args)?;
    plugins::build()?;
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--release", "--workspace", "--lib", "--no-fail-fast"]);
    for program in PROGRAMS {
        cargo.args(["--test", program]);
    }
    without_guests(&mut cargo)?;
    cargo.env("PROPTEST_CASES", SOAK_CASES);
    let seed = set_seed(&mut cargo, seed);
    run(&mut cargo).with_context(|| format!("again by `cargo xtask soak properties --seed {seed}`"))
}

/// Gives the properties of a run a seed: this one, that of the environment, or a new one.
pub(super) fn set_seed(cargo: &mut Command, seed: Option<u64>) -> u64 {
    let of_environment = || env::var(SEED).ok()?.parse().ok();
    let seed = seed.or_else(of_environment).unwrap_or_else(|| RandomState::new().hash_one(SEED));
    cargo.env(SEED, seed.to_string());
    seed
}
