//! `cargo xtask test`: everything that a test needs, then every test, then an honest sum.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xtask::services::KafkaRecipe;
use xtask::skip::SKIPPED;
use xtask::workspace::{self, Metadata};

use super::demo::build_wasmill;
use super::environment::Environment;
use super::run::shown;
use super::{plugins, properties};

pub(crate) fn test(filter: &[String]) -> Result<()> {
    let began = Instant::now();
    plugins::build()?;
    build_wasmill()?;
    let environment = Environment::start(KafkaRecipe::default())?;
    let mut cargo = workspace::cargo();
    cargo.args(["test", "--release", "--workspace", "--no-fail-fast"]);
    without_guests(&mut cargo)?;
    cargo.arg("--").args(filter).stdout(Stdio::piped());
    environment.apply(&mut cargo);
    let seed = properties::set_seed(&mut cargo, None);

    eprintln!("$ {}", shown(&cargo));
    let mut child = cargo.spawn().context("cannot run cargo")?;
    let mut sum = Sum::default();
    for line in BufReader::new(child.stdout.take().context("cargo has no output")?).split(b'\n') {
        let bytes = line.context("cannot read what cargo prints")?;
        let line = String::from_utf8_lossy(&bytes);
        println!("{line}");
        sum.add(&line);
    }
    let status = child.wait().context("cannot wait for cargo")?;
    drop(environment);

    println!("\n{}", sum.shown(began.elapsed()));
    if !status.success() {
        bail!("{}\nproperties have the same cases again with PROPTEST_RNG_SEED={seed}", sum.advice());
    }
    if sum.passed == 0 {
        bail!("no test ran: no name contains {}", filter.join(" or "));
    }
    Ok(())
}

/// Leaves the guests out: they have no code outside of WebAssembly.
pub(super) fn without_guests(cargo: &mut Command) -> Result<()> {
    for guest in Metadata::of_workspace()?.members_in("tests/guests") {
        cargo.args(["--exclude", &guest.name]);
    }
    Ok(())
}

/// What the harness of every test binary said, added up.
#[derive(Debug, Default)]
struct Sum {
    passed: usize,
    failed: usize,
    ignored: usize,
    failures: BTreeSet<String>,
    skips: Vec<String>,
}

impl Sum {
    fn add(&mut self, line: &str) {
        if let Some(reason) = line.strip_prefix(SKIPPED) {
            self.skips.push(reason.to_owned());
        } else if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.insert(name.to_owned());
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            for part in counts.split(['.', ';']) {
                let mut words = part.split_whitespace();
                let count = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
                match words.next() {
                    Some("passed") => self.passed += count,
                    Some("failed") => self.failed += count,
                    Some("ignored") => self.ignored += count,
                    _ => {}
                }
            }
        }
    }

    /// A test that was skipped is counted by its harness as passed: here it is not.
    fn shown(&self, took: Duration) -> String {
        let mut text: String = self.skips.iter().map(|reason| format!("{SKIPPED}{reason}\n")).collect();
        let skipped = self.skips.len();
        let passed = self.passed.saturating_sub(skipped);
        let (failed, ignored, seconds) = (self.failed, self.ignored, took.as_secs());
        text +=
            &format!("{passed} tests passed, {failed} failed, {skipped} SKIPPED, {ignored} ignored, in {seconds} s");
        text
    }

    fn advice(&self) -> String {
        if self.failures.is_empty() {
            return "the tests could not be built or did not end: see above".to_owned();
        }
        let lines = self.failures.iter().map(|name| format!("\n  cargo xtask test {}", name_to_filter(name)));
        format!("failed; each runs alone by{}", lines.collect::<String>())
    }
}

/// The part of a test's name to give as a filter; a documentation test is called `path - item (line 3)`.
fn name_to_filter(name: &str) -> &str {
    name.split(" - ").next().unwrap_or(name).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(lines: &[&str]) -> Sum {
        let mut sum = Sum::default();
        lines.iter().for_each(|line| sum.add(line));
        sum
    }

    #[test]
    fn results_of_all_binaries_are_added() {
        let sum = sum(&[
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ]);
        assert_eq!(sum.shown(Duration::from_secs(7)), "15 tests passed, 1 failed, 0 SKIPPED, 1 ignored, in 7 s");
    }

    #[test]
    fn a_skipped_test_does_not_count_as_passed() {
        let sum = sum(&["SKIPPED: no Kafka", "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured"]);
        let shown = sum.shown(Duration::ZERO);
        assert_eq!(shown, "SKIPPED: no Kafka\n1 tests passed, 0 failed, 1 SKIPPED, 0 ignored, in 0 s");
    }

    #[test]
    fn each_failure_comes_with_the_command_that_runs_it_alone() {
        let sum = sum(&["test a::b ... FAILED", "test host/src/x.rs - x::y (line 3) ... FAILED", "test c ... ok"]);
        assert_eq!(
            sum.advice(),
            "failed; each runs alone by\n  cargo xtask test a::b\n  cargo xtask test host/src/x.rs"
        );
    }
}
