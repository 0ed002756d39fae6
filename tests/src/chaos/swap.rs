//! Plugins that change under load: one that leaves events as they are comes, is replaced again and again, and goes; every third change is
//! a bad one; and in the middle the worker is killed.

use std::fs;

use anyhow::{Result, ensure};

use super::faults::Scene;
use crate::pipeline::{PATIENCE, Running};
use crate::variants::Variants;

/// Digests that come again and again; each tenth is one of its own.
const DIGESTS: usize = 4;
/// What is logged of a set that serves, and of one that does not.
const SERVES: &str = "plugins serve: ";
const REFUSED: &str = "serves on";

impl Scene {
    pub(super) fn swap(&mut self, times: usize) -> Result<Running> {
        let mut worker = self.pipeline.start();
        let directory = self.pipeline.path("plugins.d");
        let variants = Variants::new()?;
        let (mut serving, mut refused) = (0, 0);
        for (number, moment) in self.moments(times).into_iter().enumerate() {
            self.reach(&mut worker, moment)?;
            if number == times / 2 {
                worker.kill();
                worker = self.pipeline.start();
                // What is there at the start is no change.
                worker.wait_for_log("admin pages on");
                self.note("kill -9");
            }
            let other = directory.join("95-other.wasm");
            if number % 3 == 2 {
                let before = said(&worker, REFUSED);
                variants.put_half(&other)?;
                self.wait_said(&mut worker, REFUSED, before)?;
                fs::remove_file(&other)?;
                refused += 1;
                continue;
            }
            let before = said(&worker, SERVES);
            let digest = if number % 10 == 9 { DIGESTS + number } else { number % DIGESTS };
            variants.put(&directory, digest)?;
            self.wait_said(&mut worker, SERVES, before)?;
            serving += 1;
        }
        self.note(&format!("{serving} sets of plugins served, {refused} bad ones did not"));
        let history = self.pipeline.start_with(&["plugin", "history", "pipeline.yaml", "--format", "json"], b"");
        let served = history.wait(PATIENCE).stdout.lines().count();
        ensure!(served > serving, "home knows of {served} generations, and {serving} served after the first");
        Ok(worker)
    }

    fn wait_said(&mut self, worker: &mut Running, what: &str, before: usize) -> Result<()> {
        let until = std::time::Instant::now() + PATIENCE;
        while said(worker, what) == before {
            ensure!(worker.is_running() && std::time::Instant::now() < until, "not said: {what}\n{}", worker.log());
            std::thread::sleep(super::faults::LOOK);
        }
        Ok(())
    }
}

fn said(worker: &Running, what: &str) -> usize {
    worker.log().matches(what).count()
}
