//! Plugins that change under load: one that leaves events as they are comes, and is replaced again and again.

use std::fs;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::Changes;
use super::faults::Scene;
use crate::pipeline::{PATIENCE, Running};
use crate::variants::Variants;

/// Digests that come again and again.
const DIGESTS: usize = 4;
/// One in so many is one of its own.
const NEW_ONE_IN: usize = 20;
/// What is logged of a set that serves, and of one that does not.
const SERVES: &str = "plugins serve: ";
const REFUSED: &str = "serves on";

impl Scene {
    pub(super) fn swap(&mut self, times: usize, changes: Changes) -> Result<Running> {
        let mut worker = self.pipeline.start();
        let directory = self.pipeline.path("plugins.d");
        let variants = Variants::new()?;
        let (mut serving, mut refused, mut began) = (0, 0, Instant::now());
        let moments = self.moments(times);
        for number in 0..DIGESTS {
            // Compiled before the clock runs; what is there at the start is no change.
            if number == 0 {
                worker.wait_for_log("admin pages on");
                self.reach(&mut worker, 1)?;
            }
            let before = said(&worker, SERVES);
            variants.put(&directory, number)?;
            self.wait_said(&mut worker, SERVES, before)?;
            serving += 1;
            began = Instant::now();
        }
        for (number, moment) in moments.into_iter().enumerate() {
            self.reach(&mut worker, moment)?;
            if changes == Changes::HalfBad && number == times / 2 {
                worker.kill();
                worker = self.pipeline.start();
                worker.wait_for_log("admin pages on");
                self.note("kill -9");
            }
            if changes == Changes::HalfBad && number % 2 == 1 {
                let other = directory.join("95-other.wasm");
                let before = said(&worker, REFUSED);
                variants.put_half(&other)?;
                self.wait_said(&mut worker, REFUSED, before)?;
                fs::remove_file(&other)?;
                refused += 1;
                continue;
            }
            let before = said(&worker, SERVES);
            let digest = if number % NEW_ONE_IN == NEW_ONE_IN - 1 { DIGESTS + number } else { number % DIGESTS };
            variants.put(&directory, digest)?;
            self.wait_said(&mut worker, SERVES, before)?;
            serving += 1;
        }
        let seconds = began.elapsed().as_secs_f64();
        self.note(&format!(
            "{times} changes in {seconds:.0} s: {serving} sets of plugins served, {refused} bad ones did not"
        ));
        let history = self.pipeline.start_with(&["plugin", "history", "pipeline.yaml", "--format", "json"], b"");
        let served = history.wait(PATIENCE).stdout.lines().count();
        ensure!(served > serving, "home knows of {served} generations, and {serving} served after the first");
        Ok(worker)
    }

    fn wait_said(&mut self, worker: &mut Running, what: &str, before: usize) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while said(worker, what) == before {
            ensure!(worker.is_running() && Instant::now() < until, "not said: {what}\n{}", worker.log());
            std::thread::sleep(super::faults::LOOK);
        }
        Ok(())
    }
}

fn said(worker: &Running, what: &str) -> usize {
    worker.log().matches(what).count()
}
