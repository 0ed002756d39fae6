//! `cargo xtask lint`: all checks that need no service, every one of them even after one failed.

use std::cell::RefCell;
use std::process::Command;

use anyhow::{Result, bail};
use xtask::services::Requirement;
use xtask::workspace::{self, Metadata};

use super::advisories;
use super::demo::build_wasmill;
use super::licences;
use super::plugins::{self, TARGET};
use super::policy;
use super::run::run;

pub(crate) fn lint() -> Result<()> {
    Requirement::check(Requirement::TO_BUILD)?;
    let metadata = Metadata::of_workspace()?;
    let guests = names(&metadata, "tests/guests");
    let wasm = [names(&metadata, "plugins"), guests.clone(), vec!["wasmill-sdk".to_owned()]].concat();
    let unchecked = RefCell::new(None);
    let checks: [(&str, &dyn Fn() -> Result<()>); 8] = [
        ("format", &|| run(cargo(&["fmt", "--all"]).arg("--check"))),
        ("lints", &|| {
            run(without(&mut cargo(&["clippy", "--release", "--workspace", "--all-targets"]), &guests).args(DENY))
        }),
        ("lints of guests", &|| {
            plugins::add_target()?;
            run(only(&mut cargo(&["clippy", "--profile", "plugin", "--target", TARGET]), &wasm).args(DENY))
        }),
        ("documentation", &|| {
            let mut doc = cargo(&["doc", "--release", "--no-deps", "--workspace"]);
            run(without(doc.env("RUSTDOCFLAGS", "-D warnings"), &guests))
        }),
        ("licences", &licences::check),
        ("dependencies", &policy::check),
        ("advisories", &|| {
            *unchecked.borrow_mut() = advisories::check()?;
            Ok(())
        }),
        ("house rules", &|| {
            // One rule asks the binary for its commands.
            build_wasmill()?;
            run(&mut cargo(&["test", "--release", "--package", "wasmill-tests", "--test", "tidy"]))
        }),
    ];
    let failed: Vec<String> =
        checks.iter().filter_map(|(name, check)| check().err().map(|error| format!("{name}: {error:#}"))).collect();
    if !failed.is_empty() {
        bail!("{} of {} checks failed:\n{}", failed.len(), checks.len(), failed.join("\n"));
    }
    match unchecked.take() {
        None => println!("all {} checks passed", checks.len()),
        Some(why) => println!(
            "NOT CHECKED: advisories about dependencies, since their database is out of reach: {why}\n\
             all {} other checks passed",
            checks.len() - 1
        ),
    }
    Ok(())
}

const DENY: &[&str] = &["--", "-D", "warnings"];

fn names(metadata: &Metadata, folder: &str) -> Vec<String> {
    metadata.members_in(folder).iter().map(|package| package.name.clone()).collect()
}

fn cargo(args: &[&str]) -> Command {
    let mut cargo = workspace::cargo();
    cargo.args(args);
    cargo
}

fn without<'a>(cargo: &'a mut Command, packages: &[String]) -> &'a mut Command {
    packages.iter().fold(cargo, |cargo, name| cargo.args(["--exclude", name]))
}

fn only<'a>(cargo: &'a mut Command, packages: &[String]) -> &'a mut Command {
    packages.iter().fold(cargo, |cargo, name| cargo.args(["--package", name]))
}
